"""docs/access.md as data: its tables are the truth that the tests hold the database to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import psycopg

from ecgstream.registry.roles import Kind
from tests.system import access_catalogue as catalogue

LETTERS = dict(zip("ckxaos", Kind, strict=True))
"""Clinic, cardiologist, expert, auditor, operator, service, as cells name them."""
NOBODY, NO_SUCH_ROW = "–", "·"  # noqa: RUF001 - as the document writes them

INFRASTRUCTURE = ("ecg_views", "ecg_sink", "ecg_registry", "ecg_housekeeping", "ecg_web")
OF_AUDIT = ("ecg_sealer", "ecg_evidence", "ecg_witness")
"""What they may has a table of its own."""

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


def differences(connection: psycopg.Connection) -> list[str]:
    """What docs/access.md and the catalogue do not say alike."""
    roles = {
        role: {key: row[key].replace(NOBODY, "") for key in ("attributes", "in")}
        for role, row in table("role").items()
    }
    said_of_audit = table("object besides")
    pairs = (
        (
            catalogue.rights(connection),
            {
                name: granted(name, row)
                | {r: said_of_audit[name][r] for r in OF_AUDIT if said_of_audit.get(name, {}).get(r)}
                for name, row in table("object").items()
            },
        ),
        (catalogue.groups(connection), roles),
    )
    return [
        f"{name} is {is_so.get(name)}, documented as {said.get(name)}"
        for is_so, said in pairs
        for name in sorted({*is_so, *said})
        if is_so.get(name) != said.get(name)
    ]


def granted(name: str, row: dict[str, str]) -> dict[str, str]:
    """Return role to rights, from a row of the document's table: letters read a view, or call a function."""
    people, right = row["people"], "E" if name.endswith("()") else "S"
    if people.startswith("everybody: "):
        groups = {"everybody": people.removeprefix("everybody: ")}
    elif set(people.split()) <= set("ckxaos"):
        groups = {f"ecg_{kind}": right for kind in kinds(people)}
        groups = {"ecg_reader": right} if len(groups) == len(Kind) else groups
    else:
        groups = {"ecg_reader": people}
    others = {role: row[role] for role in (*INFRASTRUCTURE, "own rule")}
    return {role: rights for role, rights in (others | groups).items() if rights}
