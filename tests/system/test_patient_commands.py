"""``ecgstream patient`` as people use it, on a real database."""

from __future__ import annotations

import io
import logging
import os
import pty
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from ecgstream.commands.patient import app
from ecgstream.registry import csv_file, key_source
from ecgstream.store.connection import connect
from tests.system import ward
from tests.system.command import Command

SINCE, UNTIL = "2026-07-01T08:00+08:00", "2026-07-01T10:00+08:00"
NASTY = (
    "'; DROP TABLE ecg.identifier; --",
    "{{7*7}} ${jndi:ldap://x/y} %s %(name)s \\N \\.",
    '<script>alert(1)</script> & "quoted"',
    "[bold]not bold[/bold] :smile:",
    "مستشفى الملك فيصل",
    "👩🏽‍⚕️ 王小明",
)
REFUSED = ("x" * 10_240, "a\x1b[2J", "a\u202eb", "caf\ufffd", "=1+1", "a\udce9", "a\x00b")

WRONG: list[tuple[tuple[str, ...], str]] = [
    (("associate", "P-1", "dev-1", "--since", "2026-07-01T08:00"), "has no offset from UTC"),
    (("associate", "P-1", "dev 1"), "is not 1 to 64 printable ASCII characters"),
    (("associate", "王小明", "dev-1"), "this is no pseudonym"),
    (("associate", "P-1", "dev-1", "--by", "Ann"), "--by: 'Ann' is not a lower-case"),
    (("correct", "dev-1", "--since", SINCE, "--reason", "x"), "say either --patient or --nobody"),
    (("correct", "dev-1", "--nobody", "--since", SINCE, "--reason", " "), "--reason: is empty"),
    (("correct", "dev-1", "--nobody", "--since", SINCE, "--reason", "x", "--place", "3"), "--place-kind"),
    (
        ("correct", "dev-1", "--patient", "P-2", "--since", SINCE, "--reason", "x"),
        "say where it was worn",
    ),
    (("history",), "say either a pseudonym or --device"),
    (("limit", "P-1", "hr"), "say --low, --high or both, or --default"),
    (("limit", "P-1", "hr", "--default", "--low", "40"), "say --low, --high or both, or --default"),
    (("limit", "P-1", "hr", "--low", "nan"), "--low: is neither a number"),
    (("limit", "P-1", "hr", "--low", "1e400"), "--low: is neither a number"),
    (("limit", "P-1", "hr", "--high", "900"), "cannot be meant: limits are 15 to 300 /min"),
    (("find",), "say what to look for"),
    (("add", "--facility", "C"), "facility: there is none of this code"),
    (("list", "--under", "C"), "there is no facility"),
    (("add", "--facility", "A", "--category", "neonate", "--news2", "scale-1"), "for adults only"),
]


@pytest.fixture
def patient(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    key_source.create(tmp_path / "keys")
    monkeypatch.setenv("ECGSTREAM_KEYS", str(tmp_path / "keys"))
    return Command(app, ward.make(database_url), capsys)


def add(patient: Command, *words: object) -> str:
    (made,) = patient.json("add", "--facility", "A", *words)
    return str(made["patient"])


def fields(out: str) -> dict[str, str]:
    """The first value of each field of a table of facts."""
    lines = [line.split(maxsplit=1) for line in out.splitlines()[1:] if line.strip()]
    return {line[0]: line[-1] for line in reversed(lines)}


def test_a_night_at_the_ward(patient: Command) -> None:
    wang = add(patient, "--name", "王小明", "--by", "ann")
    out, _ = patient("associate", wang, "dev-1", "--place", "12", "--since", SINCE, "--by", "ann")
    assert fields(out) == {
        "device": "dev-1, bed 12",
        "patient": wang,
        "since": "2026-07-01 08:00:00 Asia/Shanghai = 2026-07-01 00:00:00 UTC",
        "until": "no end",
        "said": fields(out)["said"],
    }
    assert fields(out)["said"].startswith("by ann, 20")
    assert max(map(len, out.splitlines())) <= 80
    _, hint = patient("associate", wang, "dev-2")
    assert f"{wang} also wears dev-1" in hint
    said = patient.refused("associate", "P-2", "dev-1")
    assert f"device dev-1 is worn by {wang} from 2026-07-01 00:00:00 UTC on" in said
    assert "`ecgstream patient end dev-1`" in said
    assert fields(patient("associate", "P-2", "dev-1", "--replace")[0])["patient"] == wang
    assert [row["devices"] for row in patient.json("list", "--under", "A")] == [[], ["dev-1"], ["dev-2"]]
    assert "bed" in fields(patient("show", wang)[0])["wears"]
    patient("end", "dev-1")
    assert "nothing to end; P-2 wore it until" in patient.refused("end", "dev-1")
    patient("correct", "dev-1", "--nobody", "--since", SINCE, "--until", UNTIL, "--reason", "in a drawer")
    rows = patient.json("history", "--device", "dev-1")
    assert [row["patient"] for row in rows if row["superseded_at"] is None] == [None, wang, "P-2"]
    assert {row["superseded_why"] for row in rows if row["superseded_at"]} == {"", "in a drawer"}
    assert "superseded  by operator, 20" in patient("history", wang)[0]
    assert "nothing was ever said" in patient("history", "--device", "dev-9")[1]


def test_json_has_times_in_utc_and_no_time_for_no_end(patient: Command) -> None:
    (row,) = patient.json("associate", "P-1", "dev-1", "--since", SINCE, "--place-kind", "home")
    assert (row["since"], row["until"], row["time_zone"]) == (
        "2026-07-01T00:00:00+00:00",
        None,
        "Asia/Shanghai",
    )
    assert (row["place_kind"], row["place"], row["said_by"]) == ("home", "", "operator")
    assert datetime.fromisoformat(row["said_at"]).utcoffset() == timedelta(0)


def test_what_is_wrong_is_said_in_one_line_and_changes_nothing(patient: Command) -> None:
    for words, why in WRONG:
        said = patient.refused(*words)
        assert why in said
        assert said.isprintable()
    with connect(patient.url) as connection:
        changes = connection.execute("SELECT DISTINCT account FROM ecg.change").fetchall()
    assert changes == [("test",)]


def test_limits_are_shown_with_their_origin(patient: Command) -> None:
    patient("limit", "P-1", "hr", "--low", "40", "--high", "150", "--reason", "athlete", "--by", "ann")
    patient("limit", "P-1", "spo2", "--low", "off")
    hr, _, spo2, *_ = patient.json("limits", "P-1")
    assert (hr["low"], hr["high"], hr["unit"], hr["origin"], hr["said_by"]) == (
        40,
        150,
        "/min",
        "by hand",
        "ann",
    )
    assert (spo2["low"], spo2["high"]) == (None, None)
    assert "hr        40    150   /min    by hand  ann" in patient("limits", "P-1")[0]
    _, hint = patient("set", "P-1", "--category", "neonate")
    assert "Limits set by hand stay, of hr, spo2" in hint
    (hr,) = patient.json("limit", "P-1", "hr", "--default")
    assert (hr["low"], hr["high"], hr["origin"]) == (100, 200, "default")


def test_a_score_is_kept_where_somebody_has_said_so(patient: Command) -> None:
    wang = add(patient)
    assert "off" in patient("show", wang)[0]
    (row,) = patient.json("set", wang, "--news2", "scale-2")
    assert row["news2"] == "SCALE_2"
    assert fields(patient("show", wang)[0])["news2"] == "scale-2"
    _, hint = patient("set", wang, "--category", "paediatric")
    assert "NEWS2 is off now: it is kept of adults only" in hint
    assert "set the category to adult" in patient.refused("set", wang, "--news2", "scale-1")
    (row,) = patient.json("set", wang, "--category", "adult", "--news2", "scale-1")
    assert (row["category"], row["news2"]) == ("ADULT", "SCALE_1")
    li = add(patient, "--news2", "scale-1")
    assert [row["news2"] for row in patient.json("list", "--under", "A") if row["patient"] == li] == [
        "SCALE_1"
    ]


def test_who_it_is_is_shown_only_when_asked_and_only_to_who_answers(patient: Command) -> None:
    wang = add(patient, "--name", "王小明", "--telephone", "0371 6591")
    assert fields(patient("show", wang)[0])["identifiers"] == "name, telephone"
    assert fields(patient("show", wang, "--identifiers", "--by", "ann")[0])["name"] == "王小明"
    for other in ("bob", "tech", "gone"):
        said = patient.refused("show", wang, "--identifiers", "--by", other)
        assert "王" not in said


def test_names_are_read_from_standard_input(patient: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("王小明\n0371 6591\n"))
    wang = add(patient, "--telephone", "-", "--name", "-")
    monkeypatch.setattr(sys, "stdin", io.StringIO("王小明\n"))
    (found,) = patient.json("find", "--name", "-")
    assert found["patient"] == wang
    assert patient.json("find", "--telephone", "03716591") == [found]
    assert "telephone: standard input has ended" in patient.refused("find", "--telephone", "-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("王".encode("gbk")), "utf-8"))
    assert "name: standard input is not in utf-8" in patient.refused("find", "--name", "-")


def test_at_a_terminal_names_are_asked_for(patient: Command) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ecgstream", "patient", "add", "--facility", "A", "--name", "-", "--json"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ECGSTREAM_DATABASE": patient.url},
    )
    os.close(theirs)
    os.write(ours, "王小明\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, err) == (0, b"name: ")
    assert b"P-" in out
    assert len(patient.json("find", "--name", "王小明")) == 1


def test_any_text_is_a_text(patient: Command) -> None:
    for text in NASTY:
        _keeps(patient, text)


def _keeps(patient: Command, text: str) -> None:
    wang = add(patient, "--name", text, "--record-number", text)
    assert [row["patient"] for row in patient.json("find", "--name", text)] == [wang]
    assert fields(patient("show", wang, "--identifiers")[0])["name"] == text
    patient("associate", wang, "dev-1", "--place", text, "--since", SINCE, "--replace")
    patient("correct", "dev-1", "--nobody", "--since", SINCE, "--reason", text)
    patient("limit", wang, "hr", "--low", "40", "--reason", text)
    assert [row["place"] for row in patient.json("history", wang)] == [text]
    assert patient.json("history", wang)[0]["superseded_why"] == text
    assert patient.json("limits", wang)[0]["reason"] == text
    assert text in patient("history", wang)[0]


def test_what_does_harm_is_refused_everywhere_and_not_repeated(patient: Command) -> None:
    patient("associate", "P-1", "dev-1", "--since", SINCE)
    for text in REFUSED:
        _refuses(patient, text)
    assert len(patient.json("list", "--under", "R")) == 3


def _refuses(patient: Command, text: str) -> None:
    for words in (
        ("add", "--facility", "A", "--name", text),
        ("add", "--facility", "A", "--national-id", text),
        ("add", "--facility", "A", "--record-number", text),
        ("add", "--facility", "A", "--telephone", text),
        ("add", "--facility", text),
        ("set", "P-1", "--name", text),
        ("find", "--name", text),
        ("list", "--under", text),
        ("show", text),
        ("associate", text, "dev-2"),
        ("associate", "P-2", text),
        ("associate", "P-2", "dev-2", "--place", text),
        ("associate", "P-2", "dev-2", "--since", text),
        ("correct", "dev-1", "--nobody", "--since", SINCE, "--reason", text),
        ("limit", "P-1", text, "--low", "40"),
        ("limit", "P-1", "hr", "--low", text),
        ("limit", "P-1", "hr", "--low", "40", "--reason", text),
    ):
        said = patient.refused(*words)
        assert len(said) < 400
        assert said.isprintable()


def test_files_come_in_as_a_whole_or_not_at_all(patient: Command, tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    csv_file.write(file, ("facility", "name", "record_number"), [("A", "王小明", "1"), ("B", "李", "1")])
    assert "bob is not clinic or cardiologist at A" in patient.refused("import", file, "--by", "bob")
    assert "Would be: 2 patients" in patient("import", file, "--dry-run")[1]
    assert len(patient.json("list", "--under", "R")) == 3
    made = patient.json("import", file)
    assert [(row["line"], row["facility"]) for row in made] == [(2, "A"), (3, "B")]
    assert {row["patient"] for row in patient.json("find", "--record-number", "1")} == {
        row["patient"] for row in made
    }

    csv_file.write(
        file,
        ("facility", "name", "record_number"),
        [("A", "张", "2"), ("A", "赵", "2"), ("A", "王小明", "1")],
    )
    for dry in ((), ("--dry-run",)):
        said = patient.refused("import", file, *dry)
        assert "2 errors" in said
        assert "line 3: record_number: the same as on line 2" in said
        assert f"line 4: record_number: {made[0]['patient']} has the same at A" in said
        assert not {"张", "赵", "王"} & set(said)
    assert len(patient.json("list", "--under", "R")) == 5


def test_keys_are_renewed(patient: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wang = add(patient, "--name", "王小明")
    app(["keys", "add", str(tmp_path / "keys")], result_action="return_value")
    assert "`ecgstream patient rekey` seals all with it" in capsys.readouterr().err
    assert [row["patient"] for row in patient.json("find", "--name", "王小明")] == [wang]
    assert "1 of 1 identifiers sealed anew with key 20" in patient("rekey")[1]
    assert "0 of 0 identifiers" in patient("rekey")[1]
    lines = (tmp_path / "keys").read_text().splitlines()
    (tmp_path / "keys").write_text(lines[-1])
    assert fields(patient("show", wang, "--identifiers")[0])["name"] == "王小明"


def test_without_keys_only_identifiers_are_refused(patient: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    wang = add(patient, "--name", "王小明")
    monkeypatch.delenv("ECGSTREAM_KEYS")
    add(patient)
    patient("associate", wang, "dev-1")
    patient("show", wang)
    for words in (
        ("add", "--facility", "A", "--name", "王小明"),
        ("find", "--name", "王小明"),
        ("show", wang, "--identifiers"),
        ("set", wang, "--name", "王小明"),
        ("rekey",),
    ):
        assert "no key is set" in patient.refused(*words)


def test_no_name_is_anywhere_but_where_it_is_asked_for(
    patient: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    names = ("王小明", "Zhangsan", "张三丰", "11010519491231002X", "ZY-4711", "03716591")
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "patients.csv"
    columns = ("facility", "name", "national_id", "record_number", "telephone")

    def said(words: tuple[object, ...]) -> str:
        why: object = ""
        try:
            app(
                [*map(str, words), "--database", patient.url],
                exit_on_error=False,
                result_action="return_value",
            )
        except CycloptsError:
            pass  # which was printed
        except SystemExit as end:
            why = end.code
        return f"{capsys.readouterr()} {why}"

    wang = add(patient, "--name", names[0], "--national-id", names[3], "--record-number", names[4])
    csv_file.write(file, columns, [("A", names[1], "", "1", names[5]), ("A", names[2], "", "2", "")])
    session: list[tuple[object, ...]] = [
        ("import", file, "--dry-run"),
        ("import", file),
        ("import", file),  # all of them are there already
        *(
            ("find", f"--{kind}", text)
            for kind in ("name", "national-id", "record-number", "telephone")
            for text in names
        ),
        ("show", wang),
        ("show", wang, "--identifiers", "--by", "bob"),
        ("set", wang, "--name", names[1], "--telephone", names[5]),
        ("set", wang, "--category", names[0]),
        ("add", "--facility", "A", "--national-id", names[3].lower()),
        ("add", "--facility", "A", "--name", names[0] * 80),
        ("add", "--facility", names[1], "--name", names[0]),
        ("add", "--facility", "A", "--name", "Wang", "Zhangsan"),
        ("add", names[0]),
        ("add", "--facility", "A", f"--name{names[1]}", "x"),
        (names[0],),
        *(("show", text) for text in names),
        *(("limits", text) for text in names),
        *(("history", text) for text in names),
        *(("associate", text, "dev-1") for text in names),
        ("associate", wang, "dev-1", "--place-kind", names[0]),
        ("associate", wang, "dev-1", "--place", "3"),
        ("correct", "dev-1", "--patient", names[0], "--since", SINCE, "--reason", "x"),
        ("limit", wang, names[1], "--low", "40"),
        ("limit", wang, "hr", "--low", names[0]),
        ("history", wang),
        ("list", "--under", "R"),
        ("rekey",),
    ]
    for words in session:
        output = said(words)
        assert [name for name in names if name in output] == [], words
    assert [name for name in names if name in caplog.text] == []
    assert names[1] in said(("show", wang, "--identifiers"))
