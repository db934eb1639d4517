"""What a sink reads first, on a clock of the test's own."""

from __future__ import annotations

from ecgstream.store import sink
from ecgstream.store.precedence import ORDER, PATIENCE_S, SLACK, Precedence
from schemas import topics

ALERTS, BEATS, INGEST = (("ecg.alerts", 0), ("ecg.beats", 0), ("ecg.ingest", 1))
BACKFILL = ("ecg.backfill", 1)
EVERY = (ALERTS, BEATS, INGEST, BACKFILL)


def waiting(**many: int) -> dict[tuple[str, int], int]:
    return {source: many.get(source[0].removeprefix("ecg."), 0) for source in EVERY}


def test_every_topic_of_the_sink_has_its_place() -> None:
    assert sorted(name for tier in ORDER for name in tier) == sorted(sink.TOPICS)
    assert topics.BACKFILL.name in ORDER[-1]


def test_with_nothing_waiting_all_are_read() -> None:
    assert Precedence().held(waiting(), EVERY, 0.0) == set()
    assert Precedence().held(waiting(alerts=SLACK, ingest=SLACK), EVERY, 0.0) == set()


def test_all_wait_for_alerts() -> None:
    assert Precedence().held(waiting(alerts=SLACK + 1, ingest=9999), EVERY, 0.0) == {BEATS, INGEST, BACKFILL}


def test_what_came_late_waits_for_what_is_live() -> None:
    for name in ("ingest", "beats"):
        assert Precedence().held(waiting(**{name: SLACK + 1}, backfill=9), EVERY, 0.0) == {BACKFILL}
    assert Precedence().held(waiting(backfill=9999), EVERY, 0.0) == set()


def test_an_hour_comes_in_its_order() -> None:
    """As after an outage: a thousand records a second, as long as any wait."""
    left = waiting(alerts=3000, beats=2000, ingest=9000, backfill=5000)
    precedence, read = Precedence(slack=0), []
    held = precedence.held(left, (), 0.0)
    for second in range(1, 100):
        source = next((s for s in EVERY if left[s] and s not in held), None)
        if source is None:
            break
        left[source] -= 1000
        read.append(source)
        held = precedence.held(left, {source}, float(second) / 10)
    assert read == [ALERTS] * 3 + [BEATS] * 2 + [INGEST] * 9 + [BACKFILL] * 5


def test_nothing_waits_for_a_broker_that_is_away() -> None:
    precedence = Precedence()
    stuck = waiting(alerts=SLACK + 1)
    assert precedence.held(stuck, (), 0.0) == {BEATS, INGEST, BACKFILL}
    assert precedence.held(stuck, (), PATIENCE_S - 0.1) == {BEATS, INGEST, BACKFILL}
    assert precedence.held(stuck, (), PATIENCE_S) == set()
    assert precedence.held(stuck, {ALERTS}, PATIENCE_S + 1) == {BEATS, INGEST, BACKFILL}


def test_who_was_held_is_not_taken_for_away() -> None:
    """What has waited an hour for the alerts holds back what is behind it as soon as it may be read."""
    precedence = Precedence()
    both = waiting(alerts=SLACK + 1, ingest=SLACK + 1)
    for at in (0.0, 4.0, 8.0, 12.0):
        assert precedence.held(both, {ALERTS}, at) == {BEATS, INGEST, BACKFILL}
    only = waiting(ingest=SLACK + 1)
    assert precedence.held(only, {ALERTS}, 13.0) == {BACKFILL}
    assert precedence.held(only, (), 16.0) == {BACKFILL}
    assert precedence.held(only, (), 18.0) == set()


def test_partitions_come_and_go() -> None:
    precedence = Precedence()
    assert precedence.held({}, (), 0.0) == set()
    assert precedence.held({ALERTS: SLACK + 1, BACKFILL: 1}, (), 0.0) == {BACKFILL}
    assert precedence.held({BACKFILL: 1}, (), 1.0) == set()
