"""The images of deploy/images, built and looked into: what they hold, who runs, what is compiled already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from scripts.check_lock import IMAGES, pins
from tests.system.conftest import lacking
from tests.system.images import Images, buildah_is_here
from tests.system.timescale import timescale_is_here

pytestmark = pytest.mark.timeout(1800)

_PACKAGES = """
import importlib.metadata as m, json
print(json.dumps({d.name: d.version for d in m.distributions()}))
"""
_WARM = """
import pathlib, os, detectors
before = sorted(pathlib.Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nb?"))
detectors.warm_up()
after = sorted(pathlib.Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nb?"))
assert len(before) > 1 and before == after, (before, after)
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    if not (buildah_is_here() and timescale_is_here()):
        lacking(RuntimeError("images are built by root with buildah"))
    found = Images(tmp_path_factory.mktemp("images"))
    found.make_base()
    yield found
    found.buildah("rm", "--all")  # mounted, else, so that the folder could not be removed


@pytest.fixture(scope="module", params=["gateway", "centre"])
def container(request: pytest.FixtureRequest, images: Images) -> tuple[str, str]:
    return request.param, images.start(images.build(request.param))


def test_an_image_holds_what_its_lock_says_and_nothing_else(
    images: Images, container: tuple[str, str]
) -> None:
    name, inside = container
    told = json.loads(images.run(inside, "python", "-c", _PACKAGES).stdout)
    packages = {canonicalize_name(package): version for package, version in told.items()}
    assert packages.pop("ecgstream")
    assert packages.items() <= {(n, v) for n, versions in pins(IMAGES[name]).items() for v in versions}
    assert "numpy" in packages
    assert ("numba" in packages) == (name == "centre")
    assert "pip" not in packages


def test_nobody_is_root_and_nothing_but_the_data_is_ones_own(
    images: Images, container: tuple[str, str]
) -> None:
    _, inside = container
    assert images.run(inside, "id", "-u").stdout == "10001\n"
    images.run(inside, "touch", "/var/lib/ecgstream/mine")
    for folder in ("/opt/ecgstream", "/usr/local/bin", "/"):
        assert images.run(inside, "touch", f"{folder}/mine", check=False).returncode != 0, folder


def test_a_service_starts_as_far_as_its_first_setting(images: Images, container: tuple[str, str]) -> None:
    name, inside = container
    argv = ["centre-entry", "worker"] if name == "centre" else ["ecgstream", "gateway"]
    said = images.run(inside, *argv, check=False)
    assert said.returncode == 1
    assert "ECGSTREAM_KAFKA" in said.stderr + said.stdout
    health = images.run(inside, "healthy", "/ready", check=False)
    assert (health.returncode, "refused" in health.stdout + health.stderr) == (1, True)


def test_the_detectors_are_compiled_already(images: Images, container: tuple[str, str]) -> None:
    name, inside = container
    if name == "gateway":
        assert images.run(inside, "python", "-c", "import detectors.bank", check=False).returncode != 0
        return
    images.run(inside, "centre-entry", "--help")  # lays the cache where it can be written to
    images.run(inside, "python", "-c", _WARM)


def test_the_build_sees_no_more_than_it_needs(images: Images, container: tuple[str, str]) -> None:
    """Nothing of the tests, the recordings or a person's settings gets into an image."""
    _, inside = container
    root = Path(images.buildah("mount", inside).stdout.strip())
    assert not [
        path for name in ("tests", "fixtures", ".git", "scripts") for path in root.glob(f"**/src/{name}")
    ]
    assert not (root / "src").exists()
