"""`ecgstream alert` without a broker: what is shown, in which order, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ecgstream import desk
from ecgstream.commands import alert as command
from schemas.records import Act, Alert, AlertState, Phase, Priority
from tests.alerts.timeline import SECOND, SESSION, Timeline
from tests.system.command import Command

ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState

TAKEN = {"acknowledged_by": "li", "reason": "at the bedside", "acknowledged_ns": SESSION}


def alert(id_: str, state: AlertState = ACTIVE, code: str = "ASYSTOLE", **more: Any) -> Alert:
    t = Timeline()
    t.at(4, Phase.ONSET, code)
    return replace(t.said[0], id=id_, state=state, **more)


told: list[dict[str, object]] = []
"""To the audit log."""


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Alert]:
    found = [
        alert("11111111-a", ENDED, "SPO2_LOW", priority=Priority.MEDIUM, device="mon-1"),
        alert("22222222-a", ACTIVE, "SPO2_LOW", priority=Priority.MEDIUM, device="mon-1", patient=""),
        alert(
            "33333333-a", ACKNOWLEDGED, acknowledged_by="li", reason="at the bedside", acknowledged_ns=SESSION
        ),
        alert("33333333-b", LATE, end_ns=SESSION + 90 * SECOND, evidence={"pause_s": float("nan")}),
        alert("44444444-a", LATCHED),
        alert("55555555-a", ACTIVE, onset_ns=SESSION + SECOND),
        alert("66666666-a", ACTIVE, onset_ns=SESSION),
        alert("77777777-a", ACTIVE, "LEAD_OFF", priority=Priority.LOW, device="mon-2"),
    ]
    alerts = {a.id: a for a in found}
    told.clear()
    monkeypatch.setattr(desk, "alerts", lambda settings: alerts)
    monkeypatch.setattr(desk, "note", lambda *_, **about: told.append(about))
    monkeypatch.setattr(command.time, "time_ns", lambda: SESSION + 7500 * SECOND)
    monkeypatch.setenv("ECGSTREAM_KAFKA", "nowhere:1")
    return alerts


@pytest.fixture
def ecgstream_alert(known: dict[str, Alert], capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(command.app, "postgresql://nobody@127.0.0.1:1/none", capsys)


def test_open_alerts_are_listed_the_worst_first(ecgstream_alert: Command) -> None:
    out, _ = ecgstream_alert("list")
    lines = out.splitlines()
    assert [line.split()[1][:2] for line in lines[1:]] == ["55", "66", "33", "44", "33", "22", "77"]
    assert [line.split()[0] for line in lines[1:]] == ["!!!"] * 5 + ["!!", "!"]
    assert lines[2].split(maxsplit=7) == [
        *("!!!", "66666666-a", "ACTIVE", "Asystole", "dev-1", "p-1", "2023-11-14T22:13:20.000Z"),
        "2 h 5 min",
    ]
    assert "LATE, known only when it was over" in lines[3]
    assert lines[5].endswith("li: at the bedside")
    assert "unassigned" in lines[6]
    assert "11111111" not in out


def test_ids_are_as_long_as_tells_them_apart(ecgstream_alert: Command) -> None:
    out, _ = ecgstream_alert("list", "--all")
    assert "33333333-a" in out
    assert "11111111-a" in out


def test_one_device_s(ecgstream_alert: Command) -> None:
    out, _ = ecgstream_alert("list", "--device", "mon-2")
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["77777777-a"]
    out, said = ecgstream_alert("list", "--device", "mon-9")
    assert (out, said) == ("", "no alert is open\n")


def test_as_json(ecgstream_alert: Command) -> None:
    found = {row["alert"]: row for row in json.loads(ecgstream_alert("list", "--json")[0])}
    assert len(found) == 7
    late, taken = found["33333333-b"], found["33333333-a"]
    assert (late["state"], late["end"], late["evidence"]) == (
        "LATE",
        "2023-11-14T22:14:50.000Z",
        {"pause_s": None},
    )
    assert (taken["acknowledged_by"], taken["reason"]) == ("li", "at the bedside")
    assert found["22222222-a"]["patient"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("33333333", "--by", "li", "--reason", "seen"),
            "2 alerts begin with '33333333': 33333333-a (ASYSTOLE",
        ),
        (
            ("999999", "--by", "li", "--reason", "seen"),
            "no alert begins with '999999': `ecgstream alert list`",
        ),
        (("55", "--by", "li", "--reason", "seen"), "at least 4 characters"),
        (("5555", "--by", "Li Wei", "--reason", "seen"), "--by: 'Li Wei' is not"),
        (("5555", "--by", "li", "--reason", "  "), "--reason: say why"),
        (("5555", "--by", "li", "--reason", "x" * 501), "--reason: say why"),
    ],
)
def test_what_cannot_be_acknowledged_is_one_line(
    ecgstream_alert: Command, words: tuple[str, ...], says: str
) -> None:
    said = ecgstream_alert.refused("acknowledge", *words)
    assert says in said
    assert "\n" not in said.strip()


def test_who_acknowledges_is_told_what(
    ecgstream_alert: Command, known: dict[str, Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []

    def say_of(settings: object, of: Alert, by: str, reason: str, act: Act, silent_s: float) -> Alert:
        assert (act, silent_s) == (Act.ACKNOWLEDGE, 0.0)
        asked.append((of.id, by, reason))
        return replace(of, state=ACKNOWLEDGED, acknowledged_by=by, reason=reason, acknowledged_ns=SESSION)

    monkeypatch.setattr(desk, "say_of", say_of)
    _, said = ecgstream_alert("acknowledge", "5555", "--by", "li", "--reason", " at the\nbedside ")
    assert asked == [("55555555-a", "li", "at the bedside")]
    assert said == ("acknowledged at 2023-11-14T22:13:20.000Z: Asystole on dev-1, 2023-11-14T22:13:21.000Z\n")


def test_the_account_may_come_from_the_environment(
    ecgstream_alert: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", "wang")
    monkeypatch.setattr(desk, "say_of", lambda *_: None)
    _, said = ecgstream_alert("acknowledge", "5555", "--reason", "seen")
    assert said.startswith("written down; the pager has not answered yet")


def test_what_needs_no_acknowledgement_is_said(
    ecgstream_alert: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "say_of", lambda *_: pytest.fail("nothing is to be written"))
    _, said = ecgstream_alert("acknowledge", "1111", "--by", "li", "--reason", "seen")
    assert said.startswith("nothing to acknowledge: SpO2 below its limit on mon-1")
    _, said = ecgstream_alert("acknowledge", "33333333-a", "--by", "wang", "--reason", "seen")
    assert said.startswith("acknowledged already by li (at the bedside) at ")


def test_who_was_first_is_told_to_the_second(
    ecgstream_alert: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = alert("55555555-a", ACKNOWLEDGED, acknowledged_by="li", reason="mine", acknowledged_ns=SESSION)
    monkeypatch.setattr(desk, "say_of", lambda *_: first)
    _, said = ecgstream_alert("acknowledge", "5555", "--by", "wang", "--reason", "seen")
    assert said.startswith("acknowledged already by li (mine) at ")


def test_who_cannot_come_is_told_that_others_are_called(
    ecgstream_alert: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "say_of", lambda _, of, *words: of if words[2] is Act.REJECT else None)
    _, said = ecgstream_alert("reject", "5555", "--by", "li", "--reason", "in theatre")
    assert said.startswith("rejected; the next on duty are called now")


def test_who_wants_silence_is_told_until_when(
    ecgstream_alert: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say_of(settings: object, of: Alert, by: str, reason: str, act: Act, silent_s: float) -> Alert:
        assert (act, silent_s) == (Act.SILENCE, 90.0)
        return replace(of, state=SILENCED, silenced_until_ns=SESSION + 90 * SECOND)

    monkeypatch.setattr(desk, "say_of", say_of)
    _, said = ecgstream_alert("silence", "5555", "--by", "li", "--reason", "on my way", "--for", "90")
    assert said.startswith("silenced until 2023-11-14T22:14:50.000Z; then people are called again: Asystole")


def test_an_alert_shows_what_became_of_it(ecgstream_alert: Command, known: dict[str, Alert]) -> None:
    t = Timeline()
    t.at(4, Phase.ONSET)
    t.acknowledge(30, "li", "at the bedside")
    known[t.said[-1].id] = t.said[-1]
    out, said = ecgstream_alert("show", t.said[-1].id[:8])
    assert "!!! Asystole on dev-1" in said
    assert [line.split()[1:] for line in out.splitlines()[1:]] == [
        ["ACTIVE", "the", "pager"],
        ["CALLED", "the", "pager"],
        ["ACKNOWLEDGED", "li", "at", "the", "bedside"],
    ]


def test_without_an_address_it_says_so(monkeypatch: pytest.MonkeyPatch, ecgstream_alert: Command) -> None:
    monkeypatch.setenv("ECGSTREAM_KAFKA", "")
    assert "no kafka address" in ecgstream_alert.refused("list")


def test_that_somebody_looks_is_told_to_the_audit_log(ecgstream_alert: Command) -> None:
    ecgstream_alert("list", "--device", "mon-1")
    ecgstream_alert("show", "5555")
    listed, shown = told
    assert (listed["command"], listed["device"], listed["patients"]) == ("alert list", "mon-1", [""])
    assert (shown["command"], shown["patient"]) == ("alert show", "p-1")
