"""Accounts, their roles in the database, and their logins, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.commands.person import app
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.registry import people
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.people import Oidc, Person, Position
from ecgstream.registry.roles import LIMITS, Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.command import Command
from tests.system.conftest import started

PASSWORD = "correct horse battery"  # noqa: S105
OTHER = "another staple entirely"
AT_H, AT_R = Position(Kind.CLINIC, "H"), Position(Kind.CLINIC, "R")
NASTY = (
    "'; DROP TABLE ecg.person; --",
    "{{7*7}} ${jndi:ldap://x/y} %s %(name)s \\N \\.",
    "[bold]not bold[/bold] :smile: \u200fمستشفى",
    "👩🏽‍⚕️ 王伟",
)


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    with connect(database_url, role="ecg_registry") as registry:
        for code, path, parent in (("R", "R", None), ("H", "R.H", "R"), ("S", "R.S", "R")):
            registry.execute(
                "INSERT INTO ecg.facility"
                " (code, parent, path, level, kind, name_en, name_zh, time_zone, changed_by)"
                " VALUES (%s, %s, %s, %s, 'hospital', 'x', '', 'UTC', 'test')",
                (code, parent, path, 1 + (parent is not None)),
            )
    return database_url


@pytest.fixture
def registry(url: str) -> Iterator[psycopg.Connection]:
    with connect(url, role="ecg_registry", autocommit=True) as connection:
        yield connection


@pytest.fixture
def person(url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(app, url, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return path


def login(url: str, account: str, password: str = PASSWORD) -> psycopg.Connection:
    parts = conninfo_to_dict(url) | {"user": f"person_{account}", "password": password}
    return psycopg.connect(make_conninfo(**parts), autocommit=True, connect_timeout=5)


def groups(registry: psycopg.Connection, account: str) -> set[str]:
    rows = registry.execute(
        "SELECT m.roleid::regrole::text FROM pg_auth_members AS m WHERE m.member = %s::regrole",
        (f"person_{account}",),
    )
    return {group for (group,) in rows}


def may_log_in(registry: psycopg.Connection, account: str) -> bool:
    row = registry.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (f"person_{account}",))
    return bool((row.fetchone() or (False,))[0])


def add(registry: psycopg.Connection, account: str, *positions: Position, by: str = "test") -> None:
    people.add(registry, [Person(account, "One", positions)], by)


def test_an_account_from_its_first_day_to_its_last(person: Command, file: Path) -> None:
    person("add", "wang", "--name", "王伟", "--kind", "cardiologist", "--facility", "H", "--by", "ops")
    person("position", "add", "wang", "expert", "S")
    person("set", "wang", "--name", "王大伟", "--oidc-issuer", "https://l.example", "--oidc-subject", "7")
    person("password", "wang", "--file", file)
    with connect(person.url, role="ecg_registry") as registry:  # the command: test_witness.py
        people.open_sql(registry, "wang", PASSWORD, "test")
    positions = [{"kind": "cardiologist", "facility": "H"}, {"kind": "expert", "facility": "S"}]
    shown = {"account": "wang", "name": "王大伟", "positions": positions, "disabled": False}
    assert person.json("show", "wang") == [{**shown, "login": ["password", "oidc", "sql"]}]
    assert person.json("list", "--under", "S", "--kind", "expert")[0]["account"] == "wang"
    assert person.json("list", "--under", "S", "--kind", "cardiologist") == []
    assert "cardiologist at H, expert at S" in person("list")[0]
    assert "nothing was changed" not in person.refused("disable", "wang")  # nobody there to ask
    person("disable", "wang", "--yes")
    person("set", "wang", "--oidc-issuer", "", "--oidc-subject", "")
    person("password", "wang", "--remove", "--yes")
    assert person.json("show", "wang") == [{**shown, "login": [], "disabled": True}]
    person("enable", "wang")
    person("position", "remove", "wang", "expert", "S", "--yes")
    assert person.json("show", "wang")[0]["positions"] == positions[:1]
    with connect(person.url) as owner:
        by = owner.execute(
            "SELECT account, object, key FROM ecg.change WHERE object IN ('person', 'position') ORDER BY id"
        ).fetchall()
    assert by[0] == ("ops", "person", "wang")
    assert by[-1] == ("operator", "position", "wang expert S")


def test_what_is_not_so_is_said(person: Command, file: Path) -> None:
    person("add", "li", "--name", "Li")
    file.write_text("short\n")
    for words, why in (
        (("add", "li", "--name", "x"), "there already"),
        (("add", "Li", "--name", "x"), "lower-case"),
        (("add", "li'--", "--name", "x"), "lower-case"),
        (("add", "wang", "--name", "=1"), "formula"),
        (("add", "wang", "--name", "x", "--kind", "clinic"), "go together"),
        (("add", "wang", "--name", "x", "--kind", "clinic", "--facility", "Q"), "no facility"),
        (("position", "add", "li", "clinic", "Q"), "no facility"),
        (("position", "add", "nobody", "clinic", "H"), "no account"),
        (("position", "remove", "li", "clinic", "H", "--yes"), "is not clinic at"),
        (("enable", "li"), "not disabled"),
        (("sql-logout", "li", "--yes"), "no login"),
        (("sql-login", "li", "--file", file), "has no position"),
        (("password", "li", "--file", file), "5 characters"),
        (("password", "li", "--file", file.with_name("none")), "No such file"),
        (("password", "li"), "no terminal"),
        (("list", "--under", "Q"), "no facility"),
        (("show", "nobody"), "no account"),
    ):
        assert why in person.refused(*words), words
    assert person.json("list") == [
        {"account": "li", "name": "Li", "positions": [], "login": [], "disabled": False}
    ]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_a_name(person: Command, name: str) -> None:
    person("add", "li", "--name", name)
    assert person.json("show", "li")[0]["name"] == name
    assert name in person("show", "li")[0]


def test_the_role_follows_the_account(registry: psycopg.Connection) -> None:
    add(registry, "li", AT_H, Position(Kind.CLINIC, "S"), Position(Kind.EXPERT, "S"))
    assert groups(registry, "li") == {"ecg_clinic", "ecg_expert"}
    assert not may_log_in(registry, "li")
    people.displace(registry, "li", AT_H, "test")
    assert groups(registry, "li") == {"ecg_clinic", "ecg_expert"}  # there is another
    people.displace(registry, "li", Position(Kind.CLINIC, "S"), "test")
    assert groups(registry, "li") == {"ecg_expert"}
    people.disable(registry, "li", "test")
    assert groups(registry, "li") == set()
    people.place(registry, [("li", AT_R)], "test")
    assert groups(registry, "li") == set()
    assert registry.execute("SELECT FROM ecg.place").rowcount == 0
    people.enable(registry, "li", "test")
    assert groups(registry, "li") == {"ecg_clinic", "ecg_expert"}
    assert registry.execute("SELECT FROM ecg.place").rowcount == 2


def test_a_role_comes_with_the_rows_or_not_at_all(registry: psycopg.Connection) -> None:
    with registry.transaction(force_rollback=True):
        add(registry, "never_there", AT_H)
        assert groups(registry, "never_there") == {"ecg_clinic"}
    assert registry.execute("SELECT FROM pg_roles WHERE rolname = 'person_never_there'").rowcount == 0


def test_a_role_that_is_not_ours_is_left_alone(url: str, registry: psycopg.Connection) -> None:
    with connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE person_foreign")
        try:
            with pytest.raises(RegistryError, match="did not make"), registry.transaction():
                add(registry, "foreign", AT_H)
        finally:
            owner.execute("DROP ROLE person_foreign")
        add(registry, "helped", AT_H)
        owner.execute("GRANT pg_read_all_data TO person_helped")
        with pytest.raises(RegistryError, match="pg_read_all_data"), registry.transaction():
            people.place(registry, [("helped", AT_R)], "test")
        owner.execute("REVOKE pg_read_all_data FROM person_helped")
    assert people.load(registry, account="foreign") == []


def test_what_another_database_left_of_a_role_is_taken_away(
    url: str, registry: psycopg.Connection, new_database: object
) -> None:
    add(registry, "left", AT_H, Position(Kind.EXPERT, "H"))
    people.open_sql(registry, "left", PASSWORD, "test")
    with registry.transaction():  # as where the rows were lost with a database, and the role was not
        for table in ("position", "person"):
            with connect(url) as owner:
                owner.execute(f"DELETE FROM ecg.{table} WHERE account = 'left'")  # noqa: S608
    add(registry, "left", AT_H)
    assert groups(registry, "left") == {"ecg_clinic"}
    assert not may_log_in(registry, "left")


def test_sql_by_a_password_of_its_own(url: str, registry: psycopg.Connection) -> None:
    add(registry, "li", AT_H)
    people.set_password(registry, "li", OTHER, "test")
    with pytest.raises(psycopg.OperationalError):
        login(url, "li")
    people.open_sql(registry, "li", PASSWORD, "test")
    with login(url, "li") as session:
        row = session.execute("SELECT current_user, current_setting('statement_timeout')").fetchone()
        assert row == ("person_li", f"{LIMITS[Kind.CLINIC].statement_s}s")
        session.execute("SET default_transaction_read_only = off")
        session.execute("ALTER ROLE person_li SET statement_timeout = 0")  # which anybody can do to oneself
    if "host=127.0.0.1" in make_conninfo(url):  # the embedded server trusts who reaches its socket
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            login(url, "li", OTHER)
    people.place(registry, [("li", Position(Kind.AUDITOR, "H"))], "test")  # the widest limits, all set anew
    with login(url, "li") as session:
        row = session.execute("SELECT current_setting('statement_timeout')").fetchone()
        assert row == ("10min",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("CREATE TEMPORARY TABLE t (n int)")


def test_so_many_sessions_and_no_more(url: str, registry: psycopg.Connection) -> None:
    add(registry, "li", AT_H)
    people.open_sql(registry, "li", PASSWORD, "test")
    with login(url, "li"), login(url, "li"), pytest.raises(psycopg.OperationalError, match="too many"):
        login(url, "li")


@pytest.mark.parametrize("words", [("disable", "li", "--yes"), ("sql-logout", "li", "--yes")])
def test_a_login_that_is_taken_away_ends_at_once(
    url: str, registry: psycopg.Connection, person: Command, words: tuple[str, ...]
) -> None:
    add(registry, "li", AT_H)
    people.open_sql(registry, "li", PASSWORD, "test")
    with login(url, "li") as session:
        person(*words)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        login(url, "li")
    assert registry.execute("SHOW role").fetchone() == ("ecg_registry",)
    rows = registry.execute(  # what let it end the session was for that moment
        "SELECT inherit_option, set_option FROM pg_auth_members"
        " WHERE roleid = 'person_li'::regrole AND member = 'ecg_registry'::regrole"
    ).fetchall()
    assert rows == [(False, False)]


def test_no_password_reaches_the_servers_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("logged"))
    url = started(server)
    try:
        migrate(url)
        with connect(url, autocommit=True) as owner:
            owner.execute("ALTER SYSTEM SET log_statement = 'all'")
            owner.execute("ALTER SYSTEM SET log_parameter_max_length = -1")
            owner.execute("SELECT pg_reload_conf()")
            owner.execute(
                "INSERT INTO ecg.facility (code, path, level, kind, name_en, name_zh, time_zone, changed_by)"
                " VALUES ('H', 'H', 1, 'hospital', 'x', '', 'UTC', 'test')"
            )
        with connect(url, role="ecg_registry") as registry:
            add(registry, "li", AT_H)
            people.set_password(registry, "li", OTHER, "test")
            people.open_sql(registry, "li", PASSWORD, "test")
        with connect(url, role="ecg_web") as web:
            assert people.check_password(web, "li", OTHER)
        said = server.log.read_text()
    finally:
        server.stop()
    assert "LOGIN PASSWORD 'SCRAM-SHA-256$" in said
    assert PASSWORD not in said
    assert OTHER not in said


def test_passwords_are_checked_in_the_webs_role(url: str, registry: psycopg.Connection) -> None:
    add(registry, "li", AT_H)
    people.add(registry, [Person("wang", "Wang", (AT_H,), Oidc("https://l.example", "7"))], "test")
    people.set_password(registry, "li", PASSWORD, "test")
    with connect(url, role="ecg_web", autocommit=True) as web:
        assert people.check_password(web, "li", PASSWORD)
        for account, password in (
            ("li", OTHER),
            ("li", ""),
            ("li", "\0"),
            ("wang", PASSWORD),
            ("nobody", PASSWORD),
            ("Li", PASSWORD),
            ("li' OR '1'='1", PASSWORD),
            ("li\0", PASSWORD),
            ("\ud800", PASSWORD),
            ("x" * 100_000, PASSWORD),
            ("", ""),
        ):
            assert not people.check_password(web, account, password), account[:20]
        people.disable(registry, "li", "test")
        assert not people.check_password(web, "li", PASSWORD)


def test_a_login_hashes_anew_what_was_hashed_weakly(url: str, registry: psycopg.Connection) -> None:
    def kept() -> tuple[str, str]:
        row = registry.execute(
            "SELECT password_hash, changed_by FROM ecg.person WHERE account = 'li'"
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    add(registry, "li", AT_H)
    weak = PasswordHasher.from_parameters(CHEAPEST).hash(PASSWORD)
    registry.execute("UPDATE ecg.person SET password_hash = %s WHERE account = 'li'", (weak,))
    with connect(url, role="ecg_web", autocommit=True) as web:
        assert not people.check_password(web, "li", OTHER)
        assert kept() == (weak, "test")
        assert people.check_password(web, "li", PASSWORD)
        strong, by = kept()
        assert strong.startswith("$argon2id$v=19$m=65536")
        assert by == "li"
        assert people.check_password(web, "li", PASSWORD)
        assert kept() == (strong, "li")


def test_who_is_known_is_held_to_where_it_stands(registry: psycopg.Connection) -> None:
    operator = Kind.OPERATOR
    add(registry, "at_h", Position(operator, "H"))
    add(registry, "at_r", Position(operator, "R"))
    add(registry, "nurse", AT_R)
    add(registry, "li", AT_H, by="at_h")
    people.set_password(registry, "li", PASSWORD, "at_h")
    people.place(registry, [("nurse", AT_H)], "at_h")  # somebody from elsewhere may be given a position here
    people.place(registry, [("li", Position(Kind.EXPERT, "S"))], "at_r")
    for refused in (
        lambda: add(registry, "zhao", AT_R, by="at_h"),
        lambda: add(registry, "zhao", by="at_h"),
        lambda: add(registry, "zhao", AT_H, by="nurse"),
        lambda: people.set_password(registry, "nurse", PASSWORD, "at_h"),  # it would be nurse at R too
        lambda: people.set_password(registry, "li", PASSWORD, "at_h"),  # who stands at S now as well
        lambda: people.open_sql(registry, "li", PASSWORD, "at_h"),
        lambda: people.change(registry, "nurse", name="x", oidc=Oidc("https://l.example", "me"), by="at_h"),
        lambda: people.disable(registry, "nurse", "at_h"),
        lambda: people.displace(registry, "nurse", AT_R, "at_h"),
    ):
        with pytest.raises(RegistryError, match="is not operator at"), registry.transaction():
            refused()
    people.disable(registry, "at_r", "test")
    with pytest.raises(RegistryError, match="at_r is disabled"), registry.transaction():
        people.place(registry, [("li", AT_R)], "at_r")
    assert people.get(registry, "nurse").positions == (AT_H, AT_R)
