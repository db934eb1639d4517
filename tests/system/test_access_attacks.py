"""Ways round the rules, tried as who has a clinic's login with SQL, or puts SQL into the web's session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from ecgstream.registry import people, shares
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from tests.system.access_catalogue import CHUNKS
from tests.system.access_world import DAY0, END, NOW, OWN, ROOT, World, insert, made_world

REFUSED = """
SET ROLE postgres
SET ROLE ecg_views
SET ROLE ecg_clinic
SET ROLE ecg_reader
SET ROLE {other}
SET SESSION AUTHORIZATION {other}
SELECT set_config('role', 'ecg_views', false)
SELECT set_config('role', '{other}', true)
SELECT set_config('session_authorization', '{other}', false)
SET session_replication_role = replica
SET allow_system_table_mods = on
SET session_preload_libraries = 'x'
SET log_statement = 'none'
ALTER SYSTEM SET row_security = off
ALTER DATABASE {database} SET search_path = pg_temp
ALTER ROLE {me} SUPERUSER
ALTER ROLE {me} BYPASSRLS
ALTER ROLE {me} CONNECTION LIMIT 100
ALTER ROLE {other} PASSWORD 'x'
ALTER ROLE {other} SET role = 'ecg_views'
CREATE ROLE mine
GRANT ecg_auditor TO {me}
GRANT {me} TO {other}
GRANT SELECT ON ecg.beat TO {me}
CREATE TEMPORARY TABLE t (n int)
CREATE TEMPORARY VIEW t AS SELECT 1
CREATE FUNCTION pg_temp.f() RETURNS int RETURN 1
CREATE FUNCTION public.f() RETURNS int RETURN 1
CREATE FUNCTION api.f() RETURNS int RETURN 1
CREATE FUNCTION ecg.f() RETURNS int RETURN 1
CREATE OPERATOR public.<<< (leftarg = text, rightarg = text, function = texteq)
CREATE TABLE public.t (n int)
CREATE TABLE api.t (n int)
CREATE SCHEMA mine
CREATE DATABASE mine
CREATE EXTENSION file_fdw
CREATE EXTENSION dblink
CREATE STATISTICS s ON device, time FROM ecg.beat
CREATE OR REPLACE VIEW api.beats AS SELECT 1 AS n
ALTER VIEW api.beats RESET (security_barrier)
CREATE RULE r AS ON INSERT TO api.beats DO INSTEAD NOTHING
CREATE TRIGGER t INSTEAD OF INSERT ON api.beats EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE POLICY p ON ecg.patient USING (true)
CREATE PUBLICATION p FOR TABLE ecg.beat
CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)
COMMENT ON VIEW api.beats IS 'x'
LOAD 'auto_explain'
COPY ecg.beat TO STDOUT
COPY (SELECT 1) TO '/tmp/access'
COPY (SELECT 1) TO PROGRAM 'true'
SELECT pg_read_file('postgresql.conf')
SELECT pg_ls_dir('.')
SELECT lo_import('/etc/hostname')
SELECT lo_create(0)
SELECT lo_from_bytea(0, 'x')
SELECT pg_advisory_lock(1)
SELECT pg_try_advisory_xact_lock_shared(1, 1)
SELECT * FROM ecg.my_place
SELECT ecg.at_ns(1)
SELECT ecg.drop_chunk('trace', '-infinity', now())
SELECT ecg.old_chunks('trace', now())
CREATE OR REPLACE FUNCTION api.lead_code(name text) RETURNS bigint LANGUAGE sql RETURN 1
ALTER FUNCTION api.trend SECURITY DEFINER
SELECT 'ecg.beat'::regclass
SELECT currval('ecg.change_id_seq')
SELECT last_value FROM ecg.tell_id_seq
SELECT * FROM api.credentials
SELECT * FROM api.changes
SELECT * FROM api.patients FOR UPDATE
UPDATE api.patients SET paced = true
DELETE FROM api.beats
INSERT INTO api.positions VALUES ('{account}', 'clinic', 'W')
DO $$ BEGIN LOCK TABLE api.beats IN EXCLUSIVE MODE; END $$
DO $$ BEGIN EXECUTE 'SELECT * FROM ecg.beat'; END $$
SELECT query_to_xml('SELECT * FROM ecg.beat', true, true, '')
SELECT ts_stat('SELECT to_tsvector(device) FROM ecg.beat')
SELECT * FROM pg_authid
SELECT * FROM pg_statistic
SELECT * FROM pg_largeobject
SELECT * FROM pg_hba_file_rules
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'
SELECT pg_reload_conf()
SELECT pg_stat_reset()
SELECT pg_create_physical_replication_slot('x')
"""
REFUSED_ON_CHUNKS = """
SELECT _timescaledb_functions.drop_chunk('{chunk}')
SELECT _timescaledb_internal.drop_chunk('{chunk}')
SELECT _timescaledb_functions.freeze_chunk('{chunk}')
SELECT _timescaledb_functions.chunk_index_clone(1)
SELECT _timescaledb_functions.create_chunk('ecg.beat', '{{}}')
SELECT _timescaledb_functions.stop_background_workers()
SELECT drop_chunks('ecg.beat', interval '1 s')
SELECT show_chunks('ecg.beat')
SELECT move_chunk('{chunk}', 'pg_default', 'pg_default')
SELECT compress_chunk('{chunk}')
SELECT add_job('pg_sleep', '1 h')
SELECT timescaledb_pre_restore()
SELECT approximate_row_count('ecg.beat')
COPY {chunk} TO STDOUT
SELECT * FROM {chunk}
DROP TABLE {chunk}
CREATE TABLE _timescaledb_internal.t (n int)
"""


@pytest.fixture(scope="module", params=["plain", "timescale"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with made_world(request) as found:
        yield found


@pytest.fixture
def clinic(world: World) -> Iterator[psycopg.Connection]:
    with world.login(Kind.CLINIC) as login:
        login.execute("SET default_transaction_read_only = off")
        yield login


@pytest.fixture
def registry(world: World) -> Iterator[psycopg.Connection]:
    with connect(world.url, role="ecg_registry", autocommit=True) as connection:
        yield connection


def escaped(login: psycopg.Connection, statements: str, **names: str) -> dict[str, str]:
    """Return the statements that are not refused for want of a right, and what comes of them."""
    found = {}
    for line in statements.strip().splitlines():
        statement = line.format(**names)
        try:
            login.execute(statement)
            found[statement] = "runs"
        except InsufficientPrivilege:
            pass
        except psycopg.Error as error:
            found[statement] = str(error)
    return found


def test_a_clinic_can_neither_become_another_nor_make_nor_change_nor_reach_anything(
    world: World, clinic: psycopg.Connection
) -> None:
    names = {
        "me": world.role(Kind.CLINIC),
        "account": world.account(Kind.CLINIC),
        "other": world.role(Kind.AUDITOR),
        "database": clinic.info.dbname,
    }
    assert escaped(clinic, REFUSED, **names) == {}


def test_a_clinic_cannot_touch_a_chunk(world: World, clinic: psycopg.Connection) -> None:
    with connect(world.url) as owner:
        chunks = owner.execute(CHUNKS).fetchall()
    assert bool(chunks) == world.has_chunks
    for chunk, *_ in chunks[:2]:
        assert escaped(clinic, REFUSED_ON_CHUNKS, chunk=chunk) == {}


def test_nobody_reads_a_base_table_an_inner_view_a_sequence_or_a_chunk(world: World) -> None:
    with connect(world.url) as owner:
        names = owner.execute(
            "SELECT oid::regclass::text FROM pg_class"
            " WHERE relnamespace = 'ecg'::regnamespace AND relkind IN ('r', 'v', 'S')"
        ).fetchall() + [(name,) for name, *_ in owner.execute(CHUNKS).fetchall()]
    assert len(names) > 30
    reads = "\n".join(line for (name,) in names for line in (f"TABLE {name}", f"COPY {name} TO STDOUT"))
    for kind in Kind:
        with world.login(kind) as login:
            assert escaped(login, reads) == {}


VIEWS = {
    **dict.fromkeys(("trace_blocks", "beats", "rhythms", "vitals", "segments"), "device"),
    **dict.fromkeys(("trends", "trends_hourly", "trends_daily", "clock_corrections"), "device"),
    **dict.fromkeys(("conditions", "alerts", "devices", "device_health", "associations"), "device"),
    **dict.fromkeys(("patients", "identifiers", "limits", "shares"), "patient"),
    "facilities": "code",
    "people": "account",
    "positions": "account",
}
"""View of a clinic to the column that tells whose a row is."""


def seen(login: psycopg.Connection) -> dict[str, list[str]]:
    """What a login sees: view to whose its rows are."""
    query = sql.SQL("SELECT {} FROM {}")
    return {
        view: sorted(
            key for (key,) in login.execute(query.format(sql.Identifier(column), sql.Identifier("api", view)))
        )
        for view, column in VIEWS.items()
    }


def test_no_setting_shows_a_row_more(world: World, clinic: psycopg.Connection) -> None:
    before = seen(clinic)
    assert before["alerts"]
    for name, value in {
        "ecg.acting": world.account(Kind.AUDITOR),
        "search_path": "pg_temp, api, public",
        "session.role": world.role(Kind.AUDITOR),
        "application_name": "ecgstream-sink",
        "timezone": "Asia/Shanghai",
        "enable_seqscan": "off",
        "enable_indexscan": "off",
        "enable_hashjoin": "off",
        "plan_cache_mode": "force_generic_plan",
        "constraint_exclusion": "on",
        "statement_timeout": "0",
    }.items():
        with clinic.transaction():
            clinic.execute("SELECT set_config(%s, %s, true)", (name, value))
            assert seen(clinic) == before, name


def test_who_switches_row_level_security_off_is_refused(clinic: psycopg.Connection) -> None:
    clinic.execute("SET row_security = off")
    refused = "\n".join(f"TABLE api.{view}" for view in ("facilities", "patients", "identifiers", "people"))
    assert escaped(clinic, refused) == {}


LEAKS = (
    "set_config('leak.rows', current_setting('leak.rows', true) || {0}::text || ' ', false) <> ''",
    "1 / (CASE WHEN {0}::text ~ '{hidden}' THEN 0 ELSE 1 END) = 1",
    "(CASE WHEN {0}::text ~ '{hidden}' THEN {0}::text::int ELSE 1 END) = 1",
)
HIDDEN = "sibling|parent|expired|revoked|unplaced|^S$|^Q$|_s$|_w$|_q$"


@pytest.mark.parametrize("planner", ["on", "off"])
def test_a_condition_of_ones_own_runs_on_no_hidden_row(clinic: psycopg.Connection, planner: str) -> None:
    """Errors, and what a function leaves behind, would tell of rows that the view then leaves out."""
    clinic.execute("SET jit = off")  # plans that are forbidden look dear, and compiling them takes minutes
    for setting in ("enable_nestloop", "enable_hashjoin", "enable_indexscan", "enable_bitmapscan"):
        clinic.execute(sql.SQL("SET {} = {}").format(sql.Identifier(setting), planner))
    before = seen(clinic)
    for view, column in VIEWS.items():
        clinic.execute("SELECT set_config('leak.rows', ' ', false)")
        for leak in LEAKS:
            condition = leak.format(column, hidden=HIDDEN)
            for explain in ("", "EXPLAIN (ANALYZE, VERBOSE) "):
                clinic.execute(f"{explain}SELECT FROM api.{view} WHERE {condition}")
        row = clinic.execute("SELECT current_setting('leak.rows')").fetchone()
        assert row is not None
        told = set(row[0].split())
        assert told == set(before[view]), view


def test_a_transaction_that_is_kept_open_keeps_nothing_open(
    world: World, clinic: psycopg.Connection, registry: psycopg.Connection
) -> None:
    """A share that expires, and one that is revoked, close for a transaction that began before."""
    soon = datetime.now(UTC) + timedelta(seconds=3)
    for patient, expires in (("p-sibling", soon), ("p-parent", NOW + timedelta(days=1))):
        opened = {"patient": patient, "since": DAY0, "until": END, "expires": expires}
        insert(registry, "share", **opened, facility=OWN, reason="test", said_by="test")
    own, sibling, parent = 3, 3, 3

    def count() -> int:
        row = clinic.execute(
            "SELECT count(*) FROM api.beats WHERE device IN ('d-own', 'd-sibling', 'd-parent')"
        ).fetchone()
        assert row is not None
        return int(row[0])

    with clinic.transaction():
        assert count() == own + sibling + parent
        (share,) = shares.load(registry, patient="p-parent", facility=OWN)
        shares.revoke(registry, share.id, "test")
        assert count() == own + sibling
        clinic.execute("SELECT pg_sleep(greatest(0, extract(epoch FROM %s - clock_timestamp())))", (soon,))
        assert count() == own


def test_a_disabled_account_sees_nothing_in_sessions_that_stay(
    world: World, registry: psycopg.Connection
) -> None:
    """Without ending them: what the web has open goes on until it is asked again."""
    with world.login(Kind.EXPERT) as expert:
        assert expert.execute("SELECT FROM api.beats").rowcount > 0
        people.disable(registry, world.account(Kind.EXPERT), "test")
        with pytest.raises(InsufficientPrivilege):
            expert.execute("SELECT FROM api.beats")
    with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|authentication failed"):
        world.login(Kind.EXPERT)
    with connect(world.url, role=world.role(Kind.EXPERT)) as became:  # with the group, but without a place
        with connect(world.url, autocommit=True) as owner:
            owner.execute(f"GRANT ecg_expert TO {world.role(Kind.EXPERT)}")
        assert became.execute("SELECT FROM api.beats").rowcount == 0


@pytest.fixture
def web(world: World) -> Iterator[psycopg.Connection]:
    """A session of the web's login."""
    name = sql.Identifier(f"web_{world.mark}")
    with connect(world.url, autocommit=True) as owner:
        owner.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE ecg_web").format(
                name, sql.Literal(world.password)
            )
        )
        with world.login_as(f"web_{world.mark}") as connection:
            yield connection
        owner.execute(sql.SQL("DROP ROLE {}").format(name))


def test_of_one_person_nothing_is_left_in_the_session_for_the_next(
    world: World, web: psycopg.Connection
) -> None:
    def become(kind: Kind) -> None:
        web.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(world.role(kind, ROOT))))

    become(Kind.CLINIC)
    web.execute("PREPARE beats AS SELECT FROM api.beats")
    web.execute("PREPARE names AS SELECT FROM api.identifiers")
    assert web.execute("EXECUTE beats").rowcount > 0
    assert web.execute("EXECUTE names").rowcount > 0
    web.execute("DECLARE held CURSOR WITH HOLD FOR SELECT device FROM api.beats")
    become(Kind.EXPERT)
    assert web.execute("EXECUTE beats").rowcount == 0  # by what the expert sees
    with pytest.raises(InsufficientPrivilege):
        web.execute("EXECUTE names")
    assert web.execute("FETCH 1 FROM held").fetchone() is not None  # the rows were fetched before: so
    web.execute("DISCARD ALL")  # which docs/access.md asks of the web
    with pytest.raises(psycopg.errors.InvalidCursorName):
        web.execute("FETCH 1 FROM held")


def test_what_the_document_does_not_promise(clinic: psycopg.Connection, world: World) -> None:
    """The limits that docs/access.md states. Where one fails, PostgreSQL got better: say so there."""
    plan = clinic.execute(
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT FROM api.beats WHERE device = 'd-sibling' AND hr_bpm > 50"
    ).fetchall()
    assert any("actual" in line and "rows=3" in line and " ecg.beat" not in line for (line,) in plan)
    clinic.execute("SET statement_timeout = 0")
    clinic.execute("NOTIFY ecg_tell")
    accounts = clinic.execute("SELECT FROM pg_roles WHERE rolname = %s", (world.role(Kind.AUDITOR, ROOT),))
    assert accounts.rowcount == 1
    others = clinic.execute(
        "SELECT count(*) FILTER (WHERE query NOT IN ('<insufficient privilege>', '')) FROM pg_stat_activity"
        " WHERE usename <> current_user"
    )
    assert others.fetchone() == (0,)
    assert clinic.execute("SELECT FROM pg_stats WHERE schemaname IN ('ecg', 'api')").rowcount == 0
