"""What an account is in the database: a role, its groups, its limits, and a login if it is given one.

The role of account ``li`` is ``person_li``. It cannot log in: the web logs in as itself and becomes that
role (``SET ROLE``). Only who needs SQL gets a password in the database, another than that of the account.
Functions on an open connection of role ``ecg_registry``, which makes these roles; the caller commits, the
role together with the account's rows.
"""

from collections.abc import Collection, Mapping
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
SELECT h.account, h.sql_login, h.disabled,
    ARRAY(SELECT DISTINCT p.kind FROM ecg.position AS p WHERE p.account = h.account),
    r.oid IS NOT NULL, coalesce(pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'), false)
FROM ecg.person AS h LEFT JOIN pg_roles AS r ON r.rolname = 'person_' || h.account WHERE h.account = ANY(%s)
"""
_GROUPS: LiteralString = """
SELECT r.rolname, g.rolname FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
JOIN pg_roles AS r ON r.oid = m.member WHERE r.rolname = ANY(%s)
"""

_OPEN: LiteralString = """
SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE (n.nspname, p.proname) IN (('pg_catalog', 'pg_advisory_lock'), ('_timescaledb_functions', 'drop_chunk'))
    AND has_function_privilege('ecg_reader', p.oid, 'EXECUTE')
"""


def role_of(account: str) -> str:
    """Return the name of an account's role.

    >>> role_of("li")
    'person_li'
    """
    return f"person_{account}"


def follow(connection: psycopg.Connection, accounts: Collection[str]) -> None:
    """Bring the roles of accounts to what the registry says of them; make those that are not there.

    Many at once, for after every grant the server looks through all roles again.

    Raises:
        RegistryError: a role of this name is not the registry's to change, or has rights from elsewhere.
    """
    new: list[str] = []
    stands: dict[str, list[Kind]] = {}
    logins: set[str] = set()
    for account, sql_login, disabled, kinds, there, ours in connection.execute(_STATE, (list(accounts),)):
        role = role_of(account)
        if there and not ours:
            raise RegistryError(f"the database has a role {role} that the registry did not make")
        if not there:
            new.append(role)
        stands[role] = [] if disabled else [Kind(kind) for kind in kinds]
        if sql_login:
            logins.add(role)
    for role in new:
        _run(connection, "CREATE ROLE {role} ROLE ecg_web", role)  # which may become it, and inherits nothing
    _join(connection, {role: {f"ecg_{kind}" for kind in kinds} for role, kinds in stands.items()})
    for role, kinds in stands.items():
        if role in logins:
            _limit(connection, role, kinds)
        elif role not in new:
            _run(connection, "ALTER ROLE {role} NOLOGIN PASSWORD NULL", role)


def _join(connection: psycopg.Connection, wanted: Mapping[str, set[str]]) -> None:
    """Make each role a member of the groups that are wanted, and of no other."""
    held = _groups(connection, wanted)
    for group in (f"ecg_{kind}" for kind in Kind):
        leave = [role for role in wanted if group in held[role] - wanted[role]]
        join = [role for role in wanted if group in wanted[role] - held[role]]
        if leave:
            _run(connection, "REVOKE {group} FROM {role}", *leave, group=sql.Identifier(group))
        if join:
            grant: LiteralString = "GRANT {group} TO {role} WITH INHERIT TRUE, SET FALSE"
            _run(connection, grant, *join, group=sql.Identifier(group))
    for role, groups in _groups(connection, wanted).items():
        if groups != wanted[role]:
            left = ", ".join(sorted(groups - wanted[role]))
            raise RegistryError(f"role {role} is in {left} by somebody else's grant: revoke that first")


def _groups(connection: psycopg.Connection, roles: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {role: set() for role in roles}
    for role, group in connection.execute(_GROUPS, (list(roles),)):
        found[role].add(group)
    return found


def _limit(connection: psycopg.Connection, role: str, kinds: Collection[Kind]) -> None:
    """Set the limits of a login; what it has set for itself goes."""
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
        setting = {"name": sql.Identifier(name), "value": sql.Literal(value)}
        _run(connection, "ALTER ROLE {role} SET {name} = {value}", role, **setting)


def let_in(connection: psycopg.Connection, account: str, password: str) -> None:
    """Let a role log in by itself. The server gets to know what verifies the password, not the password.

    Raises:
        RegistryError: with SQL it could do harm, since only a superuser can close what PostgreSQL and
            TimescaleDB leave open to everybody.
    """
    if connection.execute(_OPEN).fetchone() is not None:
        raise RegistryError(
            "the database lets every login stop the sink or drop data: docs/access.md says what a superuser"
            " has to do first"
        )
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
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (role,)
        ).fetchall()
        _run(connection, "REVOKE {role} FROM ecg_registry GRANTED BY ecg_registry", role)
    return len(found)


def _run(
    connection: psycopg.Connection, statement: LiteralString, *roles: str, **parts: sql.Composable
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, roles))
    connection.execute(sql.SQL(statement).format(role=names, **parts))
