"""What a suite found, as tables in Markdown."""

from collections.abc import Mapping
from typing import Any

from ecgstream.documents import table
from ecgstream.evaluate.report import cells, counted, figures_of, gave_up, is_plain, nested, number, whole


def of_suite(found: Mapping[str, Any]) -> str:
    """Return the figures as the command shows them, records and all."""
    rows = whole(found)
    told = {name: of for name, of in rows.items() if not is_plain(of)}
    names = f": {', '.join(found['records'])}" if "records" in found else ""  # trials are rows of tables
    parts = [f"{counted(found)}, detectors {found['detectors']}{names}.\n"]
    parts += [f"Not read: {reason}\n" for reason in found["unreadable"]]
    parts += [_table("", told)] if told else []
    parts += [_table(title, of) for title, of in nested(found).items()]
    parts += [f"{line}.\n" for line in gave_up(found)]
    for name, of in rows.items():
        if is_plain(of):
            figures = ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in of.items())
            parts.append(f"{name.replace('_', ' ')}: {figures}.\n")
    each = found.get("by_record", ())
    for kind in [name for name in (each[0] if each else ()) if any(isinstance(r[name], dict) for r in each)]:
        parts.append(_table(f"{kind}, by record", {row["record"]: row[kind] for row in each}))
    return "\n".join(parts)


def _table(title: str, rows: Mapping[str, Mapping[str, Any] | None]) -> str:
    columns = figures_of(rows)
    head = [title, *columns.values()]
    return table(head, [[name.replace("_", " "), *cells(row, columns)] for name, row in rows.items()])
