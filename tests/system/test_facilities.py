"""The tree of facilities in a real database, through its commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ecgstream.commands import facility as commands
from ecgstream.commands.common import registry_connection
from ecgstream.commands.facility import app
from ecgstream.registry import facility_csv, facility_store
from ecgstream.registry.facilities import Facility, Level, paths
from ecgstream.registry.henan import henan
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.command import Command
from tests.system.people import person

NASTY = (
    "'; DROP TABLE ecg.facility; --",
    "{{7*7}} ${jndi:ldap://x/y} %s %(name)s \\N \\.",
    '<script>alert(1)</script> & "quoted"',
    "[bold]not bold[/bold] :smile:",
    "مستشفى الملك فيصل",
    "👩🏽‍⚕️ 郑州市第一人民医院",
)


@pytest.fixture
def facility(database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    migrate(database_url)
    return Command(app, database_url, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tree.csv"


def stored(url: str) -> list[Facility]:
    with connect(url) as connection:
        return facility_store.load(connection)


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def wait_until_waiting(url: str) -> None:
    deadline = time.monotonic() + 180
    waiting = (
        "SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database AND datname = current_database()"
    )
    while len(rows(url, waiting + " WHERE locktype = 'advisory' AND NOT granted")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_1300_facilities_in_and_out(facility: Command, file: Path) -> None:
    facility("generate", file)
    _, said = facility("import", file, "--dry-run")
    assert "1,300 added" in said
    assert stored(facility.url) == []
    assert len(facility.json("import", file, "--dry-run")) == 1300
    _, said = facility("import", file, "--by", "li_ops")
    assert said == "1,300 added, 0 changed, 0 moved, 0 removed, 0 unchanged\n"
    tree = henan()
    assert set(stored(facility.url)) == set(tree)
    assert dict(rows(facility.url, "SELECT code, path::text FROM ecg.facility")) == paths(tree)
    assert rows(facility.url, "SELECT DISTINCT changed_by FROM ecg.facility") == [("li_ops",)]
    copy = file.with_name("copy.csv")
    facility("export", copy)
    assert copy.read_bytes() == file.read_bytes()
    (counts,) = facility.json("import", copy, "--remove")
    assert counts == {"added": 0, "changed": 0, "moved": 0, "removed": 0, "unchanged": 1300}
    assert rows(facility.url, "SELECT count(*) FROM ecg.change") == [(1300,)]


def test_100_000_facilities_all_or_nothing(facility: Command, file: Path) -> None:
    tree = henan(100_000)
    facility_csv.write(file, tree)
    with file.open("a", encoding="utf-8", newline="") as more:
        more.write("X,NOWHERE,village,clinic,X,,Asia/Shanghai,\r\n")
    assert "line 100002: the parent of X, NOWHERE, is not there" in facility.refused("import", file)
    assert stored(facility.url) == []
    facility_csv.write(file, tree)
    began = time.perf_counter()
    facility("import", file)
    print(f"100,000 facilities imported in {time.perf_counter() - began:.1f} s")  # noqa: T201
    assert rows(facility.url, "SELECT count(*), count(DISTINCT path) FROM ecg.facility") == [
        (100_000, 100_000)
    ]


def test_what_the_database_refuses_undoes_all_and_shows_no_values(facility: Command, file: Path) -> None:
    with connect(facility.url) as connection:
        connection.execute(
            "ALTER TABLE ecg.facility ADD CONSTRAINT none_so_called CHECK (name_en <> 'Secret')"
        )
    tree = henan(500)
    facility_csv.write(file, [*tree[:-1], replace(tree[-1], name_en="Secret")])
    said = facility.refused("import", file)
    assert "none_so_called" in said
    assert "Secret" not in said
    assert len(said.splitlines()) == 1
    assert stored(facility.url) == []
    assert rows(facility.url, "SELECT FROM ecg.change") == []


def test_who_changes_the_tree_waits_for_who_does_so_now(facility: Command, file: Path) -> None:
    facility_csv.write(file, henan(400))
    ran: list[int] = []

    def run() -> None:
        command = [
            sys.executable,
            "-m",
            "ecgstream",
            "facility",
            "import",
            str(file),
            "--database",
            facility.url,
        ]
        ran.append(subprocess.run(command, check=False, timeout=300, capture_output=True).returncode)

    with connect(facility.url) as connection:
        facility_store.lock(connection)
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until_waiting(facility.url)
        facility("import", file, "--dry-run")  # which changes nothing and waits for nobody
        assert rows(facility.url, "SELECT FROM ecg.facility") == []
    for thread in threads:
        thread.join(100)
    assert ran == [0, 0]
    assert rows(facility.url, "SELECT count(*) FROM ecg.change") == [(400,)]  # the second found all done


def test_texts_are_stored_and_shown_as_they_are(facility: Command, file: Path) -> None:
    first, *others = NASTY
    facility("add", "R", "--level", "national", "--kind", "centre", "--time-zone", "Asia/Shanghai",
             "--name-en", first, "--name-zh", first, "--contact", first)  # fmt: skip
    for n, text in enumerate(others):
        texts = ("--name-en", text, "--name-zh", text, "--contact", text)
        facility("add", f"N{n}", "--parent", "R", "--level", "city", "--kind", "ambulance_station",
                 "--time-zone", "Asia/Shanghai", *texts)  # fmt: skip
    found = stored(facility.url)
    assert (
        {f.name_en for f in found} == {f.name_zh for f in found} == {f.contact for f in found} == set(NASTY)
    )
    assert {row["name_zh"] for row in facility.json("list")} == set(NASTY)
    for words in (("list",), ("tree",)):
        out, _ = facility(*words)
        assert all(text in out for text in NASTY)
    facility("export", file)
    assert facility.json("import", file, "--remove")[0]["unchanged"] == len(NASTY)


@pytest.mark.parametrize("option", ["--name-en", "--name-zh", "--contact", "--time-zone", "--parent"])
def test_what_does_harm_is_refused_in_every_field(facility: Command, option: str) -> None:
    place = ("R", "--level", "city", "--kind", "clinic")
    for text in ("x" * 10_240, "=1+1", "a\x1b[31mb", "a\u202eb", "a\nb"):
        options = {"--name-en": "x", "--time-zone": "Etc/UTC", option: text}
        said = facility.refused("add", *place, *(word for pair in options.items() for word in pair))
        assert option.strip("-").replace("-", "_") in said
        assert len(said) < 400
        assert "\x1b" not in said
    assert stored(facility.url) == []


def test_wrong_encodings(facility: Command, file: Path) -> None:
    facility("generate", file, "--institutions", 30)
    content = file.read_text("utf-8-sig")
    for wrong, words in {"gb18030": "--encoding gb18030", "utf-16": "UTF-16"}.items():
        file.write_bytes(content.encode(wrong))
        assert words in facility.refused("import", file)
    file.write_bytes(content.encode("gb18030"))
    facility("import", file, "--encoding", "gb18030")
    assert set(stored(facility.url)) == set(henan(30))


def test_a_facility_moves_with_all_that_is_below(facility: Command, file: Path) -> None:
    facility_csv.write(file, henan(1300))
    facility("import", file)
    with connect(facility.url) as connection:
        connection.execute(
            "INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)"
            " VALUES ('dev-1', '410100-01-01-1', 'monitor', 7, 'test')"
        )
        connection.execute("DELETE FROM ecg.tell")
    _, said = facility("set", "410100-01", "--parent", "410200", "--by", "wang_ops")
    assert said == "0 added, 0 changed, 1 moved, 0 removed, 1,299 unchanged\n"
    way = "INT.CN.410000.410200.410100-01.410100-01-01.410100-01-01-1"
    assert facility.json("show", "410100-01-01-1")[0]["path"] == way
    assert rows(facility.url, "SELECT path::text FROM ecg.placement") == [(way,)]
    assert rows(facility.url, "SELECT device, account FROM ecg.tell") == [("dev-1", "wang_ops")]
    assert dict(rows(facility.url, "SELECT code, path::text FROM ecg.facility")) == paths(
        stored(facility.url)
    )
    said = facility.refused("set", "410100", "--parent", "410100-02")
    assert "cycle" in said


def test_the_root_changes_places(facility: Command, file: Path) -> None:
    a, b = henan(2)
    facility_csv.write(file, [a, b])
    facility("import", file)
    facility_csv.write(file, [replace(b, parent=None), replace(a, parent=b.code, level=Level.PROVINCE)])
    facility("import", file)
    assert rows(facility.url, "SELECT path::text FROM ecg.facility ORDER BY path") == [("CN",), ("CN.INT",)]
    top = replace(a, code="TOP")
    facility_csv.write(file, [top, replace(b, parent="TOP"), replace(a, parent="CN", level=Level.PROVINCE)])
    facility("import", file)
    assert rows(facility.url, "SELECT path::text FROM ecg.facility ORDER BY path")[-1] == ("TOP.CN.INT",)
    facility_csv.write(file, [a])
    facility("import", file, "--remove", "--yes")
    assert stored(facility.url) == [a]


def test_removing(facility: Command, file: Path) -> None:
    facility_csv.write(file, henan(1300))
    facility("import", file)
    person(facility.url, "clinic", "410200-H1")
    with connect(facility.url) as connection:
        for statement in (
            "INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)"
            " VALUES ('dev-1', '410100-H1', 'monitor', 7, 'test')",
            "UPDATE ecg.enrolment SET facility = '410100-H2', placed_since = now()",
            "INSERT INTO ecg.patient (patient, facility, changed_by) VALUES ('P-1', '410300-H1', 'test')",
        ):
            connection.execute(statement)
    for code, why in {
        "410100": "facilities directly below",
        "410100-H1": "1 devices of former times",
        "410100-H2": "1 devices",
        "410200-H1": "1 positions of people",
        "410300-H1": "1 patients",
        "NONE": "no facility 'NONE'",
    }.items():
        assert why in facility.refused("remove", code, "--yes")
    assert "add --yes" in facility.refused("remove", "410400-H1")
    facility_csv.write(file, henan(20))
    assert "add --yes" in facility.refused("import", file, "--remove")
    said = facility.refused("import", file, "--remove", "--dry-run")
    for code in ("410100-H1", "410100-H2", "410200-H1", "410300-H1"):
        assert f"{code}: cannot be removed" in said
    assert len(stored(facility.url)) == 1300
    facility("remove", "410400-H1", "--yes", "--by", "wang_ops")
    assert len(stored(facility.url)) == 1299
    assert rows(
        facility.url, "SELECT account, key, before->>'name_en' FROM ecg.change WHERE after IS NULL"
    ) == [("wang_ops", "410400-H1", "Pingdingshan Hospital 1")]


def test_nobody_waits_for_an_answer_and_what_was_agreed_to_is_what_happens(
    facility: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facility_csv.write(file, henan(22))
    facility("import", file)
    facility_csv.write(file, henan(20))

    def meanwhile(question: str, *, yes: bool) -> None:
        assert (question, yes) == ("Remove 2 facilities?", False)
        monkeypatch.undo()
        facility("remove", henan(22)[-1].code, "--yes")  # would wait for ever if the tree were held

    monkeypatch.setattr(commands, "confirm", meanwhile)
    assert "changed meanwhile" in facility.refused("import", file, "--remove")
    assert len(stored(facility.url)) == 21


def test_a_dry_run_lists_what_would_change_and_writes_nothing(facility: Command, file: Path) -> None:
    tree = henan(30)
    facility_csv.write(file, tree)
    facility("import", file)
    code = tree[-1].code
    moved = replace(tree[-2], parent="410000")
    facility_csv.write(file, [*tree[:-2], moved, replace(tree[-1], contact="[b]x")])
    before = rows(facility.url, "SELECT xmin::text, * FROM ecg.facility ORDER BY code")
    out, said = facility("import", file, "--dry-run")
    assert said == "Would be: 0 added, 1 changed, 1 moved, 0 removed, 28 unchanged\n"
    assert "[b]x" in out
    assert facility.json("import", file, "--dry-run") == [
        {"change": "changed", "code": code, "field": "contact", "before": tree[-1].contact, "after": "[b]x"},
        {
            "change": "moved",
            "code": moved.code,
            "field": "parent",
            "before": tree[-2].parent,
            "after": "410000",
        },
    ]
    facility_csv.write(file, tree[:-1])
    assert facility.json("import", file, "--remove", "--dry-run") == [
        {"change": "removed", "code": code, "field": "", "before": tree[-1].name, "after": ""}
    ]
    assert rows(facility.url, "SELECT xmin::text, * FROM ecg.facility ORDER BY code") == before


def test_a_known_account_changes_what_it_is_operator_of(facility: Command, file: Path) -> None:
    facility_csv.write(file, henan(1300))
    facility("import", file)
    person(facility.url, "operator", "410100", "zhou_ops")
    person(facility.url, "clinic", "INT", "chen_clinic")
    by_operator, by_doctor = ("--by", "zhou_ops"), ("--by", "chen_clinic")
    facility("set", "410100-01", "--contact", "1", *by_operator)
    facility("set", "410100-01", "--contact", "2", "--by", "nobody_known")
    facility("set", "410100-01-01", "--parent", "410100-02", *by_operator)
    for words in (("set", "410000", "--contact", "1"), ("set", "410100-02-01", "--parent", "410200-01")):
        assert "zhou_ops is not operator at" in facility.refused(*words, *by_operator)
    assert "chen_clinic is not operator at" in facility.refused("set", "410100", "--contact", "1", *by_doctor)
    assert "--by: " in facility.refused("set", "410100", "--contact", "1", "--by", "postgres; DROP")


def test_looking(facility: Command, file: Path) -> None:
    facility_csv.write(file, henan(1300))
    facility("import", file)
    counties = facility.json("list", "--under", "410100", "--level", "county")
    assert [row["code"] for row in counties] == sorted(row["code"] for row in counties)
    assert len(counties) == 11
    assert facility.json("list", "--level", "national")[0]["name_zh"] == "中国"
    out, _ = facility("tree", "--under", "410000", "--depth", "1")
    assert len(out.splitlines()) == 1 + 18 + 2
    assert "Zhengzhou · 郑州市 (410100)" in out
    out, _ = facility("tree")
    assert len(out.splitlines()) == 1300
    (shown,) = facility.json("show", "419001")
    assert (shown["name_zh"], shown["level"], shown["path"]) == ("济源市", "county", "INT.CN.410000.419001")
    assert shown["facilities"] > 2
    assert "济源市" in facility("show", "419001")[0]
    for words in (
        ("show", "X"),
        ("list", "--under", "X"),
        ("tree", "--under", "X"),
        ("set", "X", "--contact", "1"),
    ):
        assert "no facility" in facility.refused(*words)


def test_a_database_without_a_registry_or_none_at_all(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECGSTREAM_DATABASE", raising=False)
    assert "ecgstream migrate" in Command(app, database_url, capsys).refused("list")
    for url, words in {
        "": "ECGSTREAM_DATABASE",
        "postgresql://me:hunter2@127.0.0.1:1/none": "database: ",
        "postgresql://me:hunter2@x@127.0.0.1:1/none": "cannot be read",
        "host=127.0.0.1 hunter2": "cannot be read",
    }.items():
        said = Command(app, url, capsys).refused("list")
        assert words in said
        assert "hunter2" not in said
        assert len(said.splitlines()) == 1


def test_a_value_that_the_database_cannot_read_is_not_repeated(facility: Command) -> None:
    settings = Settings(database=SecretStr(facility.url))
    for query in ("SELECT 'Zhang Wei'::int", "SELECT 'Zhang Wei'::ltree", "SELECT 1/0", "SELECT zhang"):
        with pytest.raises(SystemExit) as end, registry_connection(settings) as connection:
            connection.execute(query)  # type: ignore[call-overload]
        assert str(end.value.code).startswith("ecgstream: the database refused")
        assert "Zhang" not in str(end.value.code)


def test_as_a_program(facility: Command, file: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ecgstream", "facility", *words]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=300, check=False,
            env={"ECGSTREAM_DATABASE": facility.url, "ECGSTREAM_ACCOUNT": "sun_ops", "PATH": ""},
        )  # fmt: skip

    assert run("generate", str(file), "--institutions", "30").returncode == 0
    said = run("import", str(file))
    assert (said.returncode, said.stdout) == (0, "")
    assert "30 added" in said.stderr
    assert rows(facility.url, "SELECT DISTINCT changed_by FROM ecg.facility") == [("sun_ops",)]
    assert len(json.loads(run("list", "--json").stdout)) == 30
    said = run("remove", "410000")
    assert said.returncode == 1
    assert len(said.stderr.splitlines()) == 1
