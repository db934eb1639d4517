"""Whether alerts were true: what was said of them, and who may say it. The newest verdict holds."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg

from ecgstream.monitor.read.alerts import may_read

VERDICTS = ("true", "false", "unclear")


class Said(NamedTuple):
    """A verdict, by which account and when."""

    verdict: str
    by: str
    at: datetime


class Recorded(NamedTuple):
    """Which alert was judged just now."""

    id: str
    condition: str
    device: str
    onset: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """Of some alerts, by their ids: the newest verdicts, and those that one may judge."""

    said: dict[str, Said]
    open: frozenset[str]


_SAID: LiteralString = """
SELECT DISTINCT ON (alert) alert::text, verdict, said_by, said_at FROM api.judgements
WHERE alert = ANY(%s) ORDER BY alert, id DESC
"""


def judged(connection: psycopg.Connection, ids: Iterable[str]) -> Judged:
    """Return what was said of alerts, and which one may judge; one that is not stored yet is neither."""
    wanted = _uuids(ids)
    said: dict[str, Said] = {}
    if may_read(connection, "judgements"):
        said = {id_: Said(*what) for id_, *what in connection.execute(_SAID, (wanted,))}
    may = connection.execute("SELECT has_function_privilege('api.judgeable(uuid[])', 'EXECUTE')").fetchone()
    if may != (True,):
        return Judged(said, frozenset())
    rows = connection.execute("SELECT api.judgeable(%s)::text", (wanted,))
    return Judged(said, frozenset(id_ for (id_,) in rows))


def recorded(connection: psycopg.Connection, id_: str) -> Recorded | None:
    """Return what an alert is; None: there is none that one sees."""
    row = connection.execute(
        "SELECT id::text, condition, device, onset FROM api.alerts WHERE id = ANY(%s)", (_uuids([id_]),)
    ).fetchone()
    return None if row is None else Recorded(*row)


def _uuids(ids: Iterable[str]) -> list[UUID]:
    found = []
    for id_ in ids:
        with suppress(ValueError):
            found.append(UUID(id_))
    return found


def judge(connection: psycopg.Connection, id_: str, verdict: str) -> None:
    """Write down a verdict.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may not, or there is no such alert of 30 days.
    """
    connection.execute("SELECT api.judge(%s, %s)", (id_, verdict))
