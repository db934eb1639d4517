"""What dashboards show, under the login of a clinic: its own rows, and no row of the clinic beside it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from ecgstream.commands import dashboards
from ecgstream.dashboards.boards import OF_A_FACILITY
from ecgstream.dashboards.build import Setting, model
from ecgstream.dashboards.chart import Chart, Shape
from ecgstream.dashboards.things import uid
from ecgstream.dashboards.wording import Language
from ecgstream.store.migrate import migrate
from tests.ecgstream.dashboards.published import TOKEN, Published, served
from tests.system.command import Command
from tests.system.conftest import in_database
from tests.system.two_clinics import NOW, SINCE, Clinics

Rows = list[tuple[Any, ...]]
Answers = dict[str, dict[str, tuple[list[str], Rows]]]
"""Who asks to statement to names of columns and rows."""


class Statement(NamedTuple):
    """One query of a dashboard, with the chart that shows it if it is a panel's."""

    board: str
    name: str
    sql: str
    chart: Chart | None


def statements(language: Language = Language.ENGLISH) -> Iterator[Statement]:
    """Every query of every dashboard of a facility: of panels, of choices, of annotations."""
    for board in OF_A_FACILITY:
        made = model(board, Setting(language, "ecg-source", lambda name: name, "H", "Asia/Shanghai"))
        for chart, panel in zip(board.charts, made["panels"], strict=True):
            yield Statement(board.name, chart.title.english, panel["targets"][0]["rawSql"], chart)
        for choice in made["templating"].get("list", ()):
            yield Statement(board.name, f"choice of {choice['name']}", choice["query"], None)
        for marks in made.get("annotations", {}).get("list", ()):
            yield Statement(board.name, marks["name"], marks["target"]["rawSql"], None)


def name(it: Statement) -> str:
    return f"{it.board}: {it.name}"


STATEMENTS = list(statements())
CHOSEN = [it for it in STATEMENTS if ":sqlstring}" in it.sql]


def expanded(sql: str, of: str, since: datetime = SINCE, until: datetime = NOW) -> str:
    """Return a statement as Grafana sends it for a time range, with what belongs to a clinic chosen."""
    begin, end = (f"'{moment:%Y-%m-%dT%H:%M:%SZ}'" for moment in (since, until))
    chosen = {"patient": f"p-{of}", "device": f"d-{of}", "facility": of}
    sql = re.sub(r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN {begin} AND {end}", sql)
    sql = sql.replace("$__timeFrom()", begin).replace("$__timeTo()", end).replace("$__interval_ms", "60000")
    for name, value in chosen.items():
        sql = sql.replace(f"${{{name}:sqlstring}}", "'" + value.replace("'", "''") + "'")
    assert "$" not in sql
    return sql


def answer(login: psycopg.Connection, sql: str) -> tuple[list[str], Rows]:
    cursor = login.execute(sql)  # type: ignore[call-overload]
    return [column.name for column in cursor.description or ()], cursor.fetchall()


@contextmanager
def clinics(request: pytest.FixtureRequest, names: str) -> Iterator[Clinics]:
    fixture = {"plain": "plain_postgres_url", "timescale": "timescale_url"}[request.param]
    server, name = request.getfixturevalue(fixture), f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[arg-type]
        try:
            migrate(in_database(server, name))
            found = Clinics(in_database(server, name), names)
            yield found
            found.drop_roles()
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["plain", "timescale"])
def answers(request: pytest.FixtureRequest) -> Answers:
    """Who asks, where: each statement's answer. H alone, H beside S, S, the region above both."""
    with clinics(request, "H") as one, clinics(request, "HS") as two:
        asked = {  # where, as whose account, for whose things
            "H alone": (one, "H", "H"),
            "H": (two, "H", "H"),
            "S": (two, "S", "S"),
            "W": (two, "W", "W"),
            "H asks for S": (two, "H", "S"),
        }
        found: Answers = {}
        for who, (where, account, of) in asked.items():
            with closing(where.login(account)) as login:
                found[who] = {it.sql: answer(login, expanded(it.sql, of)) for it in STATEMENTS}
    return found


each = pytest.mark.parametrize("it", STATEMENTS, ids=name)


@each
def test_a_clinic_sees_the_same_whatever_stands_in_the_clinic_beside_it(
    answers: Answers, it: Statement
) -> None:
    assert answers["H"][it.sql] == answers["H alone"][it.sql]


@each
def test_a_clinic_sees_its_own(answers: Answers, it: Statement) -> None:
    columns, rows = answers["H"][it.sql]
    assert rows
    said = {text for row in rows for text in row if isinstance(text, str)}
    assert not said & {"S", "d-S", "off-S", "p-S", "g-S", "bed S"}
    if it.chart is not None:
        over_time = {Shape.LINES, Shape.STEPS, Shape.COUNTS, Shape.TIMELINE}
        time = ["time"] if it.chart.shape in over_time else []
        assert columns == [*time, *it.chart.columns]
        assert all(any(row[i] is not None for row in rows) for i in range(len(columns))), columns


@each
def test_the_clinic_beside_sees_as_much_of_its_own(answers: Answers, it: Statement) -> None:
    """So it has rows that could have been seen."""
    assert len(answers["S"][it.sql][1]) == len(answers["H"][it.sql][1])


@pytest.mark.parametrize("it", CHOSEN, ids=name)
def test_who_asks_for_what_is_the_other_clinics_gets_nothing(answers: Answers, it: Statement) -> None:
    _, rows = answers["H asks for S"][it.sql]
    assert [value for row in rows for value in row if value not in (None, 0)] == []


def test_the_region_above_sees_both(answers: Answers) -> None:
    summary = next(it for it in STATEMENTS if (it.board, it.name) == ("alarms", "In this time"))
    assert answers["W"][summary.sql][1][0][0] == 2 * answers["H"][summary.sql][1][0][0] == 10
    facilities = next(it for it in STATEMENTS if (it.board, it.name) == ("region", "Facilities"))
    assert [row[0] for row in answers["W"][facilities.sql][1]] == ["W", "H", "S"]


@pytest.mark.parametrize("it", list(statements(Language.CHINESE)), ids=name)
def test_in_chinese_the_same_is_asked_for(answers: Answers, it: Statement) -> None:
    """But for the names of conditions in annotations, the language is in no statement."""
    asked = re.sub(r"CASE a\.condition.*?END AS text", "", it.sql, flags=re.DOTALL)
    assert asked in {
        re.sub(r"CASE a\.condition.*?END AS text", "", sql, flags=re.DOTALL) for sql in answers["H"]
    }


@pytest.fixture(params=["plain", "timescale"])
def two(request: pytest.FixtureRequest) -> Iterator[Clinics]:
    with clinics(request, "HS") as found:
        yield found


@pytest.fixture
def holds() -> Published:
    return Published()


@pytest.fixture
def command(
    two: Clinics,
    holds: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    """``ecgstream dashboards`` on this database and a Grafana that knows one person of each clinic."""
    holds.users = {f"li_{code}_{two.mark}": n for n, code in enumerate("hs", 1)}
    with served(holds) as url:
        monkeypatch.setenv("ECGSTREAM_GRAFANA_URL", url)
        monkeypatch.setenv("ECGSTREAM_GRAFANA_TOKEN", TOKEN)
        monkeypatch.setenv("ECGSTREAM_GRAFANA_FACILITIES", str(tmp_path / "facilities.toml"))
        write(tmp_path, two, "HS")
        yield Command(dashboards.app, two.url, capsys)


def write(folder: Path, clinics: Clinics, codes: str) -> None:
    """Write the file that names facilities."""
    lines = ['database = "db.example:5432/ecgstream"', "one_audience = true"]
    for code in codes:
        lines += [f"[facilities.{code}]", f'account = "{clinics.account(code)}"']
        lines += [f'password = "{clinics.password}"']
    path = folder / "facilities.toml"
    path.write_text("\n".join(lines))
    path.chmod(0o600)


def test_the_command_brings_a_grafana_there_and_the_second_time_changes_nothing(
    two: Clinics, holds: Published, command: Command, tmp_path: Path
) -> None:
    command("diff", status=1)
    assert "26 created, 0 updated, 0 deleted" in command("apply")[1]
    assert command.json("diff") == []
    before = list(holds.writes)
    assert "0 created, 0 updated, 0 deleted, 26 unchanged" in command("apply")[1]
    assert holds.writes == before
    assert {frozenset(members) for members in holds.members.values()} == {frozenset({1}), frozenset({2})}

    write(tmp_path, two, "H")
    assert "no terminal to ask: add --yes" in command.refused("apply")
    assert "0 created, 0 updated, 13 deleted" in command("apply", "--yes")[1]
    assert set(holds.sources) == {uid("source", "H")}
    assert "13 deleted" in command("delete", "--yes")[1]
    assert (holds.sources, holds.folders, holds.dashboards, holds.teams) == ({}, {}, {}, {})


def test_what_the_command_gives_grafana_logs_in_as_the_clinic(
    two: Clinics, holds: Published, command: Command
) -> None:
    command("apply")
    for code in "HS":
        source = holds.sources[uid("source", code)]
        with closing(two.login_as(source["user"], source["secureJsonData"]["password"])) as login:
            seen = answer(login, "SELECT DISTINCT device FROM api.trends")[1]
            assert seen == [(f"d-{code}",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                answer(login, "SELECT FROM ecg.trend")


def test_neither_token_nor_password_is_ever_said(two: Clinics, holds: Published, command: Command) -> None:
    said = [command("apply", "--dry-run"), command("apply"), command("apply", "--passwords", "--json")]
    said.append(("", command.refused("apply", "--grafana-url", "http://127.0.0.1:9")))
    holds.users.clear()
    told = " ".join(" ".join(pair) for pair in said)
    assert TOKEN not in told
    assert two.password not in told
