"""From records of Kafka to entries: steps of alerts, pages, what people say, rosters, and what services tell.

Words that people type (reasons) may name a patient, and could never be taken out of the chain: of them an
entry has the SHA-256, by which what is kept elsewhere can be held against it.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from schemas.audit import AuditEntry
from schemas.records import Acknowledgement, Alert, Notification, Roster

_PATH = re.compile(r"[A-Za-z0-9_-]{1,255}(\.[A-Za-z0-9_-]{1,255}){0,15}")
_TOLD = ("start", "read")
"""What services may say by Kafka: what makes the chain believed, they may not."""
_LONGEST = 1000
_NUL = "\x00"

Known = Callable[[str], dict[str, Any] | None]
"""From an alert's id to what the newest entry says of its step; None: there is none."""


@dataclass(frozen=True, slots=True)
class Step:
    """An entry that is not in the log yet."""

    who: str
    action: str
    kind: str
    object: str
    path: str | None
    detail: dict[str, Any]


def step_of(record: object, known: Known) -> Step | None:
    """Return the entry that a record makes; None: it says nothing new."""
    match record:
        case Alert():
            return _alert(record, known)
        case Notification():
            return _page(record)
        case Acknowledgement():
            return _answer(record)
        case Roster():
            content = {"sha256": sha256(record.content).hexdigest(), "published_ns": record.published_ns}
            return Step(record.published_by, "change", "roster", record.version, None, content)
        case AuditEntry():
            return _told(record)
    return None


def _alert(alert: Alert, known: Known) -> Step | None:
    """A step is what a person would see change: evidence that is told anew every second is none."""
    now = {
        "state": str(alert.state),
        "priority": str(alert.priority),
        "condition": alert.condition,
        "device": alert.device,
        "patient": alert.patient,
        "session": alert.session,
        "onset_ns": alert.onset_ns,
        "end_ns": alert.end_ns,
        "acknowledged_by": alert.acknowledged_by,
        "silenced_until_ns": alert.silenced_until_ns,
        "joined": alert.joined,
        "inhibited_by": alert.inhibited_by,
        "grouped": alert.grouped,
        "calls": alert.calls,
        "called": sorted({one.account for one in alert.called}),
        "turns_ns": alert.history[-1].at_ns if alert.history else 0,
    }
    before = known(alert.id)
    if before is not None and {name: before.get(name) for name in now} == now:
        return None
    seen_ns = before["turns_ns"] if before else 0
    turns = [
        {"at_ns": t.at_ns, "by": t.by, "what": t.what, "why_sha256": digest(t.why)}
        for t in alert.history
        if t.at_ns > seen_ns
    ]
    whole = now | {"updated_ns": alert.updated_ns, "turns": turns}
    return Step("pager", "alert", "alert", alert.id, _path(alert.facility), whole)


def _page(told: Notification) -> Step:
    detail = {
        "key": told.key,
        "what": told.what,
        "channel": told.channel,
        "account": told.account,
        "state": str(told.state),
        "attempts": told.attempts,
        "reason": _short(told.reason),
        "due_ns": told.due_ns,
        "done_ns": told.done_ns,
    }
    return Step("pager", "page", "alert", told.alert, None, detail)


def _answer(said: Acknowledgement) -> Step:
    detail = {
        "id": said.id,
        "act": str(said.act),
        "at_ns": said.at_ns,
        "silent_s": said.silent_s if said.silent_s == said.silent_s else None,
        "team": said.team,
        "why_sha256": digest(said.reason),
    }
    return Step(said.by, "answer", "alert", said.alert, None, detail)


def _told(entry: AuditEntry) -> Step | None:
    try:
        detail = json.loads(entry.detail)
    except (ValueError, RecursionError):
        return None
    if entry.action not in _TOLD or not isinstance(detail, dict):
        return None
    whole = {**detail, "service": entry.service, "at_ns": entry.at_ns}
    return Step(entry.who, entry.action, entry.kind, entry.object, _path(entry.facility), whole)


def digest(words: str) -> str:
    """Return the SHA-256 of words; nothing of none."""
    return sha256(words.encode("utf-8", "surrogatepass")).hexdigest() if words else ""


def as_json(steps: list[Step]) -> str:
    """Return steps as the database takes them: what JSON of PostgreSQL cannot hold is left out of texts."""
    rows = [
        {
            "who": s.who,
            "action": s.action,
            "kind": s.kind,
            "object": s.object,
            "path": s.path,
            "detail": s.detail,
        }
        for s in steps
    ]
    return json.dumps(_storable(rows), ensure_ascii=False, allow_nan=False)


def _storable(value: Any) -> Any:
    match value:
        case str():
            return value.replace(_NUL, "").encode("utf-8", "replace").decode()
        case float():
            return value if abs(value) < float("inf") else None  # NaN is not less, either
        case dict():
            return {_storable(k): _storable(v) for k, v in value.items()}
        case list() | tuple():
            return [_storable(v) for v in value]
    return value


def _path(facility: str) -> str | None:
    return facility if _PATH.fullmatch(facility) else None


def _short(text: str) -> str:
    return text[:_LONGEST]
