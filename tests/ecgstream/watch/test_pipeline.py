"""When the watch says that detection, paging or storing stands still, and when not: timelines."""

from __future__ import annotations

import pytest

from ecgstream.watch.rules.pipeline import PAGER, SINK, WORKERS
from schemas.conditions import CATALOGUE, Code
from tests.ecgstream.watch.world import BEATS, CONDITIONS, INGEST, STATUS, World


@pytest.fixture
def world() -> World:
    return World()


# -- partitions


def test_a_partition_that_stands_still_is_told_after_15_s_and_once(world: World) -> None:
    world.go_on(60, world.all_is_well)
    mark = world.now_s
    world.go_on(14, world.devices_send)
    assert world.since(mark) == []
    world.go_on(6, world.devices_send)
    assert world.since(mark) == [(15, "RAISED", "PIPELINE_STALLED")] * 2  # two partitions
    mark = world.now_s
    world.go_on(30, world.all_is_well)
    assert world.since(mark) == [(21, "ENDED", "PIPELINE_STALLED")] * 2


def test_what_is_told_says_what_it_is_and_what_to_do(world: World) -> None:
    world.go_on(60, world.all_is_well)

    def one_stands() -> None:
        before = world.done[WORKERS][INGEST, 1], world.ends[STATUS, 1]
        world.all_is_well()
        world.done[WORKERS][INGEST, 1], world.ends[STATUS, 1] = before

    world.go_on(16, one_stands)
    (page,) = world.pages
    assert page.text == (
        "Partition 1 stands still for 15 s while 50 records wait: its patients are watched by nobody here. "
        "Restart the worker that has it; its log says why."
    )
    assert (page.device, page.patient, page.evidence) == ("", "", {"stood_s": 15.0, "records": 50.0})
    assert page.decided_ns - page.onset_ns == 15_000_000_000
    world.go_on(30, world.all_is_well)
    ended = world.pages[-1]
    assert ended.text.startswith("Over after 37 s. It was: Partition 1 stands still")
    assert (ended.alert, ended.onset_ns) == (page.alert, page.onset_ns)
    assert ended.key != page.key


def test_a_planned_hand_over_is_no_alarm(world: World) -> None:
    for _ in range(10):
        world.go_on(30, world.all_is_well)
        world.go_on(11, world.devices_send, world.sink_works, world.pager_works)
    assert world.told == []


def test_a_position_that_stands_while_outputs_come_is_no_alarm(world: World) -> None:
    """As where a single device sends, whose snapshot has its turn every ten seconds."""

    def outputs_only() -> None:
        world.devices_send()
        for p in range(world.partitions):
            world.ends[STATUS, p] = world.ends[INGEST, p]

    for _ in range(10):
        world.go_on(11, outputs_only, world.sink_works)
        world.go_on(1, world.worker_works)
    assert world.told == []


def test_outputs_without_a_checkpoint_are_told_after_a_minute(world: World) -> None:
    """As when a worker dies over the same record again and again."""
    world.go_on(30, world.all_is_well)
    mark = world.now_s

    def never_saved() -> None:
        position = dict(world.done[WORKERS])
        world.all_is_well()
        world.done[WORKERS] = position

    world.go_on(70, never_saved)
    assert world.since(mark) == [(60, "RAISED", "PIPELINE_STALLED")] * 2
    assert "without a checkpoint" in world.pages[0].text


def test_a_control_record_that_comes_while_an_idle_partition_moves_is_no_alarm(world: World) -> None:
    world.go_on(120)
    world.ends[INGEST, 0] += 1
    world.go_on(10, world.sink_works)  # handed over
    world.go_on(10)  # taken in; its device's snapshot has not had its turn yet
    world.done[WORKERS][INGEST, 0] += 1
    world.go_on(60)
    assert world.told == []
    mark = world.now_s
    world.ends[INGEST, 0] += 1
    world.go_on(60, world.sink_works)
    assert world.since(mark) == [(27, "RAISED", "PIPELINE_STALLED")]


def test_a_first_device_of_an_idle_partition_is_watched_at_once_when_a_worker_works(world: World) -> None:
    world.go_on(120)
    world.go_on(60, world.all_is_well)
    mark = world.now_s
    world.go_on(20, world.devices_send)
    assert [t for t, *_ in world.since(mark)] == [15, 15]


def test_a_network_in_which_nobody_sends_is_no_alarm(world: World) -> None:
    world.go_on(60, world.all_is_well)
    world.go_on(12, world.worker_works)
    for p in range(world.partitions):
        world.done[WORKERS][INGEST, p] = world.ends[INGEST, p]
    world.go_on(3600)
    assert world.told == []


def test_records_that_are_refused_are_progress(world: World) -> None:
    def refused() -> None:
        world.devices_send()
        for p in range(world.partitions):
            world.ends["ecg.dead-letters", p] = world.ends[INGEST, p]

    world.go_on(50, refused)
    assert world.told == []


def test_a_worker_that_catches_up_is_no_alarm(world: World) -> None:
    world.ends = dict.fromkeys(world.ends, 100_000)
    world.old = {0: 99_880, 1: 99_880}

    def gets_on() -> None:
        world.devices_send()
        for p in range(world.partitions):
            world.done[WORKERS][INGEST, p] = min(world.done[WORKERS][INGEST, p] + 500, world.ends[INGEST, p])
            world.ends[STATUS, p] += 1
            world.old[p] += 2

    world.go_on(250, gets_on, world.sink_works, world.pager_works)
    assert world.told == []


def test_a_worker_that_is_too_slow_is_told_although_it_works(world: World) -> None:
    world.go_on(30, world.all_is_well)
    mark = world.now_s

    def slow() -> None:
        world.all_is_well()
        for p in range(world.partitions):
            end = world.ends[INGEST, p]
            world.old[p] = end - 120  # two a second: a minute
            world.done[WORKERS][INGEST, p] = round(end - 60 - (world.now_s - mark))  # one a second

    world.go_on(120, slow)
    assert world.since(mark) == [(91, "RAISED", "PIPELINE_BEHIND")] * 2
    assert "does not catch up: 31 records are older" in world.pages[0].text


def test_a_partition_that_stands_is_not_told_as_slow_besides(world: World) -> None:
    world.go_on(60, world.all_is_well)

    def stands() -> None:
        world.devices_send()
        world.old = {p: max(0, world.ends[INGEST, p] - 120) for p in range(world.partitions)}

    world.go_on(300, stands, world.sink_works)
    assert {code for _, _, code in world.told} == {"PIPELINE_STALLED"}


# -- no worker, no pager


def test_a_new_cluster_has_a_minute_for_its_services_to_come(world: World) -> None:
    world.members = dict.fromkeys(world.members, None)
    world.go_on(59, world.devices_send, world.sink_works)
    assert world.told == []
    world.go_on(10)
    assert sorted(world.told) == [(61, "RAISED", "PAGER_STALLED"), (61, "RAISED", "PIPELINE_STALLED")]
    assert "No worker runs" in {page.text.partition(":")[0] for page in world.pages}


def test_a_worker_that_is_killed_where_devices_send(world: World) -> None:
    """At 15 s the partitions; when the broker has noticed too, that it was the only worker; one end each."""
    world = World(partitions=8)
    world.go_on(60, world.all_is_well)
    mark = world.now_s
    world.go_on(10, world.devices_send, world.sink_works)
    world.members[WORKERS] = 0
    world.go_on(60, world.devices_send, world.sink_works)
    assert world.since(mark) == [
        (15, "RAISED", "PIPELINE_STALLED"),
        (26, "RAISED", "PIPELINE_STALLED"),
    ]
    several, nobody = world.pages
    assert several.text.startswith("8 at once (partition 0, 1, 2, 3, 4, 5, 6, 7). Of one: Partition 0 stands")
    assert nobody.text.startswith("No worker runs: nothing is detected, for any patient.")
    mark = world.now_s
    world.members[WORKERS] = 1
    world.go_on(40, world.all_is_well)
    assert world.since(mark) == [(21, "ENDED", "PIPELINE_STALLED")] * 2


def test_a_worker_that_starts_again_at_once_is_no_alarm(world: World) -> None:
    world.go_on(30, world.all_is_well)
    world.members[WORKERS] = 0
    world.go_on(5, world.devices_send)
    world.members[WORKERS] = 1
    world.go_on(5, world.devices_send)
    world.go_on(60, world.all_is_well)
    assert world.told == []


def test_a_dead_pager_is_told_though_no_condition_comes(world: World) -> None:
    world.go_on(30, world.all_is_well)
    world.members[PAGER] = 0
    mark = world.now_s
    world.go_on(60, world.all_is_well)
    assert world.since(mark) == [(16, "RAISED", "PAGER_STALLED")]
    assert world.pages[0].priority == "HIGH"


def test_a_killed_pager_is_told_when_conditions_wait_and_when_the_broker_misses_it(world: World) -> None:
    world.go_on(30, world.all_is_well)
    world.ends[CONDITIONS, 1] += 3
    mark = world.now_s
    work = (world.devices_send, world.worker_works, world.sink_works)
    world.go_on(9, *work)
    world.members[PAGER] = 0  # after the session's time-out
    world.go_on(60, *work)
    assert world.since(mark) == [(16, "RAISED", "PAGER_STALLED"), (25, "RAISED", "PAGER_STALLED")]
    assert world.pages[0].text.startswith(
        "3 alarm conditions or acknowledgements wait for the pager, for 15 s"
    )
    mark = world.now_s
    world.members[PAGER] = 1
    world.go_on(40, world.all_is_well)
    assert [(what, code) for _, what, code in world.since(mark)] == [("ENDED", "PAGER_STALLED")] * 2


def test_conditions_that_are_answered_at_once_are_no_alarm(world: World) -> None:
    def a_condition() -> None:
        world.ends[CONDITIONS, 0] += 1

    world.go_on(120, world.all_is_well, a_condition)
    assert world.told == []


# -- the sink


def test_a_sink_that_stands_is_told_after_a_minute(world: World) -> None:
    world.go_on(30, world.all_is_well)
    mark = world.now_s
    world.members[SINK] = 0
    world.go_on(80, world.devices_send, world.worker_works, world.pager_works)
    assert world.since(mark) == [(61, "RAISED", "SINK_STALLED")]
    assert world.pages[0].priority == "MEDIUM"


def test_a_block_of_a_silent_device_that_holds_the_position_is_no_alarm(world: World) -> None:
    def held() -> None:
        before = world.done[SINK][INGEST, 0]
        world.all_is_well()
        world.done[SINK][INGEST, 0] = before

    for _ in range(10):
        world.go_on(26, held)
        world.go_on(1, world.all_is_well)
    assert world.told == []


def test_a_sink_that_catches_up_is_no_alarm(world: World) -> None:
    world.ends[BEATS, 0] = 1_000_000
    world.done[SINK][BEATS, 0] = 0

    def gets_on() -> None:
        world.done[SINK][BEATS, 0] += 1000

    world.go_on(600, gets_on)
    assert world.told == []


def test_without_a_database_nobody_asks_for_a_sink(world: World) -> None:
    world.database = None
    world.ends[BEATS, 0] = 1000
    world.go_on(300)
    assert world.told == []


def test_every_condition_of_the_system_is_technical_and_no_detectors() -> None:
    ours = [code for code in Code if code >= Code.PIPELINE_STALLED]
    assert all(CATALOGUE[code].technical for code in ours)
    assert min(ours) == 64
