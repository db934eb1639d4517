"""What an account is in the database: a role, its groups, its limits, and a login if it is given one.

The role of account ``li`` is ``person_li``. It cannot log in: the web logs in as itself and becomes that
role (``SET ROLE``). Only who needs SQL gets a password in the database, another than that of the account.
Functions on an open connection of role ``ecg_registry``, which makes these roles; the caller commits, the
role together with the account's rows.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from ecgstream.registry.errors import RegistryError


class Kind(StrEnum):
    """What a person is at a facility."""

    CLINIC = "clinic"
    CARDIOLOGIST = "cardiologist"
    EXPERT = "expert"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    SERVICE = "service"


class Limits(NamedTuple):
    """What one login may take of the database. docs/access.md says what they are good for and what not."""

    connections: int
    statement_s: int
    lock_s: int
    idle_in_transaction_s: int


LIMITS = {
    Kind.CLINIC: Limits(connections=2, statement_s=30, lock_s=5, idle_in_transaction_s=60),
    Kind.CARDIOLOGIST: Limits(connections=2, statement_s=30, lock_s=5, idle_in_transaction_s=60),
    Kind.EXPERT: Limits(connections=2, statement_s=60, lock_s=5, idle_in_transaction_s=60),
    Kind.AUDITOR: Limits(connections=4, statement_s=600, lock_s=5, idle_in_transaction_s=300),
    Kind.OPERATOR: Limits(connections=2, statement_s=30, lock_s=5, idle_in_transaction_s=60),
    Kind.SERVICE: Limits(connections=10, statement_s=15, lock_s=5, idle_in_transaction_s=15),
}
"""Who holds several kinds of position has the widest of each."""
_NOBODY = Limits(connections=0, statement_s=1, lock_s=1, idle_in_transaction_s=1)

_STATE: LiteralString = """
SELECT h.sql_login, h.disabled,
    (SELECT array_agg(DISTINCT p.kind) FROM ecg.position AS p WHERE p.account = h.account),
    r.oid IS NOT NULL, coalesce(pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'), false)
FROM ecg.person AS h LEFT JOIN pg_roles AS r ON r.rolname = %s WHERE h.account = %s
"""
_GROUPS: LiteralString = """
SELECT g.rolname FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
JOIN pg_roles AS r ON r.oid = m.member WHERE r.rolname = %s
"""


def role_of(account: str) -> str:
    """Return the name of an account's role.

    >>> role_of("li")
    'person_li'
    """
    return f"person_{account}"


def follow(connection: psycopg.Connection, account: str) -> None:
    """Bring an account's role to what the registry says of the account; make it if there is none.

    Raises:
        RegistryError: a role of this name is not the registry's to change, or has rights from elsewhere.
    """
    role = role_of(account)
    row = connection.execute(_STATE, (role, account)).fetchone()
    if row is None:
        raise RegistryError(f"there is no account {account}")
    sql_login, disabled, kinds, there, ours = row
    if there and not ours:
        raise RegistryError(
            f"the database has a role {role} that the registry did not make: rename one of them"
        )
    if not there:
        _run(connection, "CREATE ROLE {role}", role)
        _run(connection, "GRANT {role} TO ecg_web WITH INHERIT FALSE, SET TRUE", role)
    stands = [] if disabled else [Kind(kind) for kind in kinds or ()]
    _join(connection, role, {f"ecg_{kind}" for kind in stands})
    _limit(connection, role, stands)
    if not sql_login:
        _run(connection, "ALTER ROLE {role} NOLOGIN PASSWORD NULL", role)


def _join(connection: psycopg.Connection, role: str, wanted: Collection[str]) -> None:
    groups = _groups(connection, role)
    for group in sorted(groups - set(wanted)):
        _run(connection, "REVOKE {group} FROM {role}", role, group=sql.Identifier(group))
    for group in sorted(set(wanted) - groups):
        _run(
            connection,
            "GRANT {group} TO {role} WITH INHERIT TRUE, SET FALSE",
            role,
            group=sql.Identifier(group),
        )
    left = _groups(connection, role) - set(wanted)
    if left:
        raise RegistryError(
            f"role {role} is in {', '.join(sorted(left))} by somebody else's grant: revoke it first"
        )


def _groups(connection: psycopg.Connection, role: str) -> set[str]:
    return {group for (group,) in connection.execute(_GROUPS, (role,))}


def _limit(connection: psycopg.Connection, role: str, kinds: Collection[Kind]) -> None:
    """Set the limits of a login. What the role has set for itself goes."""
    widest = Limits(*map(max, zip(_NOBODY, *(LIMITS[kind] for kind in kinds), strict=True)))
    settings = {
        "statement_timeout": f"{widest.statement_s}s",
        "lock_timeout": f"{widest.lock_s}s",
        "idle_in_transaction_session_timeout": f"{widest.idle_in_transaction_s}s",
        "default_transaction_read_only": "on",
    }
    _run(connection, "ALTER ROLE {role} RESET ALL", role)
    _run(connection, "ALTER ROLE {role} CONNECTION LIMIT {n}", role, n=sql.Literal(widest.connections))
    for name, value in settings.items():
        _run(
            connection,
            "ALTER ROLE {role} SET {name} = {value}",
            role,
            name=sql.Identifier(name),
            value=sql.Literal(value),
        )


def let_in(connection: psycopg.Connection, account: str, password: str) -> None:
    """Let a role log in by itself. The server gets to know what verifies the password, not the password."""
    role = role_of(account)
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    _run(
        connection,
        "ALTER ROLE {role} LOGIN PASSWORD {verifier}",
        role,
        verifier=sql.Literal(verifier.decode()),
    )


def end_sessions(connection: psycopg.Connection, account: str) -> int:
    """End the sessions that a role has open by a login of its own; return how many there were.

    Call it after the commit that took the login away, or they come back.
    """
    role = role_of(account)
    # Whoever ends a session needs the rights of its role: for this moment only.
    with connection.transaction():
        _run(connection, "GRANT {role} TO ecg_registry WITH INHERIT TRUE, SET FALSE", role)
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,)
        ).fetchall()
        _run(connection, "REVOKE {role} FROM ecg_registry GRANTED BY ecg_registry", role)
    return len(found)


def _run(
    connection: psycopg.Connection, statement: LiteralString, role: str, **parts: sql.Composable
) -> None:
    connection.execute(sql.SQL(statement).format(role=sql.Identifier(role), **parts))
