"""What each role may do with each object, tried with real logins; and that services can do their work so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import (
    FeatureNotSupported,
    GeneratedAlways,
    InsufficientPrivilege,
    ObjectNotInPrerequisiteState,
    WrongObjectType,
)

from ecgstream.registry import people
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.roles import Kind
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrations
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import AlertState, Phase
from tests.system import made
from tests.system.access_catalogue import CHUNKS
from tests.system.access_document import Table, kinds, statements, table
from tests.system.access_world import World, made_world

SERVICES = {
    "ecg_sink": "sink_1",
    "ecg_registry": "registry_1",
    "ecg_housekeeping": "housekeeping_1",
    "ecg_web": "monitor_1",
}


@pytest.fixture(scope="module", params=["plain", "timescale"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with made_world(request) as found:
        yield found


@pytest.fixture(scope="module")
def logins(world: World) -> Iterator[dict[str, psycopg.Connection]]:
    """Role to a login with its rights: of services as the document makes them, of people one of each kind.

    ``ecg_views`` is nobody's login: a superuser becomes it, and has its rights only from then on.
    """
    text = statements("Logins of the services")
    names = {name: f"{name}_{world.mark}" for name in SERVICES.values()}
    for name, own in names.items():
        text = text.replace(name, own)
    with connect(world.url, autocommit=True) as owner:
        owner.execute(text)
        for own in names.values():
            owner.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(own), sql.Literal(world.password))
            )
        found = {role: world.login_as(names[name]) for role, name in SERVICES.items()}
        found |= {f"ecg_{kind}": world.login(kind) for kind in Kind}
        found["ecg_views"] = connect(world.url, role="ecg_views", autocommit=True)
        yield found
        for login in found.values():
            login.close()
        for own in names.values():
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(own)))


def relations() -> Table:
    """The tables, views and sequences of the document."""
    return {name: row for name, row in table("object").items() if "." in name and not name.endswith("()")}


def documented(role: str, row: dict[str, str]) -> str:
    if role in row:
        return row[role]
    return "S" if Kind(role.removeprefix("ecg_")) in kinds(row["people"]) else ""


def may(login: psycopg.Connection, statement: str, *names: str | tuple[str, ...]) -> bool:
    """Try a statement and undo it; return whether the login has the right, whatever else may be wrong."""
    parts = (sql.Identifier(*([name] if isinstance(name, str) else name)) for name in names)
    try:
        with login.transaction(force_rollback=True):
            login.execute("SET TRANSACTION READ WRITE")
            login.execute(sql.SQL(statement).format(*parts))
    except InsufficientPrivilege:
        return False
    except (ObjectNotInPrerequisiteState, FeatureNotSupported, GeneratedAlways, WrongObjectType):
        return False  # a view, or its column, that cannot be written whoever one is
    except psycopg.IntegrityError:
        return True
    return True


ROLES = ["ecg_views", *SERVICES, *(f"ecg_{kind}" for kind in Kind)]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_its_cells_say(
    world: World, logins: dict[str, psycopg.Connection], role: str
) -> None:
    login = logins[role]
    with connect(world.url) as owner:
        columns: dict[str, list[str]] = dict(owner.execute(COLUMNS).fetchall())
    for name, row in relations().items():
        if name.endswith("_seq"):
            assert not may(login, "SELECT last_value FROM {}", tuple(name.split(".")))
            assert not may(login, f"SELECT currval('{name}')")
            assert not may(login, f"SELECT nextval('{name}')")
        elif (role, name[:7]) != ("ecg_views", "ecg.my_"):  # its own
            assert tried(login, name, columns[name]) == documented(role, row), (role, name)


COLUMNS: LiteralString = """
SELECT n.nspname || '.' || c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('ecg', 'api') AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1
"""


def tried(login: psycopg.Connection, name: str, columns: list[str]) -> str:
    """What a login may do with a table or view, as the document writes it."""
    it = tuple(name.split("."))
    found = {
        "S": [c for c in columns if may(login, "SELECT {} FROM {} LIMIT 0", c, it)],
        "I": columns if may(login, "INSERT INTO {} DEFAULT VALUES", it) else [],
        "U": [c for c in columns if may(login, "UPDATE {} SET {} = DEFAULT WHERE false", it, c)],
        "D": columns if may(login, "DELETE FROM {} WHERE false", it) else [],
    }
    if it[0] == "ecg" and not it[1].startswith("my_"):
        assert not may(login, "TRUNCATE {} CASCADE", it)
        assert not may(login, "ALTER TABLE {} ADD extra int", it)
    return " ".join(
        letter if held == columns else f"{letter} ({', '.join(held)})"
        for letter, held in found.items()
        if held
    )


def test_the_sink_writes_with_its_login_and_new_chunks_are_as_their_tables(
    world: World, logins: dict[str, psycopg.Connection]
) -> None:
    found = [
        rows.OF[topics.BEATS.name](made.beats("d-sink", [250, 500]).encode()),
        rows.OF[topics.RHYTHMS.name](made.rhythm("d-sink").encode()),
        rows.OF[topics.TRENDS.name](made.trend("d-sink").encode()),
        rows.OF[topics.SEGMENTS.name](encode(made.segment("d-sink"))),
        rows.OF[topics.CONDITIONS.name](encode(made.condition("d-sink", Phase.ONSET, 1000))),
        rows.OF[topics.ALERTS.name](encode(made.alert("d-sink", AlertState.ACTIVE, 5, 1))),
    ]
    builder = TraceBuilder()
    with closing(Writer(world.login_as(logins["ecg_sink"].info.user))) as writer:
        for seq in range(25):
            bundle = Bundle.decode(made.bundle(["d-sink"], seq))
            builder.add(bundle, (topics.INGEST.name, 0), seq)
            writer.write([rows.of_bundle(bundle, seq)], builder.take())
        for _ in range(2):  # the second time as an update
            writer.write(found, builder.drain())
    tables = ("device", "session", "trace", "beat", "rhythm", "vital", "trend", "hour_due")
    tables += ("segment", "condition", "alert")
    with connect(world.url) as owner:
        for name in tables:
            query = sql.SQL("SELECT FROM ecg.{} WHERE device = 'd-sink'").format(sql.Identifier(name))
            assert owner.execute(query).rowcount > 0, name
        chunks = owner.execute(CHUNKS).fetchall()
    assert bool(chunks) == world.has_chunks
    for chunk, parent, _ in chunks:
        it = tuple(chunk.replace('"', "").split("."))
        for role, login in logins.items():
            rights = documented(role, relations()[parent])  # of columns, a chunk has none
            reads = rights.startswith("S") and not rights.startswith("S (")
            assert may(login, "SELECT FROM {} LIMIT 0", it) == reads, (role, chunk)
            assert may(login, "DELETE FROM {} WHERE false", it) == ("D" in rights.split()), (role, chunk)
            assert not may(login, "DROP TABLE {}", it), (role, chunk)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("ecg_sink", "SET ROLE ecg_registry"),
        ("ecg_sink", "SET ROLE ecg_views"),
        ("ecg_sink", "SELECT * FROM api.alerts"),
        ("ecg_sink", "CREATE TABLE ecg.mine (n int)"),
        ("ecg_sink", "CREATE FUNCTION ecg.at_ns(text) RETURNS int RETURN 1"),
        ("ecg_sink", "CREATE TRIGGER t AFTER INSERT ON ecg.beat EXECUTE FUNCTION ecg.wake_teller()"),
        ("ecg_registry", "SET ROLE ecg_sink"),
        ("ecg_registry", "SET ROLE ecg_clinic"),
        ("ecg_registry", "SET ROLE {person}"),
        ("ecg_registry", "GRANT ecg_sink TO CURRENT_USER"),
        ("ecg_registry", "GRANT ecg_views TO CURRENT_USER"),
        ("ecg_registry", "GRANT ecg_sink TO {person}"),
        ("ecg_registry", "GRANT pg_read_all_data TO {person}"),
        ("ecg_registry", "CREATE ROLE x SUPERUSER"),
        ("ecg_registry", "CREATE ROLE x BYPASSRLS"),
        ("ecg_registry", "ALTER ROLE ecg_views LOGIN"),
        ("ecg_registry", "ALTER ROLE ecg_web LOGIN"),
        ("ecg_registry", "UPDATE ecg.change SET account = 'x'"),
        ("ecg_registry", "SELECT * FROM api.credentials"),
        ("ecg_housekeeping", "SET ROLE ecg_sink"),
        ("ecg_housekeeping", "SET ROLE ecg_views"),
        ("ecg_housekeeping", "SELECT data FROM ecg.trace"),
        ("ecg_housekeeping", "SELECT code FROM ecg.beat"),
        ("ecg_housekeeping", "SELECT patient FROM ecg.alert"),
        ("ecg_housekeeping", "SELECT * FROM api.alerts"),
        ("ecg_housekeeping", "SELECT * FROM ecg.patient"),
        ("ecg_housekeeping", "UPDATE ecg.alert SET state = 'ENDED'"),
        ("ecg_housekeeping", "TRUNCATE ecg.trend"),
        ("ecg_housekeeping", "CREATE TEMPORARY TABLE t (n int)"),
        ("ecg_web", "SET ROLE ecg_sink"),
        ("ecg_web", "SET ROLE ecg_registry"),
        ("ecg_web", "SET ROLE ecg_views"),
        ("ecg_web", "SET ROLE ecg_clinic"),
        ("ecg_web", "SELECT * FROM api.alerts"),
        ("ecg_web", "SELECT * FROM api.people"),
        ("ecg_web", "CREATE TEMPORARY TABLE t (n int)"),
        ("ecg_web", "UPDATE api.credentials SET account = 'x'"),
    ],
)
def test_a_service_cannot_reach_beyond_its_own(
    world: World, logins: dict[str, psycopg.Connection], role: str, statement: str
) -> None:
    assert not may(logins[role], statement.format(person=world.role(Kind.CLINIC)))


@pytest.mark.parametrize("name", ["change", "alert", "trace; DROP TABLE ecg.trace", "enrolment"])
def test_housekeeping_drops_chunks_of_measurements_only(
    logins: dict[str, psycopg.Connection], name: str
) -> None:
    drop = "SELECT ecg.drop_chunk(%s, '-infinity', 'infinity')"
    with pytest.raises(psycopg.errors.RaiseException, match="no table of measurements"):
        logins["ecg_housekeeping"].execute(drop, (name,))


def test_the_registry_cannot_forge_its_own_log(logins: dict[str, psycopg.Connection]) -> None:
    """A trigger function of ours on a table of one's own would write whatever one likes."""
    login = logins["ecg_registry"]
    with login.transaction(force_rollback=True):
        login.execute("CREATE TEMPORARY TABLE person (account text, changed_by text)")
        with pytest.raises(InsufficientPrivilege):
            login.execute(
                "CREATE TRIGGER t AFTER INSERT ON person"
                " FOR EACH ROW EXECUTE FUNCTION ecg.log_change('account')"
            )


def test_the_web_becomes_anybody_and_by_itself_knows_only_credentials(
    world: World, logins: dict[str, psycopg.Connection]
) -> None:
    with connect(world.url, role="ecg_registry") as registry:
        people.set_password(registry, world.account(Kind.CLINIC), "a staple of horses", "test")
    web = logins["ecg_web"]
    assert people.check_password(web, world.account(Kind.CLINIC), "a staple of horses")
    web.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(world.role(Kind.CLINIC))))
    assert web.execute("SELECT FROM api.alerts").rowcount > 0
    with pytest.raises(InsufficientPrivilege):
        web.execute("SELECT account FROM api.credentials")
    web.execute("RESET ROLE")  # as injected SQL might
    seen = web.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('ecg', 'api') AND has_schema_privilege(n.oid, 'USAGE')"
        " AND has_any_column_privilege(c.oid, 'SELECT')"
    ).fetchall()
    assert seen == [("api.credentials",)]


MANY: LiteralString = """
INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)
    SELECT 'many-' || n, (ARRAY['H', 'S', 'C'])[1 + n % 3], 'monitor', n, 'test'
    FROM generate_series(1, 60) AS n;
INSERT INTO ecg.trend (device, session, minute_ns, time, code, n, generation, source_offset, version)
    SELECT 'many-' || d, 1, m * 60000000000, ecg.at_ns(m * 60000000000), 147842, 60, 1, 1, '1'
    FROM generate_series(1, 60) AS d, generate_series(28400000::bigint, 28402000) AS m;
INSERT INTO ecg.beat (device, session, sample, time_ns, time, code, generation, source_offset, version)
    SELECT 'many-' || d, 1, s, s * 1000000000, ecg.at_ns(s * 1000000000), 'N', 1, 1, '1'
    FROM generate_series(1, 60) AS d, generate_series(1704000000::bigint, 1704002000) AS s;
INSERT INTO ecg.alert (id, device, patient, session, condition, priority, state, onset_sample, onset_ns,
        onset, decided_sample, decided_ns, delay_s, evidence, published_ns, raised_ns, updated_ns,
        source_offset)
    SELECT gen_random_uuid(), 'many-' || d, '', 1, 'AFIB', 'HIGH', 'ENDED', 1, s * 1000000000,
        ecg.at_ns(s * 1000000000), 1, 1, 1, '{}', 1, 1, 1, 1
    FROM generate_series(1, 60) AS d, generate_series(1704000000::bigint, 1704000500) AS s;
ANALYZE
"""


@pytest.fixture(scope="module")
def large(world: World) -> World:
    """The world with more in it than a scan would be chosen for."""
    with connect(world.url, autocommit=True) as owner:
        owner.execute(MANY)
    return world


@pytest.mark.parametrize(
    ("view", "base", "time", "n"),
    [
        ("trends", "trend", "time BETWEEN '2024-01-01T00:00Z' AND '2024-01-01T03:00Z'", 181),
        ("beats", "beat", "time BETWEEN '2023-12-31T05:20Z' AND '2023-12-31T05:30Z'", 601),
        ("alerts", "alert", "onset >= '2023-12-31T05:25Z'", 201),
    ],
)
def test_a_question_about_one_device_goes_by_the_index(
    large: World, view: str, base: str, time: str, n: int
) -> None:
    """The barrier lets comparisons of device and time through to the index of every chunk."""
    question = f"SELECT * FROM api.{view} WHERE device = 'many-3' AND {time}"  # noqa: S608
    with large.login(Kind.CLINIC) as login:
        assert login.execute(question).rowcount == n
        (plan,) = login.execute(f"EXPLAIN (FORMAT JSON, ANALYZE) {question}").fetchone() or ()
    scans = [
        node
        for node in nodes(plan[0]["Plan"])
        if node.get("Relation Name") == base or node.get("Relation Name", "").startswith("_hyper_")
    ]
    assert scans
    for node in scans:
        assert node["Node Type"] in ("Index Scan", "Bitmap Heap Scan"), node
        assert node["Actual Rows"] * node["Actual Loops"] <= n, node


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def test_of_what_others_made_people_may_call_what_only_computes(world: World) -> None:
    """Nothing that runs with its owner's rights, no lock, no large object, and little of TimescaleDB's."""
    with connect(world.url) as owner:
        found = owner.execute(
            "SELECT DISTINCT p.proname FROM pg_proc AS p LEFT JOIN pg_depend AS d"
            "  ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'"
            " LEFT JOIN pg_extension AS e ON e.oid = d.refobjid"
            " WHERE has_function_privilege('ecg_reader', p.oid, 'EXECUTE')"
            " AND (p.prosecdef OR e.extname = 'timescaledb' OR p.proname ~ '^lo_|advisory') ORDER BY 1"
        ).fetchall()
    computing = ["first", "histogram", "interpolate", "last", "locf", "time_bucket", "time_bucket_gapfill"]
    assert [name for (name,) in found] == (computing if world.has_chunks else [])


def test_the_superusers_statements_are_those_of_the_migrations() -> None:
    said = statements("Where the owner is no superuser")
    run = "".join(migration.text for migration in migrations())
    blocks = said.split("\n\n")
    assert len(blocks) == 2
    assert [block for block in blocks if block.strip() not in run] == []


def test_where_they_did_not_run_nobody_is_let_in(world: World) -> None:
    for function in ("pg_advisory_lock(bigint)", "_timescaledb_functions.drop_chunk(regclass)"):
        if not world.has_chunks and "timescale" in function:
            continue
        with connect(world.url) as owner:
            owner.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
            owner.execute("SET ROLE ecg_registry")
            with pytest.raises(RegistryError, match=r"docs/access\.md"):
                people.open_sql(owner, world.account(Kind.AUDITOR), world.password, "test")
            owner.rollback()
