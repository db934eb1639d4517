"""People: accounts, how they log in, and what they are at which facility.

Functions on an open connection of role ``ecg_registry``; the caller commits. An account's role in the
database follows in the same transaction (``roles``); what it sees follows from its positions by triggers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from ecgstream.registry import facility_store, passwords, rights, roles, text
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.roles import Kind

# OpenID Connect Core 1.0, 2: the issuer is an https URL without query and fragment; the subject has at most
# 255 ASCII characters.
_ISSUER = re.compile(r"https://[!-~]+")
_SUBJECT = re.compile(r"[!-~]{1,255}")

_LOAD: LiteralString = """
SELECT h.account, h.name, h.password_hash IS NOT NULL, h.oidc_issuer, h.oidc_subject, h.sql_login, h.disabled,
    (SELECT coalesce(array_agg(ARRAY[p.kind, p.facility] ORDER BY p.facility, p.kind), '{}')
     FROM ecg.position AS p WHERE p.account = h.account)
FROM ecg.person AS h
WHERE (%(account)s::text IS NULL OR h.account = %(account)s)
    AND (%(under)s::text IS NULL AND %(kind)s::text IS NULL OR EXISTS (
        SELECT FROM ecg.position AS p JOIN ecg.facility AS f ON f.code = p.facility
        WHERE p.account = h.account AND (%(kind)s::text IS NULL OR p.kind = %(kind)s)
            AND (%(under)s::text IS NULL
                 OR f.path <@ (SELECT path FROM ecg.facility WHERE code = %(under)s))))
ORDER BY h.account
"""


class Position(NamedTuple):
    """What somebody is where."""

    kind: Kind
    facility: str


class Oidc(NamedTuple):
    """Who somebody is at an OpenID Connect provider."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account. ``password``: whether it has one; ``sql_login``: whether its role may log in by itself."""

    account: str
    name: str
    positions: tuple[Position, ...] = ()
    oidc: Oidc | None = None
    password: bool = False
    sql_login: bool = False
    disabled: bool = False


def load(
    connection: psycopg.Connection,
    *,
    account: str | None = None,
    under: str | None = None,
    kind: Kind | None = None,
) -> list[Person]:
    """Return accounts by name: all, or one, or those with a position at or below a facility, or of a kind."""
    rows = connection.execute(_LOAD, {"account": account, "under": under, "kind": kind})
    return [
        Person(
            account=account,
            name=name,
            positions=tuple(Position(Kind(kind), facility) for kind, facility in positions),
            oidc=None if issuer is None else Oidc(issuer, subject),
            password=password,
            sql_login=sql_login,
            disabled=disabled,
        )
        for account, name, password, issuer, subject, sql_login, disabled, positions in rows
    ]


def get(connection: psycopg.Connection, account: str) -> Person:
    """Return an account.

    Raises:
        RegistryError: there is none of this name.
    """
    found = load(connection, account=text.account(account))
    if not found:
        raise RegistryError(f"there is no account {account}")
    return found[0]


def oidc(issuer: str, subject: str) -> Oidc | None:
    """Return who somebody is at a provider, ``None`` where both texts are empty.

    Raises:
        RegistryError: one of them is missing, or not what OpenID Connect allows.
    """
    issuer, subject = issuer.strip(), subject.strip()
    if not issuer and not subject:
        return None
    if not _ISSUER.fullmatch(issuer) or "?" in issuer or "#" in issuer or len(issuer) > text.LONGEST:
        raise RegistryError(
            f"oidc_issuer: {text.shown(issuer)} is no https address as https://login.example is"
        )
    if not _SUBJECT.fullmatch(subject):
        raise RegistryError("oidc_subject: it has 1 to 255 printable ASCII characters without space")
    return Oidc(issuer, subject)


def add(connection: psycopg.Connection, persons: Sequence[Person], by: str) -> None:
    """Add accounts with their positions; they have no password yet.

    Raises:
        RegistryError: one is there, or a facility is not, or ``by`` may not do this there.
    """
    for person in persons:
        account, name = text.account(person.account), text.clean(person.name, "name")
        if load(connection, account=account):
            raise RegistryError(f"account {account} is there already: `ecgstream person set` changes it")
        if not person.positions:
            _require_root(connection, by)
        _check_oidc(connection, account, person.oidc)
        connection.execute(
            "INSERT INTO ecg.person (account, name, oidc_issuer, oidc_subject, changed_by)"
            " VALUES (%s, %s, %s, %s, %s)",
            (account, name, *(person.oidc or (None, None)), by),
        )
        for position in person.positions:
            _place(connection, account, position, by)
    roles.follow(connection, [person.account for person in persons])


def change(connection: psycopg.Connection, account: str, *, name: str, oidc: Oidc | None, by: str) -> None:
    """Change an account's name and who it is at a provider.

    Raises:
        RegistryError: the provider's subject is somebody else's, or ``by`` may not do this.
    """
    _require_over(connection, account, by)
    _check_oidc(connection, account, oidc)
    connection.execute(
        "UPDATE ecg.person SET name = %s, oidc_issuer = %s, oidc_subject = %s, changed_by = %s,"
        " changed_at = clock_timestamp() WHERE account = %s",
        (text.clean(name, "name"), *(oidc or (None, None)), by, account),
    )


def place(connection: psycopg.Connection, positions: Sequence[tuple[str, Position]], by: str) -> None:
    """Give accounts positions that they do not hold.

    Raises:
        RegistryError: one holds it, a facility is not there, or ``by`` may not do this there.
    """
    for account, position in positions:
        if position in get(connection, account).positions:
            raise RegistryError(f"account {account} is {position.kind} at {position.facility} already")
        _place(connection, account, position, by)
    roles.follow(connection, {account for account, _ in positions})


def _place(connection: psycopg.Connection, account: str, position: Position, by: str) -> None:
    facility_store.path(connection, position.facility)  # or say that there is none
    rights.require(connection, by, (Kind.OPERATOR,), position.facility)
    connection.execute(
        "INSERT INTO ecg.position (account, kind, facility, changed_by) VALUES (%s, %s, %s, %s)",
        (account, *position, by),
    )


def displace(connection: psycopg.Connection, account: str, position: Position, by: str) -> None:
    """Take a position away, and with it at once what it let the account see.

    Raises:
        RegistryError: the account does not hold it, or ``by`` may not do this there.
    """
    if position not in get(connection, account).positions:
        raise RegistryError(f"account {account} is not {position.kind} at {text.shown(position.facility)}")
    rights.require(connection, by, (Kind.OPERATOR,), position.facility)
    connection.execute("SELECT set_config('ecg.acting', %s, true)", (by,))
    connection.execute(
        "DELETE FROM ecg.position WHERE (account, kind, facility) = (%s, %s, %s)", (account, *position)
    )
    roles.follow(connection, [account])


def disable(connection: psycopg.Connection, account: str, by: str) -> None:
    """Take all access away at once; positions and password stay, a login with SQL goes.

    Call ``roles.end_sessions`` after the commit.
    """
    if get(connection, account).disabled:
        raise RegistryError(f"account {account} is disabled already")
    _update(connection, account, "disabled = true, sql_login = false", (), by)


def enable(connection: psycopg.Connection, account: str, by: str) -> None:
    """Give back what ``disable`` took away, but a login with SQL."""
    if not get(connection, account).disabled:
        raise RegistryError(f"account {account} is not disabled")
    _update(connection, account, "disabled = false", (), by)


def set_password(connection: psycopg.Connection, account: str, password: str | None, by: str) -> None:
    """Set the password of an account, or take it away.

    Raises:
        RegistryError: the password is not accepted, or ``by`` may not do this.
    """
    get(connection, account)
    kept = None if password is None else passwords.hashed(passwords.accepted(password, account))
    _update(connection, account, "password_hash = %s", (kept,), by)


def open_sql(connection: psycopg.Connection, account: str, password: str, by: str) -> None:
    """Let an account log in to the database itself, with a password of its own there.

    Raises:
        RegistryError: the password is not accepted, the account is disabled or has no position, or ``by`` may
            not do this.
    """
    person = get(connection, account)
    if person.disabled or not person.positions:
        raise RegistryError(f"account {account} {'is disabled' if person.disabled else 'has no position'}")
    chosen = passwords.accepted(password, account)
    _update(connection, account, "sql_login = true", (), by)
    roles.let_in(connection, account, chosen)


def close_sql(connection: psycopg.Connection, account: str, by: str) -> None:
    """Take an account's login to the database away. Call ``roles.end_sessions`` after the commit.

    Raises:
        RegistryError: it has none, or ``by`` may not do this.
    """
    if not get(connection, account).sql_login:
        raise RegistryError(f"account {account} has no login with SQL")
    _update(connection, account, "sql_login = false", (), by)


def may_log_in(connection: psycopg.Connection, account: str) -> bool:
    """Return whether there is an account of this name that is not disabled; in role ``ecg_web``."""
    known = connection.execute("SELECT FROM api.credentials WHERE account = %s", (account,))
    return known.fetchone() is not None


def check_password(connection: psycopg.Connection, account: str, password: str) -> bool:
    """Return whether an enabled account has this password; it takes as long where there is no such account.

    A hash whose parameters are no longer those in use is made anew. About 0.1 s and 64 MiB a call.

    Args:
        connection: in role ``ecg_web``; the caller commits.
        account: what somebody typed.
        password: likewise.
    """
    known = (
        re.fullmatch(r"\w{1,50}", account, re.ASCII)
        and connection.execute(
            "SELECT password_hash FROM api.credentials WHERE account = %s", (account,)
        ).fetchone()
    )
    kept = known[0] if known else None
    if not passwords.matches(kept, password):
        return False
    if kept is not None and passwords.is_outdated(kept):
        connection.execute(
            "UPDATE api.credentials SET password_hash = %s, changed_by = account,"
            " changed_at = clock_timestamp() WHERE account = %s AND password_hash = %s",
            (passwords.hashed(password), account, kept),
        )
    return True


def _update(
    connection: psycopg.Connection, account: str, what: LiteralString, values: Sequence[object], by: str
) -> None:
    _require_over(connection, account, by)
    update = sql.SQL(
        "UPDATE ecg.person SET {what}, changed_by = %s, changed_at = clock_timestamp() WHERE account = %s"
    )
    connection.execute(update.format(what=sql.SQL(what)), (*values, by, account))
    roles.follow(connection, [account])


def _require_over(connection: psycopg.Connection, account: str, by: str) -> None:
    """Make sure that ``by`` is operator wherever the account stands: its password opens all of that."""
    stands = get(connection, account).positions
    for _, facility in stands:
        rights.require(connection, by, (Kind.OPERATOR,), facility)
    if not stands:
        _require_root(connection, by)


def _require_root(connection: psycopg.Connection, by: str) -> None:
    root = connection.execute("SELECT code FROM ecg.facility WHERE parent IS NULL").fetchone()
    if root is not None:
        rights.require(connection, by, (Kind.OPERATOR,), root[0])


def _check_oidc(connection: psycopg.Connection, account: str, oidc: Oidc | None) -> None:
    if (
        oidc is not None
        and connection.execute(
            "SELECT 1 FROM ecg.person WHERE oidc_issuer = %s AND oidc_subject = %s AND account <> %s",
            (*oidc, account),
        ).fetchone()
    ):
        raise RegistryError(f"the subject of account {account} at that issuer belongs to another account")
