"""The standing documents say what is so."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from scripts.check_lock import direct, locked

TOP = Path(__file__).resolve().parents[1]
HAZARDS = TOP / "docs" / "intended-use.md"
DEPENDENCIES = TOP / "docs" / "dependencies.md"
DOCUMENTS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("*/README.md")])
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
LINK = re.compile(r"\]\((?!\w+:)([^)#]+)")


def rows(document: Path, columns: int) -> list[list[str]]:
    """The cells of all table rows of a document that have so many columns, without heads and rulers."""
    lines = document.read_text().splitlines()
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    rulers = {i for i, cells in enumerate(tables) if set("".join(cells)) <= set("-:")}
    body = [cells for i, cells in enumerate(tables) if i not in rulers and i + 1 not in rulers]
    return [cells for cells in body if len(cells) == columns]


@cache
def defined_in(name: str) -> set[str]:
    """The names of the tests in a file, none where it is not there."""
    path = TOP / name
    tree = ast.walk(ast.parse(path.read_text())) if path.is_file() else ()
    return {node.name for node in tree if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


HAZARD_ROWS = rows(HAZARDS, 7)


def test_the_hazard_table_is_read() -> None:
    assert len(HAZARD_ROWS) >= 15
    numbers = [row[0] for row in HAZARD_ROWS]
    assert numbers == [f"H{i + 1}" for i in range(len(numbers))]


@pytest.mark.parametrize("row", HAZARD_ROWS, ids=lambda row: row[0])
def test_every_hazard_is_open_or_its_control_is_shown_by_tests_that_exist(row: list[str]) -> None:
    shown = TEST.findall(row[5])
    assert all(row)
    assert bool(shown) != row[5].startswith("**open**")
    assert [f"{file}::{test}" for file, test in shown if test not in defined_in(file)] == []


def test_every_direct_dependency_has_its_row_and_version() -> None:
    documented = {canonicalize_name(row[0]): set(row[1].split(", ")) for row in rows(DEPENDENCIES, 4)}
    wanted = {canonicalize_name(dependency.name) for dependency in direct()}
    assert documented == {name: versions for name, versions in locked().items() if name in wanted}


def test_the_embedded_kafka_is_the_one_documented() -> None:
    pins = next((TOP / "ecgstream" / "embedded").glob("kafka-*.sha256"))
    version = pins.stem.removeprefix("kafka-")
    assert f"Apache Kafka {version}" in DEPENDENCIES.read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []
