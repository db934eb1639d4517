"""docs/access.md as data: its tables are the truth that the tests hold the database to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ecgstream.registry.roles import Kind

LETTERS = dict(zip("ckxaos", Kind, strict=True))
"""Clinic, cardiologist, expert, auditor, operator, service, as cells name them."""
NOBODY, NO_SUCH_ROW = "–", "·"  # noqa: RUF001 - as the document writes them

Table = dict[str, dict[str, str]]
"""First cell of a row to column to cell."""

_TEXT = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text("utf-8")


@cache
def table(first: str) -> Table:
    """Return the table whose first column has this head; without the quotes of code."""
    found = [lines for lines in _tables() if lines[0][0] == first]
    assert len(found) == 1, first
    head, _, *rows = found[0]
    assert {len(row) for row in rows} == {len(head)}, first
    made = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert len(made) == len(rows), f"{first}: a row is there twice"
    return made


def _tables() -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", _TEXT.replace("`", ""), re.MULTILINE)
    return [[[cell.strip() for cell in line[1:-1].split("|")] for line in b.splitlines()] for b in blocks]


def kinds(cell: str) -> set[Kind]:
    """Return the kinds of position that a cell names."""
    return {LETTERS[letter] for letter in cell.replace(NOBODY, "").split()}


def statements(heading: str) -> str:
    """Return the SQL below a heading."""
    found = re.search(rf"^### {heading}\n.*?```sql\n(.*?)```", _TEXT, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]
