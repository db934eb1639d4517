"""What a database holds and shows, as something that can be compared."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from tests.system.access_world import OWN, ROOT, World

Content = dict[str, tuple[list[str], list[tuple[Any, ...]]]]
"""Relation to its columns and its rows, in an order of their own."""


def relations(connection: psycopg.Connection, schema: str, kinds: str) -> list[str]:
    """Return the names of a schema's tables ("r") or views ("v")."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = ANY(%s) ORDER BY 1",
        (schema, list(kinds)),
    )
    return [name for (name,) in found]


def content(
    connection: psycopg.Connection, schema: str, names: list[str], columns: dict[str, list[str]] | None = None
) -> Content:
    """Return what relations hold: in all their columns, or in those that are named."""
    found = {}
    for name in names:
        wanted = sql.SQL(", ").join(map(sql.Identifier, (columns or {}).get(name, []))) or sql.SQL("*")
        query = sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier(schema, name))
        cursor = connection.execute(query)
        assert cursor.description is not None
        found[name] = [c.name for c in cursor.description], sorted(cursor.fetchall(), key=repr)
    return found


def visible(
    world: World, url: str, columns: dict[str, dict[str, list[str]]] | None = None
) -> dict[str, Content]:
    """Return what people see: who to view to rows; or in the views and columns that are named."""
    found = {}
    for kind in Kind:
        for at in (OWN, ROOT):
            who = f"{kind} {at}"
            with connect(url, role=world.role(kind, at)) as reader:
                names = [
                    view
                    for view in relations(reader, "api", "v")
                    if reader.execute("SELECT has_table_privilege(%s, 'SELECT')", (f"api.{view}",)).fetchone()
                    == (True,)
                ]
                known = (columns or {}).get(who)
                found[who] = content(reader, "api", [n for n in names if known is None or n in known], known)
    return found


_STRUCTURE: tuple[LiteralString, ...] = (
    "SELECT pg_get_indexdef(indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
    " WHERE c.relnamespace = 'ecg'::regnamespace",
    "SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'ecg'::regnamespace",
    "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = 'ecg'::regnamespace AND NOT tgisinternal",
    # Bodies of views and of functions in SQL are written anew at a restore: what they give is compared.
    "SELECT concat_ws(' ', oid::regprocedure, pg_get_function_result(oid), prosrc, prosecdef, provolatile,"
    " proconfig::text, proacl::text) FROM pg_proc WHERE pronamespace::regnamespace::text IN ('ecg', 'api')",
    "SELECT concat_ws(' ', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies",
    "SELECT concat_ws(' ', relname, reloptions::text, pg_get_userbyid(relowner), relacl::text) FROM pg_class"
    " WHERE relnamespace::regnamespace::text IN ('ecg', 'api')",
    # What a person may call: of PostgreSQL's own functions and of TimescaleDB's, too.
    "SELECT oid::regprocedure::text FROM pg_proc WHERE has_function_privilege('ecg_reader', oid, 'EXECUTE')"
    " AND (prosecdef OR pronamespace <> 'pg_catalog'::regnamespace OR proname ~ '^lo_|advisory')",
)


def structure(connection: psycopg.Connection) -> list[list[str]]:
    """Return keys, triggers, functions, policies, rights and owners of what is ours, as text."""
    return [sorted(text for (text,) in connection.execute(query)) for query in _STRUCTURE]
