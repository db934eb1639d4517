"""The images of deploy/images, built without a container engine: buildah, on a base of Debian's packages.

The base stands in for the official Python image, which cannot be had everywhere: Debian 13's Python and
nothing else, and what this machine's pip knows of registries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ecgstream.embedded.errors import ServiceUnavailableError
from tests.system.python313 import pip_settings
from tests.system.timescale import INSTALL, apt, debian13_root, install_timescale

TOP = Path(__file__).resolve().parents[2]
CONTAINERFILE = TOP / "deploy" / "images" / "Containerfile"
BASE = "localhost/python-of-debian"
# Of the root that TimescaleDB lives in, what a Python image would not have.
_WITHOUT = (
    *("./proc/*", "./sys/*", "./dev/*", "./srv/*", "./tmp/*", "./var/cache/*", "./var/lib/*"),
    *("./usr/lib/postgresql", "./usr/share/postgresql", "./usr/share/locale", "./usr/share/doc"),
    *("./usr/share/man", "./usr/share/i18n", "./usr/share/perl", "./usr/lib/x86_64-linux-gnu/perl"),
    *("./usr/lib/*/libLLVM*", "./usr/lib/*/libz3*"),
)


def buildah_is_here() -> bool:
    """Say whether images can be built."""
    return shutil.which("buildah") is not None and os.geteuid() == 0


def install_buildah() -> None:
    """Install buildah and the Debian 13 that the base is made of, unless they are here."""
    if not buildah_is_here():
        if os.geteuid() != 0:
            raise ServiceUnavailableError(f"images are built by root only: {INSTALL}")
        apt("buildah", "crun")
    install_timescale()


@dataclass(frozen=True, slots=True)
class Images:
    """A store of images in a folder of its own."""

    folder: Path

    def buildah(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run buildah on our store."""
        where = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        argv = ["buildah", *where, "--storage-driver", "vfs", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, (
            f"{' '.join(words)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
        return done

    def make_base(self) -> None:
        """Make the base image."""
        container = self.buildah("from", "scratch").stdout.strip()
        inside = Path(self.buildah("mount", container).stdout.strip())
        excluded = [f"--exclude={path}" for path in _WITHOUT]
        root = str(debian13_root())
        with subprocess.Popen(
            ["tar", "-C", root, *excluded, "-cf", "-", "."], stdout=subprocess.PIPE
        ) as pack:
            subprocess.run(["tar", "-C", str(inside), "-xf", "-"], stdin=pack.stdout, check=True)
        assert pack.returncode == 0
        self._reach_the_registry(inside)
        self.buildah("commit", "--quiet", container, BASE)
        self.buildah("rm", container)

    def _reach_the_registry(self, inside: Path) -> None:
        for name in ("resolv.conf", "hosts"):
            shutil.copy(Path("/etc") / name, inside / "etc" / name)
        found = pip_settings()
        bundle = found.pop("cert", None)
        if bundle is not None:
            shutil.copy(bundle, inside / "etc" / "pip-ca.pem")
            found["cert"] = "/etc/pip-ca.pem"
        lines = "".join(f"{key} = {value}\n" for key, value in found.items())
        (inside / "etc" / "pip.conf").write_text(f"[global]\n{lines}")

    def build(self, target: str) -> str:
        """Build one of the images from the checkout as it is; return its name."""
        name = f"localhost/ecgstream-{target}"
        words = ["build", "--isolation", "chroot", "--pull-never", "--format", "docker", "--jobs", "2"]
        words += ["--build-arg", f"PYTHON={BASE}", "--target", target, "--tag", name]
        self.buildah(*words, "--file", str(CONTAINERFILE), str(TOP))
        return name

    def start(self, image: str) -> str:
        """Return a container of an image, to run commands in."""
        return self.buildah("from", "--pull-never", image).stdout.strip()

    def run(self, container: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a container as its user."""
        return self.buildah("run", "--isolation", "chroot", container, "--", *words, check=check)
