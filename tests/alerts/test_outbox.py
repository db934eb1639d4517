"""The notification log: what is due, when it is tried again, and what a crash leaves of it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.notify import NotifyError, Reason
from alerts.outbox import Outbox
from alerts.retry import LONGEST_S, delay_s
from schemas.records import Alert, AlertState, Notification, NotificationState, Phase
from tests.alerts.timeline import SECOND, SESSION, Timeline

DUE, SENT, FAILED = NotificationState
AWAY = NotifyError(Reason.UNREACHABLE, retryable=True)
REFUSED = NotifyError(Reason.REFUSED, retryable=False)


def outbox() -> Outbox:
    return Outbox(lambda _: ("webhook",), jitter=lambda: 0.0)


def at(s: float) -> int:
    return SESSION + round(s * SECOND)


def raised(code: str = "ASYSTOLE") -> Alert:
    t = Timeline()
    t.at(4, Phase.ONSET, code)
    return t.said[-1]


def owed(box: Outbox, *alerts: Alert) -> list[Notification]:
    return box.owe(alerts or [raised()], at(4))


def test_what_must_be_told_is_due_once() -> None:
    box = outbox()
    (entry,) = owed(box)
    assert (entry.state, entry.what, entry.alert, entry.due_ns) == (DUE, "RAISED", raised().id, at(4))
    assert owed(box) == []
    assert owed(box, replace(raised(), state=AlertState.LATCHED)) == []
    assert box.to_try(at(4)) == [entry]


def test_what_the_channel_took_is_done() -> None:
    box = outbox()
    (entry,) = owed(box)
    sent = box.tried(entry.key, None, at(5))
    assert sent == replace(entry, state=SENT, attempts=1, done_ns=at(5))
    assert (box.to_try(at(1000)), box.is_done(entry.alert)) == ([], True)
    assert box.tried(entry.key, AWAY, at(6)) is None  # another attempt, which was under way
    assert owed(box) == []


def test_a_failure_that_may_pass_is_tried_again_and_again_later_each_time() -> None:
    box = outbox()
    (entry,) = owed(box)
    now_s, waits = 5.0, []
    for attempt in range(1, 8):
        told = box.tried(entry.key, AWAY, at(now_s))
        assert told is not None
        assert (told.state, told.attempts, told.reason) == (DUE, attempt, "unreachable")
        wait = next(ms for ms in range(0, 20_000, 250) if box.to_try(at(now_s) + ms * 1_000_000))
        waits.append(wait / 1000)
        now_s += wait / 1000
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_S, LONGEST_S]
    assert not box.is_done(entry.alert)


def test_a_failure_that_stays_is_given_up() -> None:
    box = outbox()
    (entry,) = owed(box)
    failed = box.tried(entry.key, REFUSED, at(5))
    assert failed == replace(entry, state=FAILED, attempts=1, reason="refused", done_ns=at(5))
    assert (box.to_try(at(1000)), box.is_done(entry.alert)) == ([], True)


def test_of_one_alert_the_first_is_told_before_the_second() -> None:
    box = outbox()
    first = owed(box)[0]
    second = replace(first, key="second", what="REMINDER")
    box.learn(second)
    assert [e.what for e in box.to_try(at(4))] == ["RAISED"]
    box.tried(first.key, AWAY, at(4))
    assert box.to_try(at(4.1)) == []
    box.tried(first.key, None, at(5))
    assert [e.what for e in box.to_try(at(5))] == ["REMINDER"]


@given(st.permutations(range(4)), st.sampled_from([SENT, FAILED]))
def test_what_is_done_stays_done_whoever_has_written_last(order: list[int], done: NotificationState) -> None:
    box = outbox()
    due = owed(box)[0]
    log = [due, replace(due, attempts=1), replace(due, attempts=2), replace(due, attempts=2, state=done)]
    again = outbox()
    for i in order:
        again.learn(log[i])
    assert again.to_try(at(100)) == []
    assert owed(again) == []


def test_after_a_crash_what_is_due_is_tried_at_once_under_the_same_key() -> None:
    box = outbox()
    (entry,) = owed(box)
    tried = box.tried(entry.key, AWAY, at(5))
    assert tried is not None
    again = outbox()
    again.learn(tried)
    assert [e.key for e in again.to_try(at(5))] == [entry.key]
    assert owed(again) == []


def test_an_alert_that_is_forgotten_takes_its_entries_along() -> None:
    box = outbox()
    (entry,) = owed(box)
    assert box.forget(entry.alert) == [entry.key]
    assert (box.alerts(), box.to_try(at(100)), box.forget(entry.alert)) == ([], [], [])
    box.learn(entry)
    box.drop(entry.key)
    box.drop(entry.key)
    assert (box.alerts(), box.to_try(at(100))) == ([], [])


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_is_bounded_and_never_nothing(attempts: int, jitter: float) -> None:
    assert 0.25 <= delay_s(attempts, jitter) <= LONGEST_S


def test_a_clock_that_is_set_back_an_hour_puts_no_page_off_by_an_hour() -> None:
    box = outbox()
    (entry,) = owed(box, raised())
    box.tried(entry.key, NotifyError(Reason.TIMEOUT, retryable=True), at(5))
    assert box.to_try(at(5)) == []
    assert [one.key for one in box.to_try(at(5 - 3600))] == [entry.key]
