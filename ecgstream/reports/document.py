"""A report as JSON: figures with units in their names, times as ISO 8601 in UTC, the signal of its strips.

It is all that a report is: a printed one, and one in FHIR, are drawn from these bytes alone. So what was
signed can be printed as it was, whatever has become of the store since.
"""

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from ecgstream import __version__
from ecgstream.reports import samples
from ecgstream.reports.content import Report
from ecgstream.reports.material import NS, Span
from ecgstream.reports.standing import PRELIMINARY, WARNING
from ecgstream.reports.strips import Chosen, Strip

SOFTWARE = f"ecgstream {__version__}"
KIND = "ambulatory ECG"


class Document(NamedTuple):
    """What a document holds; ``software``: what has made it."""

    report: Report
    strips: Sequence[Strip]
    software: str = SOFTWARE


def told(document: Document) -> dict[str, Any]:
    """Return the document as JSON values."""
    report = document.report
    found: dict[str, Any] = plain(asdict(report))
    found["asked"] = span(report.asked)
    found["parts"] = [span(part) for part in report.parts]
    found["coverage"]["analysable_share_of_asked"] = report.coverage.analysable_share
    longest = report.longest_pause
    found["longest_pause"] = None if longest is None else plain(asdict(longest))
    found["strips"] = [
        {
            "what": strip.chosen.what,
            "from": iso(strip.chosen.from_ns),
            "leads": [{"name": lead.name, "pieces": samples.pieces(lead)} for lead in strip.leads],
        }
        for strip in document.strips
    ]
    return head(KIND, document.software) | found


def written(document: Document) -> bytes:
    """Return the JSON document. Times are in milliseconds, signals in microvolts: ``read`` loses nothing."""
    return lines(told(document))


def read(content: bytes) -> Document:
    """Return what ``written`` has written.

    Raises:
        ValueError: it is no such document.
    """
    return of(json.loads(content))


def of(said: Any) -> Document:
    """Return the document that JSON values tell (``told``).

    Raises:
        ValueError: they tell no such document.
    """
    try:
        if said["kind"] != KIND:
            raise ValueError(f"this is no report of {KIND}")
        strips = [
            Strip(
                Chosen(one["what"], _ns(one["from"])),
                [samples.lead(of["name"], of["pieces"]) for of in one["leads"]],
            )
            for one in said["strips"]
        ]
        return Document(made(Report, said), strips, said["software"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no report of ecgstream's") from error


def head(kind: str, software: str) -> dict[str, Any]:
    """Return how each document begins."""
    return {
        "kind": kind,
        "status": PRELIMINARY,
        "warning": WARNING,
        "conclusion": None,
        "software": software,
    }


def lines(said: dict[str, Any]) -> bytes:
    """Return JSON values as a document."""
    return (json.dumps(said, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def iso(ns: int) -> str:
    """Return a time.

    >>> iso(1_790_000_000_250_000_000)
    '2026-09-21T14:13:20.250Z'
    """
    seconds, rest = divmod(ns, NS)
    time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ns(text: str) -> int:
    """Return a time in ns.

    >>> _ns("2026-09-21T14:13:20.250Z")
    1790000000250000000
    """
    time = datetime.fromisoformat(text)
    return int(time.replace(microsecond=0).timestamp()) * NS + time.microsecond * 1000


def span(times: Span) -> dict[str, str]:
    """Return a stretch."""
    return {"from": iso(times[0]), "to": iso(times[1])}


def plain(value: Any) -> Any:
    """Replace times in ns by ISO 8601: ``from_ns`` becomes ``from``."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {
            key.removesuffix("_ns"): iso(item) if key.endswith("_ns") and item is not None else plain(item)
            for key, item in value.items()
        }
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def made(kind: Any, value: Any) -> Any:
    """Return what ``plain`` was given, by its type: ``made(Report, plain(asdict(report)))`` is the report."""
    if value is None:
        return None
    if kind == Span:
        return _ns(value["from"]), _ns(value["to"])
    if get_origin(kind) is UnionType:
        return made(get_args(kind)[0], value)  # a kind or None
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        # What an earlier version has not said has a default.
        said = [one for one in fields(kind) if one.name in value or one.default is MISSING]
        return kind(**{one.name: _field(hints[one.name], one.name, value) for one in said})
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        kinds = [first] * len(value) if others == [...] else [first, *others]
        return tuple(made(one, item) for one, item in zip(kinds, value, strict=True))
    return value


def _field(kind: Any, name: str, value: dict[str, Any]) -> Any:
    if not name.endswith("_ns"):
        return made(kind, value[name])
    said = value[name.removesuffix("_ns")]
    return None if said is None else _ns(said)
