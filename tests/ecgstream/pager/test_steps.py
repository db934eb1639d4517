"""The pager's steps in memory: a failure between any two of them loses no page and repeats none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from prometheus_client import REGISTRY

from alerts.clear import SETTLED_S
from alerts.notify import NotifyError, Reason
from alerts.told import Told
from ecgstream.pager import service
from ecgstream.pager.note import Note
from schemas import topics
from schemas.records import Acknowledgement, Alert, AlertState, Condition, NotificationState, Phase, Priority
from tests.alerts.timeline import SESSION, condition
from tests.ecgstream.pager.fake_kafka import SECOND, PowerCutError, Process, World, live_through
from tests.ecgstream.pager.stories import AWAY, STORY, acknowledgement, states, story, world

ONSET, UPDATE, END = Phase
ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState
DUE, SENT, FAILED = NotificationState
HOUR = 3600
REFUSED = NotifyError(Reason.REFUSED, retryable=False)
CONDITIONS = TopicPartition(topics.CONDITIONS.name, 0)


def counted(state: str, reason: str = "") -> float:
    labels = {"channel": "webhook", "state": state, "reason": reason}
    return REGISTRY.get_sample_value("ecgstream_pager_notifications_total", labels) or 0


# -- the order


def test_the_docstring_numbers_the_steps() -> None:
    steps = re.findall(r"^(\d)\. (.*)", service.__doc__ or "", re.MULTILINE)
    assert [number for number, _ in steps] == list("123456")


def test_alerts_come_before_the_log_before_the_commit_before_the_page() -> None:
    found = world(4, condition(4, ONSET), condition(4, ONSET, "LEAD_OFF"))
    Process(found).settle()
    assert found.acts == ["alert ACTIVE", "alert ACTIVE", "log DUE", "commit", "page", "log SENT"]
    assert states(found) == {"ASYSTOLE dev-1": ACTIVE, "LEAD_OFF dev-1": ACTIVE}
    assert list(found.told().values()) == ["RAISED ASYSTOLE dev-1"]


def test_without_a_channel_nothing_is_owed() -> None:
    found = world(4, condition(4, ONSET))
    process = Process(found, channel=False)
    process.settle()
    assert found.acts == ["alert ACTIVE", "commit"]


# -- a failure between any two steps


def outcome(found: World) -> tuple[dict[str, Alert], dict[str, str], set[NotificationState]]:
    """What must be the same, whatever happened on the way; not when it was, nor from which repeat."""
    timeless: dict[str, Any] = {"raised_ns": 0, "updated_ns": 0, "offset": 0}
    alerts = {
        id_: replace(
            a,
            acknowledged_ns=a.acknowledged_ns and 1,
            history=tuple(replace(turn, at_ns=0) for turn in a.history),
            **timeless,
        )
        for id_, a in found.alerts().items()
    }
    return alerts, found.told(), set(found.notifications().values())


def undisturbed() -> World:
    found = story()
    assert live_through(found) == 1
    return found


ACTS = undisturbed().acts


def test_the_story_has_every_kind_of_act() -> None:
    assert {"alert ACTIVE", "alert LATCHED", "alert ENDED", "log DUE", "log SENT", "commit", "page"} == set(
        ACTS
    )
    assert sorted(undisturbed().told().values()) == ["RAISED ASYSTOLE dev-1", "RAISED SPO2_LOW dev-1"]


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    "act", range(len(ACTS)), ids=[f"{i}-{a.replace(' ', '-')}" for i, a in enumerate(ACTS)]
)
def test_a_power_cut_before_or_behind_any_act_changes_nothing(act: int, behind: bool) -> None:
    found = story()
    found.cuts = {act: behind}
    assert live_through(found) == 2
    assert outcome(found) == outcome(undisturbed())
    # At most the page that was under way comes twice, and with the key that it had.
    assert len(found.received) <= len(found.told()) + 1


def live_until_it_is_over(found: World, cuts: dict[int, bool]) -> None:
    """Live on until those who were called have been told; ``cuts``: by acts from now on."""
    found.now_ns += round(SETTLED_S) * SECOND
    found.cuts = {len(found.acts) + act: behind for act, behind in cuts.items()}
    live_through(found)


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("act", range(6))
def test_a_power_cut_around_the_word_that_it_is_over_changes_nothing(act: int, behind: bool) -> None:
    found, peaceful = undisturbed(), undisturbed()
    before = len(peaceful.acts)
    live_until_it_is_over(peaceful, {})
    assert peaceful.acts[before:] == ["alert ENDED", "log DUE", "page", "log SENT"]
    live_until_it_is_over(found, {act: behind})
    assert outcome(found) == outcome(peaceful)
    assert sorted(found.told().values()) == [
        "CLEARED SPO2_LOW dev-1",
        "RAISED ASYSTOLE dev-1",
        "RAISED SPO2_LOW dev-1",
    ]
    assert len(found.received) <= len(found.told()) + 1


@pytest.mark.parametrize("refused", ["alert", "log DUE", "log SENT", "commit"])
def test_a_broker_that_refuses_for_a_while_loses_nothing_and_needs_no_restart(refused: str) -> None:
    found = story()
    process = Process(found)
    found.refused = {refused}
    for _ in range(20):
        found.now_ns += SECOND
        process.pager.step()
    assert process.pager.counts.failures > 0
    found.refused = set()
    process.settle()
    assert outcome(found) == outcome(undisturbed())
    assert len(found.received) == len(found.told())  # what was sent is known, if not written down


CONDITION_CODES = ["ASYSTOLE", "VENTRICULAR_TACHYCARDIA", "SPO2_LOW", "LEAD_OFF", "LINK_LOST"]


@st.composite
def logs(draw: st.DrawFn) -> list[Condition]:
    """A partition's conditions as a worker that catches up writes them, with repeats; the present is 1 h."""
    found: list[Condition] = []
    for n in range(draw(st.integers(1, 5))):
        began = draw(st.sampled_from([0.0, 1000.0, 3590.0]))
        lasts = draw(st.sampled_from([4.0, 20.0, None]))
        ended = HOUR - 1.0 if lasts is None else min(began + 4 + lasts, HOUR - 1.0)
        code, onset = draw(st.sampled_from(CONDITION_CODES)), began + n / 8
        phases = [condition(onset + 4, ONSET, code, onset)]
        phases += [condition(ended - 1, UPDATE, code, onset)] * draw(st.integers(0, 1))
        phases += [condition(ended, UPDATE if lasts is None else END, code, onset)]
        found += phases
    found.sort(key=lambda c: c.time_ns)
    again = draw(st.integers(0, len(found)))  # a worker that crashed writes from there on again
    written = [*found[:again], *found[draw(st.integers(0, again)) :]]
    return [replace(c, offset=found.index(c)) for c in written]


@settings(deadline=None)
@given(
    log=logs(),
    cuts=st.dictionaries(st.integers(0, 60), st.booleans(), max_size=6),
    batches=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    failures=st.lists(st.sampled_from([None, AWAY]), max_size=6),
    acknowledged=st.booleans(),
)
def test_whatever_crashes_and_is_read_again_alerts_and_pages_are_the_same(
    log: list[Condition],
    cuts: dict[int, bool],
    batches: tuple[int, int],
    failures: list[NotifyError | None],
    acknowledged: bool,
) -> None:
    results = []
    for batch, power in zip(batches, ({}, cuts), strict=True):
        found = world(HOUR, *log)
        found.cuts = dict(power)
        found.answers = list(failures) if power else []
        live_through(found, batch=batch)
        if acknowledged:
            for id_ in sorted(found.alerts()):
                found.acknowledgement(Acknowledgement(f"ack {id_}", id_, "li", "seen", 0))
            live_through(found, batch=batch)
        found.now_ns += round(SETTLED_S) * SECOND  # what is over is told
        live_through(found, batch=batch)
        results.append(outcome(found))
    assert results[0] == results[1]
    alerts, told, log_states = results[0]
    assert log_states <= {SENT}
    for alert in alerts.values():
        paged = f"RAISED {alert.condition} {alert.device}" in told.values()
        assert paged or alert.priority is Priority.LOW or alert.state in (LATE, ENDED)
    assert all(alert.state is not ACTIVE for alert in alerts.values()) or not acknowledged
    over = {f"{a.condition} {a.device}" for a in alerts.values() if a.priority is Priority.MEDIUM}
    assert {what.partition(" ")[2] for what in told.values() if what.startswith("CLEARED")} <= over


# -- rebalances


def test_a_partition_that_is_taken_away_and_comes_back_changes_nothing() -> None:
    found = story()
    process = Process(found, batch=1)
    for _ in range(12):
        process.member.revoking = process.member.assignment
        process.pager.step()
    process.settle()
    assert outcome(found) == outcome(undisturbed())


def test_what_waits_moves_with_its_partition() -> None:
    found = world(HOUR, condition(4, ONSET), condition(5, ONSET, "LEAD_OFF"))
    first = Process(found)
    first.pager.step()
    assert found.alerts() == {}
    offset, note = found.committed[CONDITIONS]
    assert (offset, Note.of(offset, note, 0).read_from) == (
        2,
        0,
    )  # it has read them, and they must be read again
    found.condition(condition(9, END))
    Process(found).settle(1)  # the next owner
    assert states(found) == {"ASYSTOLE dev-1": LATE}
    offset, note = found.committed[CONDITIONS]
    assert (offset, Note.of(offset, note, 0).read_from) == (3, 1)  # the lead that is off still waits


@pytest.mark.parametrize("steps", range(8))
def test_while_it_is_read_again_a_crash_forgets_nothing_that_waits(steps: int) -> None:
    """The first that waits is told while the second has not been read again."""
    codes = ("ASYSTOLE", "SPO2_LOW", "VENTRICULAR_TACHYCARDIA")
    onsets = [condition(4 + n, ONSET, code) for n, code in enumerate(codes)]
    found = world(HOUR, onsets[0], condition(20, END), *onsets[1:])
    found.committed[CONDITIONS] = (4, str(Note(0, Told.of(None, found.now_ns))))
    interrupted = Process(found, batch=1)
    for _ in range(steps):
        interrupted.pager.step()
    for code in codes[1:]:
        found.condition(condition(30, END, code))
    Process(found, batch=1).settle()
    assert set(states(found).values()) == {LATE}
    assert len(found.told()) == 3


def test_records_of_a_partition_that_is_not_ours_are_left_to_its_owner() -> None:
    found = World(SESSION + 12 * SECOND, partitions=(0, 1))
    found.condition(STORY[0], partition=1)
    process = Process(found)
    process.pager._rebuild({})
    found.partitions = {0}
    process.pager._lose({TopicPartition(topics.CONDITIONS.name, 1)})
    left = process.pager._answer({TopicPartition(topics.CONDITIONS.name, 1): found.log[CONDITIONS]})
    assert left == {TopicPartition(topics.CONDITIONS.name, 1)}
    assert found.acts == []


# -- the channel


def test_a_dead_channel_delays_no_alert_and_drops_no_page() -> None:
    found = world(4, *(condition(4, ONSET, device=f"dev-{n}") for n in range(60)))
    process = Process(found)
    process.sender.limit = 0
    process.settle()
    assert len(found.alerts()) == 60
    assert found.committed[CONDITIONS][0] == 60
    assert set(found.notifications().values()) == {DUE}
    assert REGISTRY.get_sample_value("ecgstream_pager_open_alerts") == 60
    assert (REGISTRY.get_sample_value("ecgstream_pager_oldest_due_seconds") or 0) > 20
    process.sender.limit = 16
    process.settle()
    assert len(found.received) == len(found.told()) == 60
    assert set(found.notifications().values()) == {SENT}


def test_the_most_urgent_is_sent_first_then_what_is_due_for_longer() -> None:
    found = world(4, *(condition(4, ONSET, "SPO2_LOW", device=f"m-{n}") for n in range(5)))
    process = Process(found, room=0)
    process.settle(1)
    found.condition(condition(4, ONSET, device="high-1"))
    process.settle(1)
    found.condition(condition(4, ONSET, device="high-2"))
    process.settle(1)
    process.sender.limit = 3
    process.settle(1)
    assert [page.device for page in found.received][:2] == ["high-1", "high-2"]
    process.settle()
    assert len(found.received) == 7


def test_that_something_is_over_waits_for_whatever_is_not() -> None:
    found = undisturbed()
    found.now_ns += round(SETTLED_S) * SECOND
    process = Process(found, room=0)
    process.settle(1)
    assert DUE in found.notifications().values()
    found.condition(condition(SETTLED_S + 40, ONSET, "HEART_RATE_HIGH", SETTLED_S + 36, device="dev-2"))
    process.settle(1)
    process.sender.limit = 16
    process.settle(1)
    assert [page.what for page in found.received[-2:]] == ["RAISED", "CLEARED"]


def test_what_no_retry_can_help_is_given_up_and_counted_and_the_others_go_on() -> None:
    found = world(4, condition(4, ONSET, device="dev-1"), condition(4, ONSET, device="dev-2"))
    found.answers = [REFUSED]
    given_up = counted("FAILED", "refused")
    process = Process(found)
    process.settle()
    assert sorted(found.notifications().values()) == [FAILED, SENT]
    assert counted("FAILED", "refused") == given_up + 1
    Process(found).settle()
    assert len(found.received) == 1


def test_an_alert_of_a_pager_without_a_channel_is_told_once_there_is_one() -> None:
    found = world(4, condition(4, ONSET))
    process = Process(found, channel=False)
    process.settle()
    Process(found).settle()
    assert list(found.told().values()) == ["RAISED ASYSTOLE dev-1"]


# -- acknowledgements, bad records


def test_an_acknowledgement_stops_at_nothing_that_is_wrong_with_it() -> None:
    found = world(4, condition(4, ONSET))
    for topic in (topics.CONDITIONS.name, topics.ACKNOWLEDGEMENTS.name):
        for value in (b"nonsense", b"", None):
            found.raw(value, topic)
    found.acknowledgement(replace(acknowledgement(), alert="unknown"))
    Process(found).settle()
    found.acknowledgement(acknowledgement(by="li"))
    found.acknowledgement(acknowledgement(by="li"))
    found.acknowledgement(acknowledgement(by="wang"))
    process = Process(found)
    process.settle()
    (alert,) = found.alerts().values()
    assert (alert.state, alert.acknowledged_by) == (ACKNOWLEDGED, "li")
    assert process.pager.counts.acknowledgements == 3
    assert len([act for act in found.acts if act == "alert ACKNOWLEDGED"]) == 1


def test_who_acknowledges_before_the_page_could_be_sent_is_named_on_it() -> None:
    found = world(4, condition(4, ONSET))
    process = Process(found, room=0)
    process.settle()
    found.acknowledgement(acknowledgement())
    process.settle()
    process.sender.limit = 16
    process.settle()
    assert "acknowledged by li" in found.received[0].text


def test_a_power_cut_is_one() -> None:
    found = story()
    found.cuts = {0: False}
    with pytest.raises(PowerCutError):
        Process(found).settle()


def test_in_a_play_ages_are_meant_in_the_signals_time() -> None:
    """The gateway's stamp is the wall clock's, an hour from the signals' time in this play."""
    played = [condition(9, phase, sent_s=9 + HOUR) for phase in (ONSET, END)]
    found = world(200, *played)
    Process(found, signal_ns=lambda wall_ns: wall_ns - HOUR * SECOND).settle()
    assert states(found) == {"ASYSTOLE dev-1": LATE}
    in_time = world(20, *played)
    Process(in_time, signal_ns=lambda wall_ns: wall_ns - HOUR * SECOND).settle()
    assert states(in_time) == {"ASYSTOLE dev-1": LATCHED}
