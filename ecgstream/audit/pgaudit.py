"""Whether what a login reads with SQL comes into the server's log, as docs/audit.md asks for."""

from typing import Any, LiteralString

import psycopg

WANTED = {
    "logging_collector": "on",
    "pgaudit.log_relation": "on",
    "pgaudit.log_statement": "off",
    "pgaudit.log_parameter": "off",
    "pgaudit.log_rows": "off",
}
"""Of all logins alike; with ``log_rows`` a read would be told at a statement's end, if it comes to one."""
_SETTINGS: LiteralString = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_LOGGED: LiteralString = """
SELECT split_part(s, '=', 2) FROM pg_db_role_setting AS d, unnest(d.setconfig) AS s
WHERE d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND d.setrole IN (0, coalesce(to_regrole(%s)::oid, 0)) AND s LIKE 'pgaudit.log=%%'
ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1
"""
_WHERE = "docs/audit.md says what a superuser sets"


def lacking(connection: psycopg.Connection[Any], role: str) -> str:
    """Return why what a login reads would not come into the log, and what to do; empty: it does."""
    names = [*WANTED, "log_destination", "pgaudit.log"]
    found = dict(connection.execute(_SETTINGS, (names,)).fetchall())
    if "pgaudit.log" not in found:  # a mere name in the configuration is no setting that the server knows
        return f"the database's server has no pgaudit in shared_preload_libraries: {_WHERE}"
    if "jsonlog" not in found.get("log_destination", ""):
        return f"log_destination has no jsonlog: {_WHERE}"
    for name, wanted in WANTED.items():
        if found.get(name) != wanted:
            return f"{name} is not {wanted}: {_WHERE}"
    row = connection.execute(_LOGGED, (role,)).fetchone()
    logged = {word.strip() for word in row[0].split(",")} if row else set()
    if (not {"read", "write"} <= logged and "all" not in logged) or logged & {"-read", "-write"}:
        return f"pgaudit.log of the database is not 'read, write' for {role}: {_WHERE}"
    return ""
