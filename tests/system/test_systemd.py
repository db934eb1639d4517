"""What systemd says of the units of deploy/systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ecgstream.embedded.errors import ServiceUnavailableError
from tests.deploy.units import FOLDER, SERVICES
from tests.system.conftest import lacking
from tests.system.tools import tool

MAX_EXPOSURE = 15
"""Of 100, as `systemd-analyze security` counts."""


@pytest.fixture(scope="module")
def analyze() -> str:
    try:
        return tool("systemd-analyze")
    except ServiceUnavailableError as error:
        why = error
    lacking(why)
    raise why


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that exists here."""
    copy = tmp_path / "units"
    shutil.copytree(FOLDER, copy)
    for unit in copy.glob("*.service"):
        unit.write_text(unit.read_text("utf-8").replace("/opt/ecgstream/bin/ecgstream", "/bin/true"))
    return copy


def run(units: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run(argv, cwd=units, env=environment, capture_output=True, text=True, check=False)


def names(units: Path) -> list[str]:
    return [
        f"./{path.name}"
        for path in units.glob("ecgstream*.*")
        if path.suffix in (".service", ".timer", ".target")
    ]


def test_systemd_understands_every_line(analyze: str, units: Path) -> None:
    done = run(units, analyze, "verify", "--man=no", *names(units))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_it_does_not_know_is_noticed(analyze: str, units: Path) -> None:
    with (units / "ecgstream-.service.d" / "10-common.conf").open("a") as common:
        common.write("ProtectSytem=strict\n")
    assert "ProtectSytem" in run(units, analyze, "verify", "--man=no", *names(units)).stderr


@pytest.mark.parametrize("service", [path.name for path in SERVICES])
def test_a_service_can_do_little_harm(analyze: str, units: Path, service: str) -> None:
    unit = service.replace("@", "@1")
    (units / service).rename(units / unit)
    done = run(
        units, analyze, "security", "--no-pager", "--offline=true", f"--threshold={MAX_EXPOSURE}", f"./{unit}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout
