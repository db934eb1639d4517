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


def locked() -> dict[str, str]:
    """Return the pinned version of each package."""
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", (TOP / "requirements.lock").read_text(), re.M)
    return {canonicalize_name(name): version for name, version in pins}


def main() -> None:
    """Exit with one line for each dependency that the lock file does not fit."""
    pins = locked()
    wrong = []
    for wanted in direct():
        version = pins.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted}: requirements.lock has {version or 'nothing'}; run make lock")
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
