"""A case that nobody takes calls on behind its due time: a real database, a clock of the test's."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kafka.errors import KafkaTimeoutError

from ecgstream.commands import roster as roster_command
from ecgstream.consulting import store
from ecgstream.consulting.calls import tell
from ecgstream.consulting.case import Act
from ecgstream.consulting.store import Kept, Urgency
from ecgstream.store.connection import connect
from tests.alerts.receiver import Receiver
from tests.system.command import Command
from tests.system.consulting_world import Village
from tests.system.pager_ward import PagerProcess, Ward, until
from tests.system.test_consultation_lives import Taking
from tests.system.test_consultation_story import ON_DUTY, Away, Telling, pages, publish, village, ward

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CALLS = [(0.0, 1, "T"), (0.5, 2, "T"), (1.0, 3, "T"), (1.5, 4, "T"), (2.0, 5, "T"), (2.5, 1, "li")]
"""When, as a share of the time; which call; whom: a facility, or who has asked."""
__all__ = ["village", "ward"]


class Clock:
    """A teller that looks once a minute of its own time; what it tells, and when."""

    def __init__(self, village: Village, case: UUID, kafka: Any = None) -> None:
        self.village = village
        self.case = village.kept(case)
        self.now = self.case.asked_at
        self.kafka = kafka or Taking()

    def step(self) -> int:
        with connect(self.village.url, role="ecg_registry", autocommit=True) as registry:
            return tell(registry, self.kafka, 4, self.now)

    def until(self, end: datetime, step: timedelta = MINUTE) -> list[tuple[float, int, str]]:
        """What is told until a time: when, as a share of the case's time, which call, and whom it calls."""
        found = []
        while self.now <= end:
            before = len(self.kafka.said)
            self.step()
            share = (self.now - self.case.asked_at) / (self.case.due_at - self.case.asked_at)
            for said in self.kafka.said[before:]:
                whom = said.facility.rpartition(".")[2] or said.account.removeprefix(f"t{self.village.mark}_")
                found.append((round(share, 2), said.call, whom))
            self.now += step
        return found


def go(village: Village, case: UUID, name: str, act: Act, **more: Any) -> None:
    with connect(village.url, role="ecg_web") as web:
        seen = village.kept(case).newest
        assert store.go_on(web, case, village.account(name), seen, act, "words", **more) == ""


@pytest.mark.parametrize(
    ("urgency", "step"),
    [(Urgency.EMERGENCY, MINUTE / 2), (Urgency.URGENT, MINUTE), (Urgency.ROUTINE, 12 * MINUTE)],
)
def test_it_calls_level_by_level_then_tells_who_has_asked_and_ends(
    village: Village, urgency: Urgency, step: timedelta
) -> None:
    clock = Clock(village, village.ask(urgency=urgency))
    whole = clock.case.due_at - clock.case.asked_at
    found = clock.until(clock.case.asked_at + 4 * whole, step)
    late = 4 * step / whole  # each may be seen a step later than it is due
    assert [call[1:] for call in found] == [call[1:] for call in CALLS]
    assert [share for share, *_ in found] == pytest.approx([share for share, *_ in CALLS], abs=late + 0.01)
    assert clock.until(clock.case.ends_at, DAY) == []


@pytest.mark.parametrize("what", ["taken", "answered", "withdrawn", "over"])
def test_it_stops_when_somebody_has_it_or_it_is_over(village: Village, what: str) -> None:
    case = village.ask()
    clock = Clock(village, case)
    assert len(clock.until(clock.case.due_at + 61 * MINUTE)) == 4
    if what == "withdrawn":
        go(village, case, "li", Act.WITHDRAWN)
    elif what == "over":
        clock.now = clock.case.ends_at
    else:
        go(village, case, "wang", Act.TAKEN)
    if what == "answered":
        go(village, case, "wang", Act.ANSWERED, report=village.report("wang"))
    told = clock.until(clock.now + DAY / 2, 30 * MINUTE)
    assert [whom for *_, whom in told] == (["li"] if what == "answered" else [])  # that it is answered


def test_who_is_asked_next_is_called_anew(village: Village) -> None:
    """Passed up behind its time: it is due at once, and goes on from there."""
    case = village.ask()
    clock = Clock(village, case)
    clock.until(clock.case.due_at + 61 * MINUTE)
    go(village, case, "wang", Act.TAKEN)
    go(village, case, "wang", Act.PASSED_UP, up_to="C")
    with connect(village.url) as owner:  # as where the database's clock were the test's
        owner.execute(
            "UPDATE ecg.consultation_call"
            " SET due = %s, done_at = CASE WHEN what <> 'due' THEN %s::timestamptz END"
            " WHERE turn = (SELECT max(turn) FROM ecg.consultation_call)",
            (clock.now, clock.now),
        )
    told = clock.until(clock.now + 4 * 60 * MINUTE)
    assert [call[1:] for call in told] == [(3, "C"), (4, "C"), (5, "C"), (1, "li")]


def test_ended_between_kafka_and_the_note_the_same_is_told_and_one_follows(village: Village) -> None:
    case = village.ask()
    clock = Clock(village, case)
    clock.until(clock.case.due_at - MINUTE)
    clock.now, whole = clock.case.due_at, clock.kafka
    for _ in range(2):
        clock.kafka = Away(whole)
        with pytest.raises(KafkaTimeoutError):
            clock.step()
    clock.kafka = whole
    clock.step()
    ids = [said.alert for said in whole.said]
    assert (len(ids), len({*ids})) == (5, 3)  # told three times, it is one call by its id
    assert clock.step() == 0
    assert [call[1:] for call in clock.until(clock.now + 60 * MINUTE)] == [(4, "T")]


def test_a_teller_that_was_away_calls_in_no_burst(village: Village) -> None:
    clock = Clock(village, village.ask())
    clock.until(clock.now + MINUTE)
    clock.now += DAY
    assert [call[1:] for call in clock.until(clock.now)] == [(2, "T"), (3, "T")]
    assert clock.step() == 0


def test_over_a_restart_of_the_pager_each_call_reaches_people_once(
    village: Village, ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(village, tmp_path / "roster.toml", Command(roster_command.app, "", capsys), *ON_DUTY)
    case: Kept = village.kept(village.ask())
    telling, half = Telling(village, ward), (case.due_at - case.asked_at) / 2
    with connect(village.url) as owner:
        owner.execute("UPDATE ecg.consultation_call SET done_at = due WHERE what IN ('asked', 'half')")
    log = tmp_path / "log"
    with Receiver() as receiver:

        def restarted(wanted: list[tuple[str, str]]) -> None:
            pager = PagerProcess(ward.settings, receiver.url, log)
            try:
                until(lambda: pages(receiver, village) == wanted, lambda: pages(receiver, village))
            finally:
                assert pager.end() == 0, log.read_text()

        now, expected = case.due_at, [("sun", "P.C.T"), ("wang", "P.C.T"), ("zhao", "P.C.T")]
        assert telling(now) == 1
        restarted(expected)
        assert telling(now + half - MINUTE) == 0
        for n in (1, 2):
            assert telling(now + n * half) == 1
            more = [("qian", "P.C.T"), ("sun", "P.C.T"), ("wang", "P.C.T"), ("zhao", "P.C.T")]
            expected = sorted([*expected, *more])
            restarted(expected)
        assert telling(now + 3 * half) == 1
        expected = sorted([*expected, ("li", "")])
        restarted(expected)
        assert telling(now + DAY) == 0
        (text,) = [p["text"] for p in receiver.pages.values() if p["account"] == village.account("li")]
    assert "nobody is called for it any more" in text
