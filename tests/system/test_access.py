"""Who sees what: docs/access.md against the catalogue of a database, and against real logins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from ecgstream.registry import people
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import LIMITS, Kind
from ecgstream.store.connection import connect
from tests.system import access_catalogue as catalogue
from tests.system.access_document import NO_SUCH_ROW, differences, kinds, table
from tests.system.access_world import (
    DAY,
    DAY0,
    DEVICES,
    END,
    MINUTE,
    MOVE,
    OWN,
    ROOT,
    STRETCHES,
    Stretch,
    World,
    insert,
    made_world,
)

# View to what tells of which relation a row is, and to the table it is made of.
KEYS: dict[str, tuple[LiteralString, LiteralString]] = {
    "trace_blocks": ("device, time", "trace"),
    "beats": ("device, time", "beat"),
    "rhythms": ("device, time", "rhythm"),
    "vitals": ("device, time", "vital"),
    "segments": ("device, time", "segment"),
    "controls": ("device, time", "control"),
    "trends": ("device, time", "trend"),
    "trends_hourly": ("device, time", "trend_hour"),
    "conditions": ("device, onset", "condition"),
    "alerts": ("device, onset", "alert"),
    "judgements": ("device, onset", "judgement"),
    "clock_corrections": ("device, time", "clock_correction"),
    "devices": ("device", "device"),
    "device_health": ("device", "device"),
    "patients": ("patient", "patient"),
    "identifiers": ("patient", "identifier"),
    "associations": ("device, patient", "association"),
    "limits": ("patient, said_at", "limit_change"),
    "shares": ("patient", "share"),
    "reports": ("patient, since", "report"),
}
LONG = ("trace_blocks", "trends", "trends_hourly")
"""Views whose rows stand for more than a moment: left of a slash in a cell."""
HOUR = 60 * MINUTE
PLACES = {"H": "own", "C": "child", "S": "sibling", "P": "parent", "W": "above", "Q": "far", "": "nowhere"}


@pytest.fixture(scope="module", params=["plain", "timescale"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with made_world(request) as made:
        yield made


@pytest.fixture(scope="module")
def owner(world: World) -> Iterator[psycopg.Connection]:
    """A superuser, who knows what there is."""
    with connect(world.url, autocommit=True) as connection:
        yield connection


# The document and the catalogue


def test_the_document_knows_everything_that_there_is(owner: psycopg.Connection) -> None:
    assert differences(owner) == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE TABLE ecg.extra (n int)", "ecg.extra"),
        ("CREATE TABLE public.extra (n int)", "public.extra"),
        ("CREATE VIEW api.extra AS SELECT 1 AS n", "api.extra"),
        ("CREATE MATERIALIZED VIEW api.extra AS SELECT 1 AS n", "api.extra"),
        ("CREATE SEQUENCE api.extra", "api.extra"),
        ("CREATE FUNCTION api.extra() RETURNS int RETURN 1", "api.extra()"),
        ("CREATE PROCEDURE ecg.extra() BEGIN ATOMIC END", "ecg.extra()"),
        ("CREATE TYPE ecg.extra AS ENUM ('a')", "type ecg.extra"),
        ("CREATE TYPE ecg.extra AS (n int)", "type ecg.extra"),
        ("CREATE DOMAIN api.extra AS int", "type api.extra"),
        ("CREATE SCHEMA extra", "schema extra"),
        ("CREATE ROLE ecg_extra", "ecg_extra"),
        ("CREATE PUBLICATION extra", "publication extra"),
        ("SELECT lo_create(0)", "large object"),
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA ecg GRANT SELECT ON TABLES TO ecg_reader", "default rights"),
        ("ALTER ROLE ecg_sink LOGIN", "ecg_sink"),
        ("GRANT ecg_sink TO ecg_web", "ecg_web"),
        ("GRANT SELECT ON ecg.beat TO ecg_reader", "ecg.beat"),
        ("GRANT SELECT (device) ON ecg.beat TO PUBLIC", "ecg.beat"),
        ("GRANT TRUNCATE ON ecg.change TO ecg_registry", "ecg.change"),
        ("GRANT USAGE ON SEQUENCE ecg.tell_id_seq TO ecg_web", "ecg.tell_id_seq"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "schema public"),
        ("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC", "database"),
        ("ALTER TABLE ecg.patient DISABLE ROW LEVEL SECURITY", "ecg.patient"),
        ("DROP VIEW api.beats", "api.beats"),
    ],
)
def test_what_the_document_does_not_know_is_found(
    owner: psycopg.Connection, statement: str, name: str
) -> None:
    made = statement.format(database=owner.info.dbname)
    with owner.transaction(force_rollback=True):
        owner.execute(made)
        assert [line for line in differences(owner) if line.startswith(name)], statement
    assert differences(owner) == []


def test_views_are_barriers_and_read_as_their_owner(owner: psycopg.Connection) -> None:
    """Without the barrier, or with its reader's rights, a view would go by other rules."""
    rows = owner.execute(
        "SELECT c.relname, c.reloptions, pg_get_userbyid(c.relowner) FROM pg_class AS c"
        " WHERE c.relnamespace = 'api'::regnamespace AND c.relkind = 'v'"
    ).fetchall()
    assert {name for name, *_ in rows} == {
        *KEYS,
        "trends_daily",
        "facilities",
        "people",
        "positions",
        "changes",
        "audit",
        "audit_state",
        "credentials",
        "walls",
        "consultations",
        "consultation_steps",
        "teaching_cases",
    }
    assert {(tuple(options), by) for _, options, by in rows} == {(("security_barrier=true",), "ecg_views")}


def test_a_chunk_has_the_rights_of_its_table(owner: psycopg.Connection, world: World) -> None:
    chunks = owner.execute(catalogue.CHUNKS).fetchall()
    assert bool(chunks) == world.has_chunks
    parents = Counter(parent for _, parent, _ in chunks)
    assert {parent for parent, n in parents.items() if n == 1} <= {"ecg.trend_hour"}, parents
    rows = owner.execute(
        "SELECT i.inhrelid::regclass::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
        " JOIN pg_class AS p ON p.oid = i.inhparent"
        " WHERE c.relkind = 'r' AND c.relacl::text IS DISTINCT FROM p.relacl::text"
    ).fetchall()
    assert rows == []


def test_the_limits_are_those_documented(world: World, owner: psycopg.Connection) -> None:
    limits = {
        kind: {
            "connections": str(of.connections),
            "statement_timeout": f"{of.statement_s} s",
            "lock_timeout": f"{of.lock_s} s",
            "idle_in_transaction_session_timeout": f"{of.idle_in_transaction_s} s",
        }
        for kind, of in LIMITS.items()
    }
    assert table("kind") == limits
    for kind in Kind:
        with world.login(kind) as login:
            for name, value in limits[kind].items():
                if name != "connections":
                    seconds = login.execute(
                        "SELECT extract(epoch FROM current_setting(%s)::interval)", (name,)
                    ).fetchone()
                    assert seconds == (int(value.removesuffix(" s")),), (kind, name)
            assert login.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        limit = owner.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", (world.role(kind),))
        assert limit.fetchone() == (LIMITS[kind].connections,)


# What people see


def relation_of(view: str, key: tuple[object, ...]) -> str:
    """Say of which relation a row of a view is."""
    columns = KEYS[view][0].split(", ")
    row = dict(zip(columns, key, strict=True))
    at = row.get("time") or row.get("onset") or row.get("since")
    found = [s for s in STRETCHES if _matches(s, row) and (at is None or at in s.moments)]
    if view in ("devices", "device_health"):
        found = [s for s in found if s.is_now]
    if view == "limits" and found and found[0].relation.startswith("shared") and _time(row["said_at"]) > END:
        return found[0].relation if found[0].patient == "p-next" else "shared, other time"
    return found[0].relation


def _matches(s: Stretch, row: dict[str, object]) -> bool:
    device, patient = row.get("device", s.device), row.get("patient", s.patient)
    return s.device == device and (s.patient == patient or patient is None)


def _time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def rows(
    connection: psycopg.Connection, schema: LiteralString, name: LiteralString, view: str
) -> Counter[str]:
    """Count the rows that a connection sees, by relation."""
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(KEYS[view][0]), sql.Identifier(schema, name))
    return Counter(relation_of(view, key) for key in connection.execute(query))


def cell(view: str, relation: str) -> str:
    """Return what the document says of a view and a relation."""
    (column,) = [c for c in table("relation")[relation] if view in c.split()]
    parts = table("relation")[relation][column].split("/")
    return (parts[0] if view in LONG else parts[-1]).strip()


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(InsufficientPrivilege):
        yield


def test_every_relation_is_in_the_matrix_and_has_rows(owner: psycopg.Connection) -> None:
    assert {*table("relation")} == {s.relation for s in STRETCHES}
    for view in KEYS:
        there = rows(owner, "ecg", KEYS[view][1], view)
        said = {relation for relation in table("relation") if cell(view, relation) != NO_SUCH_ROW}
        assert {*there} == said, view


@pytest.mark.parametrize("kind", Kind)
def test_at_a_facility_people_see_what_the_matrix_says(
    world: World, owner: psycopg.Connection, kind: Kind
) -> None:
    with world.login(kind) as login:
        for view, (_, base) in KEYS.items():
            cells = {relation: cell(view, relation) for relation in table("relation")}
            if not any(kind in kinds(c) for c in cells.values() if c != NO_SUCH_ROW):
                with refused():
                    rows(login, "api", view, view)
                continue
            there = rows(owner, "ecg", base, view)
            if view == "shares":
                there["shared"] = 1  # of one to each kind
            wanted = {r: there[r] for r, c in cells.items() if c != NO_SUCH_ROW and kind in kinds(c)}
            assert rows(login, "api", view, view) == wanted, view


@pytest.mark.parametrize("kind", Kind)
def test_at_the_root_people_see_all_as_their_childs(
    world: World, owner: psycopg.Connection, kind: Kind
) -> None:
    with world.login(kind, ROOT) as login:
        for view, (_, base) in KEYS.items():
            if kind in kinds(cell(view, "child")):
                assert rows(login, "api", view, view) == rows(owner, "ecg", base, view), view
            elif kind is Kind.EXPERT and "x" in cell(view, "shared"):
                assert not rows(login, "api", view, view), view
            else:
                with refused():
                    rows(login, "api", view, view)


FUNCTIONS: dict[str, tuple[LiteralString, LiteralString]] = {
    "trace_blocks": (
        "SELECT count(*) FROM api.trace(%s, 'ECG', %s, %s)",
        "SELECT count(*) FROM api.trace_blocks WHERE device = %s",
    ),
    "trends": (
        "SELECT sum(n) FROM api.trend(%s, %s::timestamptz + interval '1 s', %s, '1 d')",
        "SELECT sum(n) FROM api.trends WHERE device = %s",
    ),
    "trends_hourly": (
        "SELECT sum(n) FROM api.trend(%s, %s, %s, '1 d')",
        "SELECT sum(n) FROM api.trends_hourly WHERE device = %s",
    ),
}
"""View to a function over it, of all times, and what that must give."""


@pytest.mark.parametrize("kind", Kind)
def test_functions_show_what_the_views_show(world: World, kind: Kind) -> None:
    with world.login(kind) as login:
        for view, (by_function, by_view) in FUNCTIONS.items():
            seen = 0
            for device in DEVICES:
                at = (DAY0 - 30 * DAY, DAY0 + 30 * DAY)
                if kind is Kind.OPERATOR or (kind is Kind.SERVICE and view == "trace_blocks"):
                    with refused():
                        login.execute(by_function, (device, *at))
                    continue
                (found,) = login.execute(by_function, (device, *at)).fetchone() or (None,)
                assert (found,) == login.execute(by_view, (device,)).fetchone(), (view, device)
                seen += bool(found)
            assert seen < len(DEVICES), view
            assert seen > 0 or kind in (Kind.OPERATOR, Kind.SERVICE), view


@pytest.mark.parametrize("kind", Kind)
def test_of_each_other_people_see_what_the_matrix_says(
    world: World, owner: psycopg.Connection, kind: Kind
) -> None:
    places: dict[str, str] = dict(owner.execute("SELECT account, facility FROM ecg.position").fetchall())

    def of(account: str) -> str:
        return "oneself" if account == world.account(kind) else PLACES[places.get(account, "")]

    queries: dict[str, tuple[LiteralString, LiteralString]] = {
        "facilities": ("SELECT code FROM api.facilities", "SELECT code FROM ecg.facility"),
        "people": ("SELECT account FROM api.people", "SELECT account FROM ecg.person"),
        "positions": ("SELECT account FROM api.positions", "SELECT account FROM ecg.position"),
        "changes": (
            "SELECT subpath(path, -1)::text FROM api.changes",
            "SELECT CASE WHEN path IS NULL THEN '' ELSE subpath(path, -1)::text END FROM ecg.change",
        ),
    }
    with world.login(kind) as login:
        for view, (seen, there) in queries.items():
            name = of if view in ("people", "positions") else PLACES.__getitem__
            cells = {relation: row[view] for relation, row in table("relation of people").items()}
            everything = Counter(name(key) for (key,) in owner.execute(there))
            assert {*everything} == {r for r, c in cells.items() if c != NO_SUCH_ROW}, view
            wanted = {r: everything[r] for r, c in cells.items() if c != NO_SUCH_ROW and kind in kinds(c)}
            if not wanted:
                with refused():
                    login.execute(seen)
                continue
            assert Counter(name(key) for (key,) in login.execute(seen)) == wanted, view


def test_what_belongs_nowhere_is_for_the_auditors_at_the_root(
    world: World, owner: psycopg.Connection
) -> None:
    query: LiteralString = "SELECT count(*) FROM {} WHERE path IS NULL"
    (n,) = owner.execute(query.format("ecg.change")).fetchone() or (0,)
    with world.login(Kind.AUDITOR, ROOT) as login:
        assert login.execute(query.format("api.changes")).fetchone() == (n,)
        assert n > 0


def test_nobody_sees_a_secret_of_the_registry(world: World) -> None:
    with world.login(Kind.AUDITOR, ROOT) as login:
        for before, after in login.execute("SELECT before, after FROM api.changes"):
            for image in (before, after):
                assert not {"password_hash", "sealed", "search", "key_digest"} & set(image or {})


def test_each_position_gives_its_own_view_of_its_own_place(world: World, owner: psycopg.Connection) -> None:
    """A clinic below, an operator above and an expert beside do not make a clinic of it all."""
    account = world.account("mixed")
    held = [(Kind.CLINIC, "C"), (Kind.OPERATOR, ROOT), (Kind.EXPERT, "S")]
    with connect(world.url, role="ecg_registry") as registry:
        people.add(registry, [Person(account, "One", tuple(Position(*p) for p in held))], "test")
        people.open_sql(registry, account, world.password, "test")
    with world.login("mixed") as login:
        for view, (_, base) in KEYS.items():
            there = rows(owner, "ecg", base, view)
            of_a_clinic = {"child": there["child"]}
            assert rows(login, "api", view, view) == (there if view == "devices" else of_a_clinic), view
        people_seen = login.execute("SELECT FROM api.people").rowcount
    (n,) = owner.execute("SELECT count(DISTINCT account) FROM ecg.position").fetchone() or (0,)
    assert people_seen == n


def test_the_hour_in_which_a_device_moves_is_of_neither_place(world: World) -> None:
    """And a day is made of the hours that its reader sees."""
    code, before = 148066, MOVE - 2 * HOUR
    hours = {before: 1, MOVE - HOUR / 2: 2, MOVE: 3, MOVE + HOUR: 4}
    with connect(world.url, role="ecg_housekeeping") as housekeeping:
        for at, mean in hours.items():
            made = {"time": at, "code": code, "parts": 60, "n": 60, "mean": mean}
            insert(housekeeping, "trend_hour", device="d-away", **made)
    seen: LiteralString = "SELECT time, mean FROM api.{} WHERE code = %s ORDER BY time"
    day = before.replace(hour=0)
    for at, hourly, daily in (
        (OWN, [(before, 1)], [(day, 1)]),
        ("S", [(MOVE, 3), (MOVE + HOUR, 4)], [(MOVE, 3.5)]),
    ):
        with connect(world.url, role=world.role(Kind.CLINIC, at)) as login:
            assert login.execute(seen.format("trends_hourly"), (code,)).fetchall() == hourly
            assert login.execute(seen.format("trends_daily"), (code,)).fetchall() == daily
    with connect(world.url, role="ecg_housekeeping") as housekeeping:
        housekeeping.execute("DELETE FROM ecg.trend_hour WHERE code = %s", (code,))
