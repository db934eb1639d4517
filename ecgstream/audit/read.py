"""The log as it is stored, and its heads as Kafka has them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from kafka import TopicPartition
from psycopg.rows import class_row

from ecgstream import clients
from ecgstream.audit.chain import Entry
from ecgstream.settings import Settings
from ecgstream.whole import records
from schemas import topics
from schemas.audit import AuditHead
from schemas.codec import decode_as
from schemas.errors import BadRecordError

_AT_ONCE = 5000
_ENTRIES: LiteralString = """
SELECT seq, at, who, action, kind, object, path::text AS facility, content, hash FROM ecg.audit
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
    AND (%(who)s::text IS NULL OR who = %(who)s) AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(object)s::text IS NULL OR object = %(object)s)
    AND (%(facility)s::text IS NULL OR %(facility)s = ANY(string_to_array(path::text, '.')))
ORDER BY seq
"""
_LINKED: LiteralString = f"""
SELECT e.*, coalesce((SELECT b.hash FROM ecg.audit AS b WHERE b.seq = e.seq - 1),
                     decode(repeat('00', 32), 'hex'))
FROM ({_ENTRIES}) AS e ORDER BY seq
"""  # noqa: S608 - our own words
_NEWEST: LiteralString = f"SELECT * FROM ({_ENTRIES} DESC LIMIT %(most)s) AS n ORDER BY seq"  # noqa: S608
_HEADS: LiteralString = """
SELECT (SELECT hash FROM ecg.audit WHERE seq = 0), seq, hash, at_ns, key, signature FROM ecg.audit_head
ORDER BY at_ns
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; None: all. ``facility``: code of one, with what is below it."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    action: str | None = None
    kind: str | None = None
    object: str | None = None
    facility: str | None = None

    def said(self) -> dict[str, str]:
        """Return what it narrows, as text."""
        return {name: _text(value) for name, value in self.values().items() if value is not None}

    def values(self) -> dict[str, Any]:
        """Return it as parameters."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


ALL = Filter()


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is; ``waiting``: entries that are not chained yet."""

    entries: int
    waiting: int


def entries(connection: psycopg.Connection, wanted: Filter = ALL) -> Iterator[Entry]:
    """Yield entries in their order; in a transaction."""
    with connection.cursor(name="audit", row_factory=class_row(Entry)) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_ENTRIES, wanted.values())
        yield from cursor


def linked(connection: psycopg.Connection, wanted: Filter = ALL) -> Iterator[tuple[Entry, bytes]]:
    """Yield entries in their order, each with the hash before it; in a transaction."""
    with connection.cursor(name="audit") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_LINKED, wanted.values())
        for *entry, before in cursor:
            yield Entry(*entry), before


def newest(connection: psycopg.Connection, wanted: Filter, most: int) -> list[Entry]:
    """Return the newest entries, at most so many, in their order."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(_NEWEST, {**wanted.values(), "most": most}).fetchall()


def size(connection: psycopg.Connection) -> Size:
    """Return how many entries there are."""
    row = connection.execute(
        "SELECT (SELECT coalesce(max(seq) + 1, 0) FROM ecg.audit), (SELECT count(*) FROM ecg.audit_inbox)"
    ).fetchone()
    return Size(*(row or (0, 0)))


def heads(connection: psycopg.Connection) -> list[AuditHead]:
    """Return the heads that the database keeps."""
    return [AuditHead(*row) for row in connection.execute(_HEADS)]


def copied_heads(settings: Settings) -> list[AuditHead]:
    """Return the heads that Kafka has.

    Raises:
        KafkaError, BrokerError: they cannot be read.
    """
    found = []
    with closing(clients.reader(settings)) as reader:
        sources = [TopicPartition(topics.AUDIT_HEADS.name, p) for p in range(settings.partitions)]
        for _, record in records(reader, sources):
            try:
                found.append(decode_as(AuditHead, record.value or b""))
            except BadRecordError:
                continue  # who writes what is no head proves nothing by it
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
