"""The schedule of faults: seeded, within its bounds, and every kind before any comes again."""

from collections import Counter
from itertools import pairwise

import pytest

from ecgstream.chaos.schedule import (
    BROKERS,
    DELAY_S,
    GAP_S,
    PAUSE_S,
    WORKER,
    Cast,
    Fault,
    Kind,
    Pace,
    Round,
    broken_bounds,
    delay_s,
    gap_s,
    plan,
    span,
)

CAST = Cast(("gw-1", "gw-2", "gw-3"), ("a", "b", "c", "d"))
PACE = Pace(400.0, 2.0)
SEEDS = range(25)


def faults_of(rounds: list[Round]) -> list[Fault]:
    return [f for r in rounds for f in r.faults]


def test_a_seed_gives_the_same_schedule_again_and_another_seed_another() -> None:
    assert plan(7, 30, CAST, PACE) == plan(7, 30, CAST, PACE)
    assert plan(7, 30, CAST, PACE) != plan(8, 30, CAST, PACE)


@pytest.mark.parametrize("count", [1, 11, 12, 40, 200])
def test_as_many_faults_as_were_asked_for(count: int) -> None:
    assert len(faults_of(plan(3, count, CAST, PACE))) == count


@pytest.mark.parametrize("seed", SEEDS)
def test_twelve_faults_are_one_round_with_every_kind(seed: int) -> None:
    (only,) = plan(seed, 12, CAST, PACE)
    assert {f.kind for f in only.faults} == set(Kind)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_comes_before_one_comes_again(seed: int) -> None:
    counts = Counter(f.kind for f in faults_of(plan(seed, 38, CAST, PACE)))
    assert max(counts.values()) - min(counts[kind] for kind in Kind) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_every_bound_is_kept(seed: int) -> None:
    for found in plan(seed, 60, CAST, PACE):
        assert broken_bounds(found.faults, CAST, PACE.speed) == []
        for gateway in CAST.gateways:
            assert gap_s(found.faults, gateway, PACE.speed) < GAP_S
            assert delay_s(found.faults, gateway, PACE.speed) < DELAY_S
        for fault in found.faults:
            assert span(fault)[0] > 0
            assert span(fault)[1] <= PACE.wall_s


@pytest.mark.parametrize("seed", SEEDS)
def test_never_two_brokers_are_away(seed: int) -> None:
    for found in plan(seed, 60, CAST, PACE):
        away = sorted(span(f) for f in found.of(Kind.BROKER_RESTART))
        assert all(end < begin for (_, end), (begin, _) in pairwise(away))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_process_that_is_paused_is_the_worker(seed: int) -> None:
    (first,) = (f for r in plan(seed, len(Kind), CAST, PACE) for f in r.of(Kind.PAUSE))
    assert first.target == WORKER
    assert first.lasts_s == PAUSE_S


def test_pauses_come_to_every_service_and_gateway() -> None:
    paused = {
        f.target for seed in SEEDS for f in faults_of(plan(seed, 60, CAST, PACE)) if f.kind is Kind.PAUSE
    }
    assert paused == {WORKER, "sink", "pager", *CAST.gateways}


def test_bounds_that_are_broken_are_named() -> None:
    two_brokers = [Fault(Kind.BROKER_RESTART, b, 20.0, 10.0) for b in BROKERS[:2]]
    assert "strike one part" in broken_bounds(two_brokers, CAST, 2.0)[0]
    paused_behind_a_kill = [
        Fault(Kind.PAUSE, "gw-1", 20.0, 20.0),
        Fault(Kind.BROKER_RESTART, BROKERS[0], 30.0, 10.0),
    ]
    assert broken_bounds(paused_behind_a_kill, CAST, 2.0) == []
    assert broken_bounds(paused_behind_a_kill, CAST, 2.5) == ["gw-1 may be away for 72.5 s of signal"]
    both = [
        Fault(Kind.PAUSE, WORKER, 30.0, 20.0),
        Fault(Kind.PAUSE, "pager", 35.0, 20.0),
        *paused_behind_a_kill,
    ]
    assert "an alarm of gw-1 may be 162 s of signal late" in broken_bounds(both, CAST, 2.0)


def test_a_fault_at_one_gateway_does_not_delay_the_alarms_of_another() -> None:
    faults = [Fault(Kind.PAUSE, "gw-1", 20.0, 20.0), Fault(Kind.KILL_GATEWAY, "gw-2", 20.0, 0.0)]
    assert delay_s(faults, "gw-2", 1.0) == 12.0
    assert delay_s(faults, "gw-3", 1.0) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("times", [1.0, 2.5])
def test_on_a_slow_machine_faults_strike_the_same_signals(seed: int, times: float) -> None:
    pace = PACE.slower(times)
    for found in plan(seed, 24, CAST, PACE):
        slower = found.slower(times)
        struck_s = [(f.at_s * PACE.speed, f.end_s * PACE.speed) for f in found.faults]
        assert [(f.at_s * pace.speed, f.end_s * pace.speed) for f in slower.faults] == [
            pytest.approx(span_s) for span_s in struck_s
        ]
        assert [(f.kind, f.target) for f in slower.faults] == [(f.kind, f.target) for f in found.faults]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pager_is_killed_more_often_where_that_is_asked_for_and_all_bounds_hold(seed: int) -> None:
    rounds = plan(seed, 200, CAST, PACE, pager_kills=100)
    kills = [len(r.of(Kind.KILL_PAGER)) for r in rounds]
    assert len(faults_of(rounds)) == 300
    assert min(kills) >= 6
    assert sum(kills) >= 100 + 200 // len(Kind)
    assert all(broken_bounds(r.faults, CAST, PACE.speed) == [] for r in rounds)


def test_more_than_there_is_time_for_is_refused() -> None:
    with pytest.raises(ValueError, match="find no room"):
        plan(1, 13, CAST, Pace(PACE.signal_s / 8, PACE.speed))


def test_there_are_as_many_rounds_as_kills_alone_need() -> None:
    rounds = plan(1, 0, CAST, PACE, pager_kills=95)
    assert [len(r.faults) for r in rounds] == [11, 12, 12, 12, 12, 12, 12, 12]
    assert all(r.of(Kind.KILL_PAGER) == r.faults for r in rounds)
