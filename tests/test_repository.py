"""What holds for every file of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PACKAGES = ("alerts", "detectors", "devices", "ecgstream", "schemas")
FOLDERS = (*PACKAGES, "deploy", "fixtures", "tests")
MAX_LINES = 400

# Put together here, so that this file does not hold what it looks for.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("npmjs", "org"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
]
HOMES = ["/".join(("", name, "")) for name in ("home", "root", "Users")]


@cache
def tracked() -> tuple[Path, ...]:
    """The tracked files; where there is no git repository, as in a source archive, all but caches."""
    if not (TOP / ".git").exists():
        files = (path for path in TOP.rglob("*") if path.is_file())
        caches = re.compile(r"__pycache__|\.\w+_cache|\.hypothesis|\.venv")
        return tuple(path for path in files if not any(map(caches.fullmatch, path.relative_to(TOP).parts)))
    # Whoever the checkout belongs to: reading the list of its files runs nothing of it.
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(git, cwd=TOP, check=True, capture_output=True, text=True).stdout
    return tuple(TOP / name for name in names.split("\0") if name and (TOP / name).is_file())


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(TOP)) for path in paths]


def test_no_source_file_is_long() -> None:
    sources = [path for path in tracked() if path.suffix == ".py"]
    long = [path for path in sources if len(path.read_text().splitlines()) > MAX_LINES]
    assert names(long) == []


@pytest.mark.parametrize("needle", [*REGISTRIES, *HOMES])
def test_no_file_names_a_registrys_host_or_somebodys_home(needle: str) -> None:
    found = [path for path in tracked() if needle.encode() in path.read_bytes()]
    assert names(found) == []


def test_every_package_says_what_lives_there() -> None:
    packages = [path for path in tracked() if path.name == "__init__.py" and "tests" not in path.parts]
    silent = [path for path in packages if not (ast.get_docstring(ast.parse(path.read_text())) or "").strip()]
    assert names(silent) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_of_the_design_is_there(folder: str) -> None:
    assert any(path.is_relative_to(TOP / folder) for path in tracked())
