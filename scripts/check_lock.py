"""Check offline that requirements.lock pins every direct dependency of pyproject.toml within its bounds."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[1]


def direct() -> list[Requirement]:
    """Return the direct dependencies: of a gateway, of the extras, and of developers."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], project["build-system"]["requires"]]
    groups += project["project"]["optional-dependencies"].values()
    groups += project["dependency-groups"].values()
    return [Requirement(line) for group in groups for line in group]


def locked() -> dict[str, set[str]]:
    """Return the pinned versions of each package; some have one for each range of Python versions."""
    pins: dict[str, set[str]] = {}
    lock = (TOP / "requirements.lock").read_text()
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", lock, re.MULTILINE):
        pins.setdefault(canonicalize_name(name), set()).add(version)
    return pins


def main() -> None:
    """Exit with one line for each dependency that the lock file does not fit."""
    pins = locked()
    wrong = []
    for wanted in direct():
        versions = pins.get(canonicalize_name(wanted.name), set())
        if not versions or not all(wanted.specifier.contains(v, prereleases=True) for v in versions):
            found = " and ".join(sorted(versions)) or "nothing"
            wrong.append(f"{wanted}: requirements.lock has {found}; run make lock")
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
