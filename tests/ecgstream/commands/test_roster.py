"""`ecgstream roster` on files: what is shown, what is refused, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecgstream.commands import roster as command

EXAMPLE = Path(__file__).resolve().parents[3] / "fixtures" / "roster.toml"
NOW = datetime(2026, 11, 27, 2, tzinfo=UTC)  # a Friday, ten in the morning in Henan

NIGHTS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Asia/Shanghai:20261101T173000
DTEND;TZID=Asia/Shanghai:20261101T200000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU
EXDATE;TZID=Asia/Shanghai:20261201T173000
SUMMARY:chen
END:VEVENT
END:VCALENDAR
"""

Run = Callable[..., tuple[str, str, int]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; what it said on stdout and on stderr, and its exit status."""
    monkeypatch.setattr(command.time, "time_ns", lambda: int(NOW.timestamp()) * 1_000_000_000)

    def call(*words: object) -> tuple[str, str, int]:
        why: object = 0
        capsys.readouterr()
        try:
            command.app([str(word) for word in words], exit_on_error=False, result_action="return_value")
        except SystemExit as end:
            why = end.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return (out, why, 1) if isinstance(why, str) else (out, err, int(str(why or 0)))

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(tmp_path / "roster.toml").absolute()


@pytest.fixture
def example(file: Path) -> Path:
    file.write_text(EXAMPLE.read_text())
    return file


def changed(file: Path, old: str, new: str) -> Path:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    return file


def test_a_roster_in_order_has_a_version(run: Run, example: Path) -> None:
    out, said, status = run("check", example)
    assert (out, status) == ("", 0)
    assert said.startswith(f"{example}: nothing is wrong; version ")
    found = json.loads(run("check", example, "--json")[0])
    assert (found["problems"], len(found["version"])) == ([], 32)


def test_all_that_is_wrong_is_told(run: Run, example: Path) -> None:
    changed(example, 'person = "wang"', 'person = "lu"')
    changed(example, 'fallback = "henan"', 'fallback = "h1"')
    _, said, status = run("check", example)
    assert status == 1
    assert said.splitlines() == [
        f"ecgstream: {example}: 2 errors:",
        "  fallback: team h1 must not be part_time, nor have a skill or the green_channel",
        "  weekly 2 (henan, lu): 'lu' is unknown: no [[person]] has this account",
    ]
    out, _, status = run("check", example, "--json")
    assert (len(json.loads(out)["problems"]), status) == (2, 1)


def test_regions_are_compared_with_the_facilities_that_there_are(
    run: Run, example: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree.csv"
    head = "code,parent,level,kind,name_en,name_zh,time_zone,contact\n"
    tree.write_text(head + "henan,,province,authority,Henan,,Asia/Shanghai,\n")
    _, said, status = run("check", example, "--facilities", tree)
    assert status == 1
    assert "team h1: there is no facility 'h1'" in said


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "is no text in UTF-8: save it as UTF-8"),
        (b"x = ", "this is no TOML: "),
        (b"", "version: is missing"),
        (b" " * 5_000_001, "is larger than 5 MB: is it the right file?"),
    ],
)
@pytest.mark.parametrize("words", [("check",), ("show",), ("holes",), ("who", "--facility", "h1")])
def test_what_is_no_roster_is_said(
    run: Run, file: Path, data: bytes | None, says: str, words: tuple[str, ...]
) -> None:
    if data is not None:
        file.write_bytes(data)
    _, said, status = run(words[0], file, *words[1:])
    assert status == 1
    assert said.startswith(f"ecgstream: {file}")
    assert says in said


def test_a_byte_order_mark_does_no_harm(run: Run, example: Path) -> None:
    example.write_text(example.read_text(), "utf-8-sig")
    assert run("check", example)[2] == 0


def test_days_are_shown_in_the_team_s_time(run: Run, example: Path) -> None:
    out, _, _ = run("show", example, "--team", "henan", "--days", 4)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["day", "team", "from", "to", "on", "duty", "back-up"]
    assert lines[1:4] == [
        ["2026-11-27", "Fri", "henan", "00:00", "08:00", "wang", "zhao,", "zhang"],
        ["2026-11-27", "Fri", "henan", "08:00", "20:00", "li", "zhao,", "zhang,", "wang"],
        ["2026-11-27", "Fri", "henan", "20:00", "00:00", "wang", "zhao,", "zhang"],
    ]
    assert lines[5] == ["2026-11-28", "Sat", "henan", "08:00", "20:00", "zhang", "li"]
    assert lines[11] == ["2026-11-30", "Mon", "henan", "08:00", "20:00", "zhao", "zhang,", "wang"]
    (row,) = [
        r for r in json.loads(run("show", example, "--json", "--days", 1)[0]) if r["on duty"] == ["chen"]
    ]
    assert (row["from"], row["to"]) == ("2026-11-27T00:00:00.000Z", "2026-11-27T09:30:00.000Z")


def test_a_hole_is_shown_and_what_is_meant_to_be_empty_is_said_to_be(run: Run, example: Path) -> None:
    changed(example, 'days = ["sat", "sun", "holiday"]', 'days = ["sun", "holiday"]')
    out, _, _ = run("show", example, "--days", 2)
    assert "2026-11-28 Sat  henan          08:00  20:00  NOBODY" in out
    assert "2026-11-28 Sat  h1             00:00  00:00  (the enclosing region's team)" in out


def test_holes_have_the_exit_status_of_an_error(run: Run, example: Path) -> None:
    assert run("holes", example, "--days", 366) == ("", "somebody is on duty in every team for 366 days\n", 0)
    changed(example, 'days = ["sat", "sun", "holiday"]', 'days = ["sun", "holiday"]')
    out, _, status = run("holes", example)
    assert status == 1
    assert [line.split() for line in out.splitlines()] == [
        ["team", "from", "to", "hours"],
        ["henan", "2026-11-28", "08:00", "2026-11-28", "20:00", "12"],
    ]
    out, _, status = run("holes", example, "--json")
    assert status == 1
    assert json.loads(out) == [
        {"team": "henan", "from": "2026-11-28T00:00:00.000Z", "to": "2026-11-28T12:00:00.000Z", "hours": 12.0}
    ]


def test_who_is_paged_step_by_step(run: Run, example: Path) -> None:
    out, _, _ = run("who", example, "--facility", "henan/zhengzhou/h1", "--priority", "medium")
    rows = [line.split(maxsplit=4) for line in out.splitlines()[1:]]
    assert [(row[1], row[3], row[4].split()[0]) for row in rows] == [
        ("0", "10:00:00", "chen"),
        ("180", "10:03:00", "li"),
        ("600", "10:10:00", "chen,"),
    ]
    assert rows[1][4].endswith("h1    on duty in henan, as no back-up is there")
    found = json.loads(
        run("who", example, "--facility", "henan/h1", "--at", "2026-11-28T03:00:00+08:00", "--json")[0]
    )
    assert [(row["after_s"], row["at"], row["who"]) for row in found] == [
        (0, "2026-11-27T19:00:00.000Z", ["wang"]),
        (60, "2026-11-27T19:01:00.000Z", ["zhao"]),
        (120, "2026-11-27T19:02:00.000Z", ["li", "wang", "zhang", "zhao", "h1_ward"]),
    ]
    (green, *_) = json.loads(run("who", example, "--facility", "henan", "--green-channel", "--json")[0])
    assert (green["who"], green["team"]) == (["sun"], "green channel")
    (skilled, *_) = json.loads(
        run("who", example, "--facility", "henan/h1", "--skill", "pacing", "--json")[0]
    )
    assert skilled["who"] == ["li"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("who", "--facility", "a//b"), "--facility: '' is not 1 to 32"),
        (("who", "--facility", "h1", "--at", "2026-11-28T03:00"), "--at: '2026-11-28T03:00' has no offset"),
        (("show", "--days", "0"), "--days: 0 is not 1 to 366"),
        (("show", "--team", "h9"), "there is no team 'h9'; there are henan, h1, green channel"),
        (("holes", "--days", "400"), "--days: 400 is not 1 to 366"),
    ],
)
def test_what_cannot_be_asked_is_one_line(run: Run, example: Path, words: tuple[str, ...], says: str) -> None:
    _, said, status = run(words[0], example, *words[1:])
    assert (status, says in said, "\n" in said.strip()) == (1, True, False)


@pytest.fixture
def calendar(tmp_path: Path) -> Path:
    found = tmp_path / "h1.ics"
    found.write_text(NIGHTS)
    return found


def test_a_calendar_is_imported_and_imported_again(run: Run, example: Path, calendar: Path) -> None:
    before = example.read_text()
    words = ("import-ics", calendar, "--team", "h1", "--into", example, "--days", 14)
    out, said, status = run(*words, "--dry-run")
    assert (said, status, example.read_text()) == ("would be imported for team h1: 3 shifts\n", 0, before)
    assert out.splitlines()[1] == "chen  2026-11-30T17:30:00+08:00  2026-11-30T20:00:00+08:00"
    assert run(*words) == ("", "imported for team h1: 3 shifts\n", 0)
    after = example.read_text()
    assert after.startswith(before)
    assert run(*words)[2] == 0
    assert example.read_text() == after
    assert [path.name for path in sorted(example.parent.iterdir())] == ["h1.ics", "roster.toml"]
    assert "17:30  20:00  chen" in run("show", example, "--team", "h1", "--days", 4)[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("SUMMARY:chen", "SUMMARY:nobody", "the event of 2026-11-01 17:30: neither ATTENDEE, SUMMARY nor"),
        ("SUMMARY:chen", "SUMMARY:li", "dated 1 (h1, li): li is no member of team h1"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,TU", "X:1", "has no shift in the 92 days from now: nothing was written"),
        ("BEGIN:VCALENDAR", "BEGIN", "this is no calendar"),
    ],
)
def test_where_anything_is_wrong_nothing_is_written(
    run: Run, example: Path, calendar: Path, old: str, new: str, says: str
) -> None:
    calendar.write_text(NIGHTS.replace(old, new))
    before = example.read_text()
    _, said, status = run("import-ics", calendar, "--team", "h1", "--into", example)
    assert (status, says in said, example.read_text()) == (1, True, before), said


def test_an_overlap_with_what_is_there_is_not_written(run: Run, example: Path, calendar: Path) -> None:
    changed(example, 'members = ["chen"]', 'members = ["chen", "sun"]')
    calendar.write_text(NIGHTS.replace("SUMMARY:chen", "SUMMARY:sun").replace("T173000", "T120000"))
    _, said, status = run("import-ics", calendar, "--team", "h1", "--into", example)
    assert status == 1
    assert "sun (dated 1) and chen (weekly 4) are both on duty 2026-11-30 12:00 to 17:30" in said
    assert said.endswith("\nNothing was written.")
