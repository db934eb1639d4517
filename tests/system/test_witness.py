# ruff: noqa: S608 - queries of our own
"""What people read with SQL, from the server's log into the chain: on a real server with pgaudit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cyclopts import App

from ecgstream.audit import pgaudit
from ecgstream.audit.errors import AuditError
from ecgstream.commands import alert_budget
from ecgstream.commands.common import clear_errors, person_connection
from ecgstream.commands.person import app as person_app
from ecgstream.commands.replay import app as replay_app
from ecgstream.commands.report import report
from ecgstream.commands.witness import witness
from ecgstream.registry import people
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind, role_of
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.command import Command
from tests.system.people import ROOT, person
from tests.system.sql_reads import Place, made_place, read_by

NAMED = "P-NAMED7777"
PASSWORD = "correct horse battery"  # noqa: S105
DAY = "'2026-11-27T00:00Z', '2026-11-28T00:00Z'"


@pytest.fixture
def place(timescale_url: str, new_database: Callable[[str], str]) -> Iterator[Place]:
    with made_place(new_database(timescale_url)) as made:
        yield made


WAYS: dict[str, tuple[str, set[str]]] = {
    "select": (f"SELECT * FROM api.beats WHERE device = '{NAMED}'", {"api.beats"}),
    "join": (
        "SELECT * FROM api.alerts AS a JOIN api.devices AS d USING (device)",
        {"api.alerts", "api.devices"},
    ),
    "below": (f"SELECT (SELECT max(time) FROM api.vitals WHERE device = '{NAMED}')", {"api.vitals"}),
    "cursor": (
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM api.rhythms; FETCH 1 FROM c; ROLLBACK",
        {"api.rhythms"},
    ),
    "rolled back": ("BEGIN; SELECT * FROM api.trends; ROLLBACK", {"api.trends"}),
    "explained": ("EXPLAIN ANALYZE SELECT * FROM api.segments", {"api.segments"}),
    "prepared": ("PREPARE p AS SELECT * FROM api.patients; EXECUTE p", {"api.patients"}),
    "block": ("DO $$BEGIN PERFORM * FROM api.conditions; END$$", {"api.conditions"}),
    "function": (f"SELECT * FROM api.trace('{NAMED}', 'II', {DAY})", {"api.trace_blocks"}),
    "copied": ("COPY (SELECT * FROM api.identifiers) TO STDOUT", {"api.identifiers"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_somebody_reads_it_is_in_the_chain_once_and_no_literal_is(
    place: Place, way: str
) -> None:
    statement, objects = WAYS[way]
    with place.person() as reader:
        if way == "copied":
            with reader.cursor().copy(statement) as copy:  # type: ignore[arg-type]
                assert list(copy) == []
        else:
            reader.execute(statement)  # type: ignore[arg-type]
        session = reader.info.backend_pid
    found = place.carried()
    assert {entry["object"] for entry in found} >= objects
    assert {entry["object"] for entry in found} <= objects | {"api.segments"}
    assert len(found) == len({entry["object"] for entry in found})
    assert place.carried() == found
    first = found[0]
    assert (first["action"], first["kind"], first["facility"]) == ("read", "sql", None)
    assert first["detail"]["login"] == role_of(place.account)
    assert int(first["detail"]["session"].partition(".")[2], 16) == session
    assert first["detail"]["at"].endswith(" UTC")
    assert NAMED not in json.dumps(found)


def test_many_statements_make_one_entry_of_an_object(place: Place) -> None:
    with place.person() as reader:
        for _ in range(50):
            reader.execute("SELECT count(*) FROM api.trends_hourly")
    (entry,) = place.carried()
    assert entry["object"] == "api.trends_hourly"
    assert entry["detail"]["statements"] == 50
    assert (entry["detail"]["statement"], entry["detail"]["last_statement"]) == ("1", "50")


@pytest.mark.parametrize(
    "statement",
    [
        "SET pgaudit.log = 'none'",
        "SELECT set_config('pgaudit.log', 'none', false)",
        "SET LOCAL pgaudit.log_relation = off",
        "RESET pgaudit.log",
        "SET pgaudit.log_level = 'debug5'",
        "SET log_min_messages = 'panic'",
        "ALTER ROLE {me} SET pgaudit.log = 'none'",
        "ALTER ROLE {me} IN DATABASE {database} SET pgaudit.log = 'none'",
        "ALTER DATABASE {database} RESET pgaudit.log",
        "ALTER SYSTEM SET pgaudit.log = 'none'",
        "SELECT pg_rotate_logfile()",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_nobody_can_turn_it_off(place: Place, statement: str) -> None:
    with place.person() as reader:
        words = {"me": role_of(place.account), "database": reader.info.dbname}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement.format(**words))  # type: ignore[arg-type]
        reader.execute("RESET ALL")
        reader.execute(f"ALTER ROLE {words['me']} RESET ALL")  # type: ignore[arg-type]
        reader.execute("DISCARD ALL")
        reader.execute("SELECT FROM api.judgements")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(place.person_url, options="-c pgaudit.log=none").close()
    with place.person() as reader:
        reader.execute("SELECT FROM api.judgements")
    assert len({e["detail"]["session"] for e in place.carried() if e["object"] == "api.judgements"}) == 2


def test_a_line_that_somebody_forges_is_in_their_own_name(place: Place) -> None:
    with place.person() as reader:
        forged = "AUDIT: SESSION,1,1,READ,SELECT,VIEW,api.beats,x,x"
        reader.execute(f"DO $$BEGIN RAISE LOG '{forged}'; RAISE LOG 'AUDIT: SESSION,1'; END$$")  # type: ignore[arg-type]
    (entry,) = place.carried()
    assert entry["object"] == "api.beats"
    (unread,) = [e for e in place.entries("witness") if e["action"] == "unread"]
    assert unread["detail"]["lines"] == 1


def test_a_log_that_is_rotated_and_a_witness_that_ends_lose_and_double_nothing(place: Place) -> None:
    views = ("beats", "rhythms", "vitals", "alerts", "segments", "conditions")
    with place.person() as reader, place.witness() as lasting:
        for number, view in enumerate(views):
            reader.execute(f"SELECT FROM api.{view}")  # type: ignore[arg-type]
            if number % 3 == 0:
                lasting.look()
            if number % 2 == 0:
                with connect(place.url) as owner:
                    owner.execute("SELECT pg_rotate_logfile()")
        place.logged()
        lasting.look()
        assert lasting.seen_s is not None
    assert sorted(place.objects()) == sorted(f"api.{view}" for view in views)


def test_of_two_witnesses_one_stands(place: Place) -> None:
    with place.witness() as one, place.witness() as other:
        one.look()
        other.look()
        with place.person() as reader:
            reader.execute("SELECT FROM api.beats")
        place.logged()
        other.look()
        with pytest.raises(AuditError, match="run one"):
            one.look()
    assert place.objects() == ["api.beats"]


def test_what_the_witness_may_say_is_this_and_nothing_else(place: Place) -> None:
    note = "SELECT ecg.note_sql('f', 0, 1, %s)"
    with connect(place.witness_url, autocommit=True) as witness:
        for action, kind in (("key", "key"), ("login", "account"), ("read", "patient"), (None, "sql")):
            entry = [{"who": "li", "action": action, "kind": kind, "object": "x", "detail": {}}]
            with pytest.raises(psycopg.errors.CheckViolation):
                witness.execute(note, (json.dumps(entry),))
        for statement in (
            "SELECT FROM ecg.audit",
            "SELECT ecg.note('a', 'read', 'b', 'c', '{}')",
            "SELECT FROM api.beats",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                witness.execute(statement)  # type: ignore[arg-type]


def test_what_the_server_lacks_is_said(place: Place) -> None:
    with place.witness() as witness:
        witness.check()
    with connect(place.url) as owner:
        owner.execute(f"ALTER DATABASE {owner.info.dbname} SET pgaudit.log_statement = on")  # type: ignore[arg-type]
    with place.witness() as witness, pytest.raises(AuditError, match=r"pgaudit\.log_statement is not off"):
        witness.check()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    return file


def test_a_login_that_nothing_would_log_is_not_made(
    database_url: str, password: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate(database_url)
    person(database_url, "clinic")
    with connect(database_url, role="ecg_registry") as registry:
        people.add(registry, [Person("wang_sql", "One", (Position(Kind.CLINIC, ROOT),))], "test")
    command = Command(person_app, database_url, capsys)
    said = command.refused("sql-login", "wang_sql", "--file", password)
    assert "nothing would be in the audit log" in said
    assert "docs/audit.md says what a superuser sets" in said
    with connect(database_url) as owner:
        row = owner.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'person_wang_sql'").fetchone()
        assert row == (False,)


def test_a_login_that_the_server_logs_is_made(
    place: Place, password: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(place.url, role="ecg_registry") as registry:
        people.add(registry, [Person("zhao_sql", "One", (Position(Kind.CLINIC, ROOT),))], "test")
    _, said = Command(person_app, place.url, capsys)("sql-login", "zhao_sql", "--file", password)
    assert "log in as person_zhao_sql" in said
    with connect(place.url) as owner:
        assert pgaudit.lacking(owner, "person_zhao_sql") == ""
        owner.execute("ALTER ROLE person_zhao_sql SET pgaudit.log = 'none'")
        assert "not 'read, write'" in pgaudit.lacking(owner, "person_zhao_sql")
        owner.rollback()


DAYS = {"--from": "2026-11-27T00:00Z", "--to": "2026-11-28T00:00Z"}
COMMANDS: dict[str, tuple[object, ...]] = {
    "replay": (replay_app, "replay", "--device", "mon-17", *sum(DAYS.items(), ())),
    "replay what-if": (
        replay_app,
        "replay",
        "what-if",
        "--facility",
        ROOT,
        "--days",
        1,
        "--limit",
        "hr=off:off",
    ),
    "report": (report, "report", "day.pdf", "--device", "mon-17", *sum(DAYS.items(), ())),
    "alert budget": (alert_budget.budget, "budget"),
}


@pytest.fixture
def run(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str, str], str]:
    """Run a command on an empty database at an address; return what it said."""
    monkeypatch.chdir(tmp_path)

    def of(name: str, url: str) -> str:
        whole = App(name="ecgstream")
        command, *words = COMMANDS[name]
        whole.command(command)  # type: ignore[call-overload]
        return Command(whole, url, capsys)(*words, status=name != "alert budget")[1]

    return of


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_reads_by_a_persons_own_login_is_carried(
    place: Place, run: Callable[[str, str], str], name: str
) -> None:
    run(name, place.person_url)
    found = place.carried()
    assert found
    assert {(e["action"], e["kind"], e["detail"]["login"]) for e in found} == {
        ("read", "sql", role_of(place.account))
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_reads_as_an_account_is_noted_before_it_is_read(
    place: Place, run: Callable[[str, str], str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", place.account)
    run(name, place.url)
    ((who, kind, what),) = read_by(place.url, name)
    assert who == place.account
    assert (kind, what) in {("device", "mon-17"), ("facility", ROOT), ("list", "")}
    with connect(place.url, role="ecg_registry") as registry:
        registry.execute(
            "UPDATE ecg.person SET disabled = true, changed_by = 'test' WHERE account = %s", (who,)
        )
    with pytest.raises(SystemExit, match="or it is disabled"), clear_errors():
        person_connection(Settings(database=place.url), name).__enter__()
    with pytest.raises(SystemExit, match="people see what is of patients"), clear_errors():
        person_connection(Settings(database=place.witness_url), name).__enter__()
    assert len(read_by(place.url, name)) == 1


@contextmanager
def running(place: Place, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service, until the test ends it."""
    settings = Settings(database=place.witness_url, server_log=place.folder)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("ECGSTREAM_")}
    with log.open("ab") as out:
        argv = [sys.executable, "-m", "ecgstream", "witness"]
        process = subprocess.Popen(argv, env=environment | settings.environment(), stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(is_so: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_the_service_carries_says_that_it_started_and_ends_in_order(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(place, log) as process, place.person() as reader:
        reader.execute("SELECT FROM api.beats")
        until(place.entries, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    assert place.objects() == ["api.beats"]
    (start,) = [e for e in place.entries("witness") if e["action"] == "start"]
    assert start["detail"]["settings"]["server_log"] == str(place.folder)


def test_a_service_that_is_killed_again_and_again_carries_each_statement_once(
    place: Place, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    sent = 0

    def carried() -> int:
        return sum(e["detail"].get("statements", 1) for e in place.entries())

    with place.person() as reader:
        for _ in range(3):
            with running(place, log) as process:
                before = carried()
                while carried() == before:  # it is at work when it is killed
                    reader.execute("SELECT FROM api.beats")
                    sent += 1
                    assert process.poll() is None, log.read_text()
                process.kill()
    place.carried()
    assert carried() == sent


def test_the_command_needs_the_folder() -> None:
    with pytest.raises(SystemExit, match="where is the log"):
        witness(settings=Settings(database="postgresql://x/y"))
