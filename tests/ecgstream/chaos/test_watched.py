"""Which alarms of the watch must come, which may, and which are judged wrong."""

import math
from typing import Any

from ecgstream.chaos.faults import Struck
from ecgstream.chaos.receiver import Answer, Post
from ecgstream.chaos.schedule import Fault, Kind
from ecgstream.chaos.watched import Trouble, Watched, alarms, judge, of_faults, of_play
from schemas.conditions import Code

OUTAGE = Struck(Fault(Kind.DATABASE_OUTAGE, "database", 50.0, 30.0), 50.0, 80.0, 2.0)
TOLD = Watched("DATABASE_AWAY", 50.5, 96.0)
BEGIN_NS = 1_000_000_000_000


def post(alert: str, what: str, answer: Answer = Answer.TAKEN, device: str = "", **body: Any) -> Post:
    times = {"onset_ns": BEGIN_NS + 50_500_000_000, "decided_ns": BEGIN_NS + 96_000_000_000}
    standard = {"condition": "DATABASE_AWAY"} | times
    return Post(f"{alert} {what}", standard | {"alert": alert, "what": what, "device": device} | body, answer)


def test_an_alarm_is_what_the_receiver_took_of_no_device() -> None:
    posts = [
        post("a", "RAISED", Answer.REFUSED),
        post("a", "RAISED", Answer.UNHEARD),
        post("a", "RAISED"),
        post("a", "ENDED"),
        post("b", "RAISED", Answer.REFUSED),
        post("c", "RAISED", device="sim-02"),
    ]
    assert alarms(posts, BEGIN_NS) == [TOLD]


def test_a_database_that_was_away_must_be_told_and_told_to_be_over() -> None:
    troubles = list(of_faults([OUTAGE], 1.0))
    assert judge(troubles, [TOLD], 300.0) == ([], [])
    assert judge(troubles, [], 300.0)[0] == ["DATABASE_AWAY between 47.0 and 53.0 s, or its end"]
    lasting = Watched("DATABASE_AWAY", 50.5)
    assert judge(troubles, [lasting], 300.0)[0] != []
    assert judge(troubles, [lasting], 90.0) == ([], [])  # too early to say that it is over


def test_what_nothing_explains_is_extra() -> None:
    stalled = Watched("PIPELINE_STALLED", 60.0, 75.0)
    missing, extra = judge(list(of_faults([OUTAGE], 1.0)), [TOLD, stalled], 300.0)
    assert (missing, extra) == ([], ["PIPELINE_STALLED at 60.0 s"])
    again = Watched("DATABASE_AWAY", 120.0, 135.0)
    assert judge(list(of_faults([OUTAGE], 1.0)), [TOLD, again], 300.0)[1] == ["DATABASE_AWAY at 120.0 s"]


def test_a_worker_that_is_paused_may_stall_and_a_sink_that_is_killed_shows_nothing() -> None:
    paused = Struck(Fault(Kind.PAUSE, "worker", 50.0, 20.0), 34.0, 90.0, 5.0)
    killed = Struck(Fault(Kind.KILL_SINK, "sink", 50.0, 0.0), 50.0, 50.1, 5.0)
    (stall,) = of_faults([paused], 1.0)
    assert (stall.code, stall.must) == (Code.PIPELINE_STALLED, False)
    assert list(of_faults([killed], 1.0)) == []


def test_a_broker_must_be_missed_only_if_it_was_away_for_long() -> None:
    def of(to_s: float) -> list[bool]:
        struck = Struck(Fault(Kind.BROKER_RESTART, "broker-1", 50.0, 10.0), 50.0, to_s, 2.0)
        return [t.must for t in of_faults([struck], 1.0) if t.code is Code.BROKER_DEGRADED]

    assert of(60.0) == [False]
    assert of(70.0) == [True]


def test_an_alarm_that_lasts_from_one_broker_to_the_next_tells_of_both() -> None:
    of_brokers = [
        Struck(Fault(Kind.BROKER_RESTART, name, at_s, 20.0), at_s, at_s + 20.0, 2.0)
        for name, at_s in (("broker-3", 58.0), ("broker-2", 107.0))
    ]
    troubles = [t for t in of_faults(of_brokers, 1.0) if t.code is Code.BROKER_DEGRADED]
    first = Watched("BROKER_DEGRADED", 59.0, 108.0)
    assert judge(troubles, [first], 300.0)[0] == ["BROKER_DEGRADED between 104.0 and 144.0 s"]
    assert judge(troubles, [first, Watched("BROKER_DEGRADED", 109.0, 145.0)], 300.0) == ([], [])
    assert judge(troubles, [Watched("BROKER_DEGRADED", 59.0, 145.0)], 300.0) == ([], [])
    assert judge(troubles, [Watched("BROKER_DEGRADED", 59.0)], 300.0)[0] == []


def test_a_gateway_out_of_reach_must_be_missed_and_gateways_may_end_with_the_play() -> None:
    far = [t for t in of_play(2.0) if t.must]
    assert [t.code for t in far] == [Code.GATEWAY_SILENT]
    assert far[0].from_s < 20.0 < far[0].to_s
    told = [
        Watched("GATEWAY_SILENT", 16.0, 170.0),
        Watched("GATEWAY_SILENT", 198.0),
        Watched("DISK_NEARLY_FULL", -9.0),
    ]
    assert judge(list(of_play(2.0)), told, 300.0) == ([], [])
    early = Watched("GATEWAY_SILENT", 100.0)
    assert judge(list(of_play(2.0)), [*told, early], 300.0) == ([], [str(early)])


def test_a_trouble_without_an_end_need_not_be_over() -> None:
    assert Trouble(Code.DATABASE_AWAY, 0.0, 1.0).over_s == math.inf
