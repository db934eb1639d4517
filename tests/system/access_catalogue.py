"""What there is in a database, and who has which right on it: from the catalogue alone."""

from __future__ import annotations

from collections import defaultdict
from typing import LiteralString

import psycopg

LETTERS = {
    "SELECT": "S",
    "INSERT": "I",
    "UPDATE": "U",
    "DELETE": "D",
    "TRUNCATE": "T",
    "REFERENCES": "R",
    "TRIGGER": "G",
    "MAINTAIN": "M",
    "EXECUTE": "E",
    "USAGE": "use",
    "CREATE": "create",
    "CONNECT": "connect",
    "TEMPORARY": "temp",
}

# All that is neither the system's nor an extension's. A chunk is looked at beside its table (CHUNKS).
_OBJECTS: LiteralString = """
WITH space AS (
    SELECT oid, nspname AS name, nspowner, nspacl FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
),
found (catalogue, oid, name, owner, acl, kind) AS (
    SELECT 'pg_class'::regclass, c.oid, s.name || '.' || c.relname, c.relowner, c.relacl,
        CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END
    FROM pg_class AS c JOIN space AS s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, s.name || '.' || p.proname || '()', p.proowner, p.proacl, 'f'
    FROM pg_proc AS p JOIN space AS s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 'type ' || s.name || '.' || t.typname, t.typowner, t.typacl, 'T'
    FROM pg_type AS t JOIN space AS s ON s.oid = t.typnamespace LEFT JOIN pg_class AS c ON c.oid = t.typrelid
    WHERE t.typcategory <> 'A' AND (c.oid IS NULL OR c.relkind = 'c')
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 'schema ' || name, nspowner, nspacl, 'n' FROM space
    UNION ALL
    SELECT 'pg_database'::regclass, oid, 'database', datdba, datacl, 'd'
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, oid, 'event trigger ' || evtname, evtowner, NULL, 'r'
    FROM pg_event_trigger
    UNION ALL
    SELECT 'pg_publication'::regclass, oid, 'publication ' || pubname, pubowner, NULL, 'r' FROM pg_publication
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, oid, 'wrapper ' || fdwname, fdwowner, fdwacl, 'F'
    FROM pg_foreign_data_wrapper
    UNION ALL
    SELECT 'pg_default_acl'::regclass, oid, 'default rights ' || oid, defaclrole, NULL, 'r'
    FROM pg_default_acl
    UNION ALL
    SELECT 'pg_largeobject_metadata'::regclass, oid, 'large object ' || oid, lomowner, lomacl, 'L'
    FROM pg_largeobject_metadata
)
SELECT o.name, coalesce(r.rolname, 'everybody'), g.privilege_type, NULL
FROM found AS o LEFT JOIN LATERAL aclexplode(coalesce(o.acl, acldefault(o.kind::"char", o.owner))) AS g
    ON g.grantee <> o.owner
LEFT JOIN pg_roles AS r ON r.oid = g.grantee
WHERE NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = o.catalogue AND d.objid = o.oid AND d.deptype = 'e')
"""
_COLUMNS: LiteralString = """
SELECT n.nspname || '.' || c.relname, coalesce(r.rolname, 'everybody'), g.privilege_type, a.attname
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(a.attacl) AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee
WHERE n.nspname IN ('ecg', 'api', 'public') AND g.grantee <> c.relowner ORDER BY a.attnum
"""
_POLICIES: LiteralString = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relrowsecurity
"""

CHUNKS: LiteralString = """
SELECT i.inhrelid::regclass::text, i.inhparent::regclass::text, i.inhrelid::oid
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE c.relkind IN ('r', 'f') ORDER BY 1
"""


def rights(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Return object to role to what it may, as docs/access.md writes it; owners are left out.

    What is nobody's but its owner's is in here too. "own rule": row-level security.
    """
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    columns: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, role, privilege, _ in connection.execute(_OBJECTS):
        held = found[name]
        if privilege is not None:
            held[role].append(LETTERS[privilege])
    for name, role, privilege, column in connection.execute(_COLUMNS):
        columns[name, role, LETTERS[privilege]].append(column)
    for (name, role, letter), names in columns.items():
        found[name][role].append(f"{letter} ({', '.join(names)})")
    for (name,) in connection.execute(_POLICIES):
        found[name]["own rule"].append("yes")
    order = [*LETTERS.values(), "yes"]
    return {
        name: {
            role: " ".join(sorted(held, key=lambda right: order.index(right.split()[0])))
            for role, held in roles.items()
        }
        for name, roles in found.items()
    }


def groups(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Return role ``ecg_*`` to its attributes and what it is in, as docs/access.md writes them."""
    rows = connection.execute(
        "SELECT r.rolname, concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' END,"
        "  CASE WHEN r.rolsuper OR r.rolbypassrls OR r.rolcreatedb OR r.rolreplication THEN 'DANGEROUS' END,"
        "  CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END),"
        " ARRAY(SELECT g.rolname || CASE WHEN m.admin_option THEN ' (admin)' ELSE '' END"
        "   FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid"
        "   WHERE m.member = r.oid AND g.rolname !~ '^person_' ORDER BY 1)"
        " FROM pg_roles AS r WHERE r.rolname ~ '^ecg_'"
    )
    return {role: {"attributes": attributes, "in": ", ".join(member)} for role, attributes, member in rows}
