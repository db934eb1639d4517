"""The alarm limits of a patient as one person sees them, and the one way in which they are changed."""

from datetime import datetime
from typing import LiteralString, NamedTuple

import psycopg

from ecgstream.monitor.read import alerts
from ecgstream.monitor.read.patient import Known
from schemas.limits import DEFAULTS
from schemas.records import Category, Limit


class Standing(NamedTuple):
    """A limit in force and where it comes from; ``said_by`` None: nobody ever changed it.

    ``seen`` names what was said last, 0: nothing. Whoever changes the limit brings it along.
    """

    limit: Limit
    is_default: bool = True
    said_by: str | None = None
    said_at: datetime | None = None
    reason: str = ""
    seen: int = 0


_SAID: LiteralString = """
SELECT DISTINCT ON (code) code, low, high, is_default, said_by, said_at, reason, id
FROM api.limits WHERE patient = %s ORDER BY code, id DESC
"""

_HOME: LiteralString = """
SELECT f.path::text FROM api.patients AS p JOIN api.facilities AS f ON f.code = p.facility
WHERE p.patient = %s
"""


def standing(connection: psycopg.Connection, one: Known) -> dict[int, Standing]:
    """Return the alarm limits that hold by their codes; none where the registry is not seen."""
    if one.category is None:
        return {}
    found = {limit.code: Standing(limit) for limit in DEFAULTS[Category(one.category)]}
    for code, low, high, is_default, *said in connection.execute(_SAID, (one.patient,)):
        limit = found[code].limit if is_default else Limit(code, low, high)
        found[code] = Standing(limit, is_default, *said)
    return found


def may_change(connection: psycopg.Connection, account: str, one: Known) -> bool:
    """Return whether somebody cares for patients where this one's facility is, or above it."""
    home = connection.execute(_HOME, (one.patient,)).fetchone()
    return home is not None and alerts.may_answer(connection, account, home[0])


def change(
    connection: psycopg.Connection, patient: str, limit: Limit, seen: int, reason: str, *, to_default: bool
) -> bool:
    """Set a limit, or let the category's hold again; return whether it was done.

    It is not where somebody else has changed it since it was ``seen``.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may not.
    """
    row = connection.execute(
        "SELECT api.change_limit(%s, %s, %s, %s, %s, %s, %s)",
        (patient, limit.code, seen, limit.low, limit.high, to_default, reason),
    ).fetchone()
    return row == (True,)
