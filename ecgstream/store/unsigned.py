"""Reports that nobody has signed are no longer kept: each by itself, noted in the audit log with its digest.

Which these are, the database says (``ecg.unsigned_reports``): made before a time, never signed nor withdrawn,
and not of the stretch of a case that is open. Nothing else of reports is ever deleted.
"""

from datetime import datetime
from typing import LiteralString

import psycopg

AT_ONCE = 100
"""Reports of a transaction."""


def due(connection: psycopg.Connection, before: datetime) -> int:
    """Return how many there are that were made before a time."""
    return _number(connection, "SELECT count(*) FROM ecg.unsigned_reports(%s)", before)


def forget(connection: psycopg.Connection, before: datetime) -> int:
    """Delete them; return how many these were. ``connection``: autocommit, as ``housekeeping.ROLE``."""
    gone = 0
    while n := _number(connection, "SELECT ecg.forget_reports(%s, %s)", before, AT_ONCE):
        gone += n
    return gone


def _number(connection: psycopg.Connection, query: LiteralString, *given: object) -> int:
    (n,) = connection.execute(query, given).fetchone() or (0,)
    return int(n)
