"""The database as one person sees it.

The monitor logs in as itself and becomes the person for one transaction (``SET LOCAL ROLE``): what is read
then, the database decides (docs/access.md). Nothing here looks at positions to hide a row.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from ecgstream.registry import people
from ecgstream.registry.roles import role_of
from ecgstream.store.connection import SESSION

CONNECTIONS = 20
AS_WEB = "SET LOCAL ROLE ecg_web"
_PATIENCE_S = 5.0
_ACCOUNT = re.compile(r"[a-z][a-z0-9_]{1,40}")

_ZONE: LiteralString = """
SELECT f.time_zone FROM api.positions AS p JOIN api.facilities AS f ON f.code = p.facility
WHERE p.account = %s ORDER BY f.level, f.code LIMIT 1
"""

_IS_AT: LiteralString = """
SELECT FROM api.credentials AS c
WHERE c.account = %(account)s
    AND (c.oidc_subject IS NULL OR (c.oidc_issuer, c.oidc_subject) = (%(issuer)s, %(subject)s))
    AND NOT EXISTS (SELECT FROM api.credentials AS o WHERE o.account <> c.account
                    AND (o.oidc_issuer, o.oidc_subject) = (%(issuer)s, %(subject)s))
"""


class GoneError(Exception):
    """The account is disabled, or there is none any more."""


class Stored:
    """Connections to the database; any thread may take one. Close it.

    Args:
        url: of a login that is a member of ``ecg_web``.
    """

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(
            url,
            kwargs={**SESSION, "application_name": "ecgstream-monitor", "prepare_threshold": None},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=_PATIENCE_S,
            check=ConnectionPool.check_connection,
            reset=_discard,
            open=True,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def as_person(self, account: str, *, writes: bool = False) -> Iterator[psycopg.Connection]:
        """Give a connection in a transaction that has this person's rights, and no others.

        It reads only, unless one of the functions is called by which people write.

        Raises:
            GoneError: the account is disabled.
            psycopg.OperationalError: the database cannot be reached.
        """
        with self.as_web() as connection:
            become(connection, account)
            if not writes:
                connection.execute("SET TRANSACTION READ ONLY")
            yield connection

    def check_password(self, account: str, password: str) -> bool:
        """Return whether an account has this password; it takes as long where there is no such account."""
        with self.as_web() as connection:
            return people.check_password(connection, account, password)

    def has_password(self, account: str) -> bool:
        """Return whether an account may log in with a password; one that may not has a provider."""
        with self.as_web() as connection:
            query = "SELECT FROM api.credentials WHERE account = %s AND password_hash IS NOT NULL"
            return connection.execute(query, (account,)).fetchone() is not None

    def knows(self, account: str) -> bool:
        """Return whether there is an account of this name that may log in."""
        if not _ACCOUNT.fullmatch(account):
            return False
        with self.as_web() as connection:
            return people.may_log_in(connection, account)

    def is_at(self, account: str, issuer: str, subject: str) -> bool:
        """Return whether an account may log in whom a provider names so.

        Names may be given to somebody else there, subjects never are: an account with a subject is that
        subject's alone, and a subject with an account logs in as no other.
        """
        if not _ACCOUNT.fullmatch(account):
            return False
        with self.as_web() as connection:
            asked = {"account": account, "issuer": issuer, "subject": subject}
            return connection.execute(_IS_AT, asked).fetchone() is not None

    def zone_of(self, account: str) -> str:
        """Return the time zone of the widest place at which an account stands."""
        with self.as_person(account) as connection:
            try:
                found = connection.execute(_ZONE, (account,)).fetchone()
            except psycopg.errors.InsufficientPrivilege:  # of no position
                return "UTC"
        return "UTC" if found is None else str(found[0])

    def note(self, who: str, action: str, kind: str, object_: str, detail: Mapping[str, Any]) -> None:
        """Put an entry into the audit log.

        Raises:
            psycopg.Error: it cannot be done now.
        """
        said = (who, action, kind, object_, Jsonb(dict(detail)))
        with self.as_web() as connection:
            connection.execute("SELECT api.note(%s, %s, %s, %s, %s)", said)

    @contextmanager
    def as_web(self) -> Iterator[psycopg.Connection]:
        """Give a connection in a transaction with the rights of the monitor itself (docs/access.md)."""
        with self._pool.connection() as connection:
            connection.execute(AS_WEB)
            yield connection


def become(connection: psycopg.Connection, account: str) -> None:
    """Be a person until the transaction ends, which has the monitor's own rights before (``AS_WEB``).

    Raises:
        GoneError: the account is disabled.
    """
    if not people.may_log_in(connection, account):
        raise GoneError
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role_of(account))))


def _discard(connection: psycopg.Connection) -> None:
    """Leave nothing of one person's to the next."""
    connection.autocommit = True
    connection.execute("DISCARD ALL")
    connection.autocommit = False
