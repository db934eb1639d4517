"""The units of deploy/systemd, read as systemd reads them: keys may come several times, in order."""

from __future__ import annotations

from pathlib import Path

from tests.deploy.composed import DEPLOY

FOLDER = DEPLOY / "systemd"
COMMON = FOLDER / "ecgstream-.service.d" / "10-common.conf"
SERVICES = sorted(FOLDER.glob("*.service"))
Lines = list[tuple[str, str, str]]


def read(path: Path) -> Lines:
    """Section, key and value of each line."""
    found: Lines = []
    section = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append((section, key, value))
    return found


def values(lines: Lines, key: str) -> list[str]:
    """All values of a key."""
    return [value for _, name, value in lines if name == key]


def environment(lines: Lines) -> dict[str, str]:
    """What `Environment=` sets, specifiers as they stand."""
    words = [word for value in values(lines, "Environment") for word in value.split()]
    return dict(word.split("=", 1) for word in words)
