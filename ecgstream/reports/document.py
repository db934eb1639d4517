"""A report as JSON: every figure with its unit in its name, times as ISO 8601 in UTC."""

import json
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

from ecgstream import __version__
from ecgstream.reports.content import Report

STATUS = "preliminary"
WARNING = "made by software; not a certified medical device; no physician has read it"


def told(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    found: dict[str, Any] = _plain(asdict(report))
    found["asked"] = _span(report.asked)
    found["parts"] = [_span(part) for part in report.parts]
    found["coverage"]["analysable_share_of_asked"] = report.coverage.analysable_share
    longest = report.longest_pause
    found["longest_pause"] = None if longest is None else _plain(asdict(longest))
    head = {"status": STATUS, "warning": WARNING, "conclusion": None, "software": f"ecgstream {__version__}"}
    return head | found


def written(report: Report) -> bytes:
    """Return the JSON document."""
    return (json.dumps(told(report), ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def iso(ns: int) -> str:
    """Return a time.

    >>> iso(1_790_000_000_250_000_000)
    '2026-09-21T14:13:20.250Z'
    """
    seconds, rest = divmod(ns, 10**9)
    time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _span(span: tuple[int, int]) -> dict[str, str]:
    return {"from": iso(span[0]), "to": iso(span[1])}


def _plain(value: Any) -> Any:
    """Replace times in ns by ISO 8601: ``from_ns`` becomes ``from``."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {
            key.removesuffix("_ns"): iso(item) if key.endswith("_ns") and item is not None else _plain(item)
            for key, item in value.items()
        }
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
