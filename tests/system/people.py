"""People and places for tests that read what people read."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ecgstream.store.connection import connect

ROOT = "ROOT"


def root(connection: psycopg.Connection) -> None:
    """Make a tree of one facility, unless there is one."""
    connection.execute(
        "INSERT INTO ecg.facility (code, path, level, kind, name_en, name_zh, time_zone, changed_by)"
        " SELECT %(code)s::text, %(code)s::text::ltree, 1, 'authority', 'All', '', 'UTC', 'test'"
        " WHERE NOT EXISTS (SELECT FROM ecg.facility)",
        {"code": ROOT},
    )


def person(url: str, kind: str, facility: str = ROOT, account: str = "") -> str:
    """Make an account with one position; return its role in the database.

    Roles belong to the whole server, so that one of an earlier test serves again.
    """
    account = account or f"test_{kind}"
    role = f"person_{account}"
    with connect(url) as connection:
        root(connection)
        connection.execute(
            "INSERT INTO ecg.person (account, name, changed_by) VALUES (%s, 'Test', 'test')"
            " ON CONFLICT DO NOTHING",
            (account,),
        )
        connection.execute(
            "INSERT INTO ecg.position (account, kind, facility, changed_by) VALUES (%s, %s, %s, 'test')"
            " ON CONFLICT DO NOTHING",
            (account, kind, facility),
        )
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} ROLE ecg_web").format(sql.Identifier(role)))
        grant = sql.SQL("GRANT {} TO {} WITH INHERIT TRUE, SET FALSE")  # as the registry does it
        connection.execute(grant.format(sql.Identifier(f"ecg_{kind}"), sql.Identifier(role)))
    return role
