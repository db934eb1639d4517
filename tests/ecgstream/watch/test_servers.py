"""When the watch says that a server is away, a copy missing, a gateway silent, a disk full: timelines."""

from __future__ import annotations

import pytest

from ecgstream.watch.rules.limits import Limits
from ecgstream.watch.sight import Disk, Gateway
from tests.ecgstream.watch.world import World

GB = 1_000_000_000
REFUSED = "Connection refused"


@pytest.fixture
def world() -> World:
    return World()


# -- brokers


def test_a_broker_that_is_away_is_told_within_10_s_and_nothing_else_is(world: World) -> None:
    """Its readers stand as well, and gateways say nothing: no time of theirs passes while nothing is seen."""
    world.gateways = {"gw": Gateway(world.now_s)}
    world.go_on(30, world.all_is_well, lambda: hear(world))
    mark = world.now_s
    world.brokers = {"kafka-1:9092": REFUSED}
    world.go_on(300)
    assert world.since(mark) == [(9, "RAISED", "BROKER_AWAY")]
    assert world.pages[0].priority == "HIGH"
    assert world.pages[0].text.startswith("Kafka does not answer (kafka-1:9092: Connection refused).")
    mark = world.now_s
    world.brokers = {"kafka-1:9092": ""}
    world.go_on(12, world.devices_send)  # clients come back
    world.go_on(60, world.all_is_well)
    assert world.since(mark) == [(21, "ENDED", "BROKER_AWAY")]


def test_a_broker_that_restarts_in_5_s_is_no_alarm(world: World) -> None:
    world.go_on(30, world.all_is_well)
    world.brokers = {"kafka-1:9092": REFUSED}
    world.go_on(5)
    world.brokers = {"kafka-1:9092": ""}
    world.go_on(60, world.all_is_well)
    assert world.told == []


def test_a_broker_that_was_never_there_is_told_as_well() -> None:
    world = World(brokers={"kafka-1:9092": REFUSED})
    world.go_on(20)
    assert world.told == [(10, "RAISED", "BROKER_AWAY")]


def test_one_of_three_brokers_is_told_as_such(world: World) -> None:
    world.brokers = {f"kafka-{n}:9092": "" for n in (1, 2, 3)}
    world.go_on(30, world.all_is_well)
    mark = world.now_s
    world.brokers["kafka-2:9092"] = REFUSED
    world.thin = 40
    world.go_on(60, world.all_is_well)
    assert world.since(mark) == [(9, "RAISED", "BROKER_DEGRADED")]
    assert world.pages[0].priority == "MEDIUM"
    assert "and kafka-2:9092 does not answer" in world.pages[0].text
    mark = world.now_s
    world.brokers["kafka-2:9092"] = ""
    world.thin = 0
    world.go_on(30, world.all_is_well)
    assert world.since(mark) == [(21, "ENDED", "BROKER_DEGRADED")]


def test_copies_that_lack_for_a_moment_are_no_alarm(world: World) -> None:
    world.thin = 40
    world.go_on(7, world.all_is_well)
    world.thin = 0
    world.go_on(60, world.all_is_well)
    assert world.told == []


def test_partitions_without_a_leader_are_of_high_priority(world: World) -> None:
    world.go_on(30, world.all_is_well)
    mark = world.now_s
    world.leaderless = world.thin = 3
    world.go_on(20, world.all_is_well)
    assert sorted(world.since(mark)) == [(10, "RAISED", "BROKER_AWAY"), (10, "RAISED", "BROKER_DEGRADED")]


# -- the database


def test_a_database_that_is_away_is_told_within_10_s_and_its_sink_is_not_accused(world: World) -> None:
    world.go_on(30, world.all_is_well)
    mark = world.now_s
    world.database = REFUSED
    world.go_on(300, world.devices_send, world.worker_works, world.pager_works)
    assert world.since(mark) == [(9, "RAISED", "DATABASE_AWAY")]
    assert world.pages[0].priority == "HIGH"
    mark = world.now_s
    world.database = ""
    world.go_on(50, world.devices_send, world.worker_works, world.pager_works)  # it backs off, and catches up
    world.go_on(60, world.all_is_well)
    assert world.since(mark) == [(21, "ENDED", "DATABASE_AWAY")]


def test_a_database_that_restarts_is_no_alarm(world: World) -> None:
    for _ in range(5):
        world.go_on(10, world.all_is_well)
        world.database = "the database system is starting up"
        world.go_on(7, world.all_is_well)
        world.database = ""
    assert world.told == []


def test_what_cannot_be_seen_neither_begins_nor_ends(world: World) -> None:
    """A partition stands; then Kafka is away; when it is back, the partition stands still."""
    world.go_on(60, world.all_is_well)
    world.go_on(20, world.devices_send)
    mark = world.now_s
    world.brokers = {"kafka-1:9092": REFUSED}
    world.go_on(60)
    world.brokers = {"kafka-1:9092": ""}
    world.go_on(3, world.devices_send)
    assert [told for told in world.since(mark) if told[2] == "PIPELINE_STALLED"] == []
    world.go_on(30, world.all_is_well)
    ended = [told for told in world.since(mark) if told[2] == "PIPELINE_STALLED"]
    assert ended == [(84, "ENDED", "PIPELINE_STALLED")] * 2


# -- gateways


def hear(world: World, **said: float) -> None:
    """All gateways say how they are."""
    for name, gateway in world.gateways.items():
        oldest_s = said.get(name, gateway.oldest_s)
        world.gateways[name] = Gateway(world.now_s, oldest_s, 7, gateway.disk_free)


def test_a_gateway_that_says_nothing_for_30_s_is_told(world: World) -> None:
    world.gateways = {name: Gateway(world.now_s) for name in ("gw-east", "gw-west")}
    world.go_on(60, world.all_is_well, lambda: hear(world))
    mark = world.now_s
    silent = world.gateways["gw-east"]

    def others() -> None:
        hear(world)
        world.gateways["gw-east"] = silent

    world.go_on(60, world.all_is_well, others)
    assert world.since(mark) == [(30, "RAISED", "GATEWAY_SILENT")]
    assert world.pages[0].text.startswith("Nothing is heard of gateway gw-east for 30 s")
    mark = world.now_s
    world.go_on(30, world.all_is_well, lambda: hear(world))
    assert world.since(mark) == [(21, "ENDED", "GATEWAY_SILENT")]


def test_a_gateway_that_was_taken_away_is_missed_no_longer(world: World) -> None:
    world.gateways = {"gw": Gateway(world.now_s)}
    world.go_on(40, world.all_is_well)
    assert [code for *_, code in world.told] == ["GATEWAY_SILENT"]
    world.gateways = {}  # a tombstone
    world.go_on(30, world.all_is_well)
    assert [(what, code) for _, what, code in world.told[1:]] == [("ENDED", "GATEWAY_SILENT")]


def test_a_power_cut_of_a_province_is_one_page(world: World) -> None:
    world.gateways = {f"gw-{n:03}": Gateway(world.now_s) for n in range(300)}
    world.go_on(60, world.all_is_well, lambda: hear(world))
    mark = world.now_s
    world.go_on(60, world.all_is_well)
    assert world.since(mark) == [(30, "RAISED", "GATEWAY_SILENT")]
    assert world.pages[0].text.startswith("300 at once (gateway gw-000, gw-001, ")
    assert " and others). Of one: Nothing is heard" in world.pages[0].text
    mark = world.now_s
    world.go_on(30, world.all_is_well, lambda: hear(world))
    assert world.since(mark) == [(21, "ENDED", "GATEWAY_SILENT")]


def test_a_gateway_whose_spool_grows_is_told(world: World) -> None:
    world.gateways = {"gw": Gateway(world.now_s)}
    world.go_on(30, world.all_is_well, lambda: hear(world))
    mark = world.now_s
    world.go_on(100, world.all_is_well, lambda: hear(world, gw=world.now_s - mark))
    assert world.since(mark) == [(76, "RAISED", "GATEWAY_BEHIND")]
    assert world.pages[0].priority == "MEDIUM"
    assert "holds 7 bundles, the oldest for 76 s, and does not get ahead" in world.pages[0].text


def test_a_gateway_that_sends_what_it_held_is_no_alarm(world: World) -> None:
    world.gateways = {"gw": Gateway(world.now_s, 600.0, 2000)}
    began = world.now_s
    world.go_on(250, world.all_is_well, lambda: hear(world, gw=max(0.0, 600.0 - 3 * (world.now_s - began))))
    assert world.told == []


def test_gateways_come_back_in_their_time_after_kafka_was_away(world: World) -> None:
    world.gateways = {f"gw-{n}": Gateway(world.now_s) for n in range(20)}
    world.go_on(30, world.all_is_well, lambda: hear(world))
    world.brokers = {"kafka-1:9092": REFUSED}
    world.go_on(120)
    world.brokers = {"kafka-1:9092": ""}
    mark = world.now_s
    world.go_on(80, world.all_is_well)
    world.go_on(60, world.all_is_well, lambda: hear(world))
    assert [told for told in world.since(mark) if told[2] != "BROKER_AWAY"] == []


def test_a_gateways_disk_is_told_before_it_is_full(world: World) -> None:
    world.gateways = {"gw": Gateway(world.now_s, disk_free=2 * GB)}
    world.go_on(30, world.all_is_well, lambda: hear(world))
    world.gateways["gw"] = Gateway(world.now_s, disk_free=GB // 2)
    world.go_on(5, world.all_is_well, lambda: hear(world))
    assert [(what, code) for _, what, code in world.told] == [("RAISED", "DISK_NEARLY_FULL")]
    assert "gateway gw has 0.50 GB left" in world.pages[0].text


# -- disks


def test_a_disk_is_told_early_and_does_not_flutter(world: World) -> None:
    def free(percent: float) -> None:
        world.disks = {"/data": Disk("/data", round(percent * GB), 100 * GB)}

    free(16)
    world.go_on(10)
    assert world.told == []
    for percent in (14.9, 15.1, 14.9, 16.9):
        free(percent)
        world.go_on(30)
    assert [(what, code) for _, what, code in world.told] == [("RAISED", "DISK_NEARLY_FULL")]
    assert "/data has 15% left, 14.9 of 100.0 GB" in world.pages[0].text
    free(17.1)
    world.go_on(30)
    assert [what for _, what, _ in world.told] == ["RAISED", "ENDED"]


def test_a_disk_that_is_not_there_any_more_is_told(world: World) -> None:
    world.disks = {"/data": Disk("/data", trouble="No such file or directory")}
    world.go_on(3)
    assert [code for *_, code in world.told] == ["DISK_NEARLY_FULL"]
    assert "cannot be looked at (No such file or directory)" in world.pages[0].text


# -- together


def test_a_day_on_which_nothing_happens_is_quiet() -> None:
    world = World(limits=Limits(), partitions=4)
    world.gateways = {"gw": Gateway(world.now_s, disk_free=9 * GB)}
    world.disks = {"/data": Disk("/data", 50 * GB, 100 * GB)}
    world.go_on(7200, world.all_is_well, lambda: hear(world))
    assert world.told == []


def test_an_alarm_that_comes_and_goes_stays_one(world: World) -> None:
    world.go_on(30, world.all_is_well)
    for _ in range(20):
        world.thin = 3
        world.go_on(12, world.all_is_well)
        world.thin = 0
        world.go_on(4, world.all_is_well)
    assert [(what, code) for _, what, code in world.told] == [("RAISED", "BROKER_DEGRADED")]
