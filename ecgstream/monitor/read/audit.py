"""The audit log as auditors see it: its entries, and how the chain stands."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import class_row

MOST = 100
"""Entries of a page."""
_ENTRIES: LiteralString = """
SELECT seq, at, who, action, kind, object, path::text AS facility, content, hash FROM api.audit
WHERE at >= %(since)s AND (%(before)s::bigint IS NULL OR seq < %(before)s)
    AND (%(who)s = '' OR who = %(who)s) AND (%(action)s = '' OR action = %(action)s)
    AND (%(kind)s = '' OR kind = %(kind)s) AND (%(object)s = '' OR object = %(object)s)
ORDER BY seq DESC LIMIT %(most)s
"""
_STATE: LiteralString = (
    "SELECT entries, signed_seq, signed_at, verified_at, verified_by, verified FROM api.audit_state"
)


class Entry(NamedTuple):
    """An entry; ``content`` is the text that was hashed."""

    seq: int
    at: datetime
    who: str
    action: str
    kind: str
    object: str
    facility: str | None
    content: str
    hash: str

    @property
    def detail(self) -> str:
        """What else was said, as JSON; all of the content where that is none any more."""
        said = _said(self.content)
        return json.dumps(said["detail"], ensure_ascii=False) if "detail" in said else self.content


class Standing(NamedTuple):
    """How the chain stands; None: it was never signed, or verified."""

    entries: int
    signed_seq: int | None
    signed_at: datetime | None
    verified_at: datetime | None
    verified_by: str | None
    verified: str | None

    @property
    def faults(self) -> int | None:
        """How many were found as it was last verified."""
        found = _said(self.verified or "").get("detail")
        return found.get("faults") if isinstance(found, dict) else None


def entries(
    connection: psycopg.Connection, since: datetime, before: int | None, wanted: Mapping[str, str]
) -> list[Entry]:
    """Return the newest entries, at most ``MOST``.

    Args:
        connection: of an auditor.
        since: from when on.
        before: only those in front of this one; None: all.
        wanted: who, action, kind and object; empty: any.
    """
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        asked = {**wanted, "since": since, "before": before, "most": MOST}
        return cursor.execute(_ENTRIES, asked).fetchall()


def standing(connection: psycopg.Connection) -> Standing | None:
    """Return how the chain stands; None: to who is no auditor anywhere."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(_STATE).fetchone()


def is_auditor(connection: psycopg.Connection) -> bool:
    """Return whether this person may look at the log."""
    row = connection.execute("SELECT has_table_privilege('api.audit', 'SELECT')").fetchone()
    return bool(row and row[0])


def _said(content: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
