"""Check offline that the lock files fit pyproject.toml: each direct dependency pinned within its bounds.

The images' locks are parts of requirements.lock, with the same versions and hashes: what the tests have run
with is what the images hold.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements.lock"
IMAGES = {name: TOP / "deploy" / "images" / f"{name}.lock" for name in ("gateway", "centre", "build")}


def project() -> dict[str, list[Requirement]]:
    """Return the direct dependencies: of a gateway, of each extra, of the build, and of developers."""
    found = tomllib.loads((TOP / "pyproject.toml").read_text())
    groups = {
        "gateway": found["project"]["dependencies"],
        "build": found["build-system"]["requires"],
        **found["project"]["optional-dependencies"],
        **found["dependency-groups"],
    }
    return {name: [Requirement(line) for line in lines] for name, lines in groups.items()}


def direct() -> list[Requirement]:
    """Return all direct dependencies."""
    return [wanted for group in project().values() for wanted in group]


def blocks(lock: Path) -> dict[tuple[str, str], frozenset[str]]:
    """Return the hashes of each package and version that a lock file pins."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    pinned = r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)((?:.*\\\n)+.*)$"
    for name, version, hashes in re.findall(pinned, lock.read_text(), re.MULTILINE):
        found[canonicalize_name(name), version] = frozenset(re.findall(r"--hash=(\S+)", hashes))
    return found


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the pinned versions of each package; some have one for each range of Python versions."""
    found: dict[str, set[str]] = {}
    for name, version in blocks(lock):
        found.setdefault(name, set()).add(version)
    return found


def locked() -> dict[str, set[str]]:
    """Return what requirements.lock pins."""
    return pins(LOCK)


def unfit(lock: Path, wanted: list[Requirement]) -> Iterator[str]:
    """Yield a line for each dependency that a lock file does not fit."""
    found = pins(lock)
    for one in wanted:
        versions = found.get(canonicalize_name(one.name), set())
        if not versions or not all(one.specifier.contains(v, prereleases=True) for v in versions):
            has = " and ".join(sorted(versions)) or "nothing"
            yield f"{one}: {lock.name} has {has}; run make lock"


def foreign(lock: Path) -> Iterator[str]:
    """Yield a line for each pin of an image's lock that is not one of requirements.lock."""
    ours = blocks(LOCK)
    for (name, version), hashes in blocks(lock).items():
        if not hashes or ours.get((name, version)) != hashes:
            yield f"{name}=={version} of {lock.name} is not as in requirements.lock; run make lock"


def main() -> None:
    """Exit with one line for each thing that does not fit."""
    groups = project()
    wrong = list(unfit(LOCK, direct()))
    wrong += unfit(IMAGES["gateway"], groups["gateway"] + groups["receive"] + groups["files"])
    wrong += unfit(IMAGES["centre"], groups["gateway"] + groups["centre"])
    wrong += unfit(IMAGES["build"], groups["build"])
    wrong += [line for lock in IMAGES.values() for line in foreign(lock)]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
