"""The hub: who sees what of what arrives, how much waits for whom, and whether it is what Kafka holds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ecgstream.monitor.live import frames
from ecgstream.monitor.live import hub as hub_module
from ecgstream.monitor.live import view as view_module
from ecgstream.monitor.live.device import Device
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.view import BEAT_MS, Bed, View, Watch
from schemas import mdc, topics
from schemas.records import Packet, Phase, Vital
from schemas.topics import Topic
from tests.alerts.timeline import SECOND, Timeline, condition, id_of
from tests.ecgstream.monitor.live.log import Log, Record
from tests.ecgstream.monitor.live.ward import NS, SESSION, beats, bundle, lead, packet, pleth, statuses, vital

NOW = SESSION + 5 * SECOND
BEDS = {name: Bed("ward-a", "p-1", "root.ward-a") for name in ("dev-1", "dev-2")}


@pytest.fixture
def hub() -> Hub:
    return Hub(Log().reader, 1, lambda: NOW)


class Seen:
    """What a screen has been told: of each frame its kind, and what it says."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.now_ms = 0.0

    def __call__(self) -> list[frames.Frame]:
        self.now_ms += BEAT_MS
        state, *others = frames.decode(self.view.take(self.now_ms, is_current=True))
        assert state == frames.State(self.now_ms, is_current=True, is_away=False)
        return others

    def told(self, kind: frames.Kind) -> list[Any]:
        return [f.content for f in self() if isinstance(f, frames.Told) and f.kind is kind]

    def signals(self) -> list[tuple[int, int]]:
        return [(f.device, f.waves[0].first // 250) for f in self() if isinstance(f, frames.Signal)]


def put(hub: Hub, topic: Topic, *contents: Any) -> None:
    log = Log()
    for content in contents:
        log.put(topic, content)
    hub.take(log.records[topic.name])


def test_a_screen_is_told_what_it_may_see_then_what_it_shows(hub: Hub) -> None:
    put(hub, topics.INGEST, bundle(packet("dev-2", 0), packet("dev-1", 0), vital("dev-1", mdc.SPO2, 97)))
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        (devices,) = seen.told(frames.Kind.DEVICES)
        assert devices["devices"] == {
            "dev-1": {
                "n": 1,
                "place": "ward-a",
                "patient": "p-1",
                "path": "root.ward-a",
                "since_ms": None,
                "worn_ms": None,
            },
            "dev-2": {
                "n": 0,
                "place": "ward-a",
                "patient": "p-1",
                "path": "root.ward-a",
                "since_ms": None,
                "worn_ms": None,
            },
        }
        assert seen() == []
        hub.show(view, [Watch("dev-1"), Watch("dev-9")])
        numbers, signal = seen()
        assert isinstance(numbers, frames.Told)
        assert numbers.content["numbers"] == {"spo2": [97.0, SESSION / 1e6]}
        assert isinstance(signal, frames.Signal)
        put(hub, topics.INGEST, bundle(packet("dev-1", 1), packet("dev-2", 1)))
        assert seen.signals() == [(1, 1)]
        hub.show(view, [Watch("dev-2")])
        assert seen.signals() == [(0, 0), (0, 1)]
        put(hub, topics.INGEST, bundle(packet("dev-1", 2)))
        assert seen.signals() == []
    put(hub, topics.INGEST, bundle(packet("dev-2", 3)))
    assert view.waiting() == 0


def waves(found: list[frames.Frame]) -> list[list[int]]:
    return [[wave.code for wave in frame.waves] for frame in found if isinstance(frame, frames.Signal)]


ALL = [mdc.LEADS["I"], mdc.LEADS["II"], mdc.LEADS["V1"], mdc.PLETH]
SHOWN = [mdc.LEADS["II"], mdc.PLETH]


def full(second: int) -> Packet:
    return packet("dev-1", second, lead("I"), lead("II"), lead("V1"), pleth())


def test_a_device_that_is_watched_whole_gives_all_leads_and_a_wall_beside_it_its_own(hub: Hub) -> None:
    put(hub, topics.INGEST, bundle(full(0)))
    with hub.viewing(BEDS) as one, hub.viewing(BEDS) as other:
        whole, wall = Seen(one), Seen(other)
        whole(), wall()
        hub.show(one, [Watch("dev-1", whole=True), Watch("dev-9", whole=True)])
        hub.show(other, [Watch("dev-1")])
        assert (waves(whole()), waves(wall())) == ([ALL], [SHOWN])  # both begin with what came before
        put(hub, topics.INGEST, bundle(full(1)))
        assert (waves(whole()), waves(wall())) == ([ALL], [SHOWN])
        put(hub, topics.STATUS, statuses("dev-1", 80, "N"))
        assert [t["numbers"]["hr"][0] for t in whole.told(frames.Kind.NUMBERS)] == [80]
        hub.show(one, [Watch("dev-1")])
        put(hub, topics.INGEST, bundle(full(2)))
        assert waves(whole())[-1] == SHOWN


def test_frames_of_all_leads_are_made_while_somebody_watches_only(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    whole = Device.whole
    monkeypatch.setattr(Device, "whole", lambda device, kept: made.append(1) or whole(device, kept))
    put(hub, topics.INGEST, bundle(full(0)))
    with hub.viewing(BEDS) as view:
        hub.show(view, [Watch("dev-1")])
        put(hub, topics.INGEST, bundle(full(1)))
        assert made == []
        hub.show(view, [Watch("dev-1", whole=True)])
        put(hub, topics.INGEST, bundle(full(2)))
        assert len(made) == 3
    put(hub, topics.INGEST, bundle(full(3)))
    assert len(made) == 3


def test_who_watches_whole_hears_of_beats_those_of_before_as_well(hub: Hub) -> None:
    put(hub, topics.BEATS, beats("dev-1", 100, 350), beats("dev-2", 100))
    with hub.viewing(BEDS) as view, hub.viewing(BEDS) as other:
        seen, wall = Seen(view), Seen(other)
        seen(), wall()
        hub.show(view, [Watch("dev-1", whole=True)])
        hub.show(other, [Watch("dev-1")])
        mark = frames.mark_of(SESSION)
        (told,) = seen.told(frames.Kind.BEATS)
        assert told["beats"] == [[mark, 100, "N"], [mark, 350, "N"]]
        put(hub, topics.BEATS, beats("dev-1", 350, 600, code="V"))  # a worker says one anew, and another
        (told,) = seen.told(frames.Kind.BEATS)
        assert told["beats"] == [[mark, 100, "N"], [mark, 350, "V"], [mark, 600, "V"]]
        put(hub, topics.BEATS, beats("dev-1", *range(1000, 100_000, 100)))
        (told,) = seen.told(frames.Kind.BEATS)
        assert len(told["beats"]) == 64
        assert wall.told(frames.Kind.BEATS) == []


def test_access_that_ends_ends_what_is_watched_whole(hub: Hub) -> None:
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        hub.show(view, [Watch("dev-1", whole=True)])
        seen()
        hub.allow(view, {"dev-2": BEDS["dev-2"]})
        put(hub, topics.INGEST, bundle(full(1)))
        put(hub, topics.BEATS, beats("dev-1", 100))
        (devices,) = seen()
        assert isinstance(devices, frames.Told)
        assert devices.kind is frames.Kind.DEVICES


def test_nobody_sees_a_device_that_is_not_theirs(hub: Hub) -> None:
    with hub.viewing({"dev-2": BEDS["dev-2"]}) as view:
        seen = Seen(view)
        seen()
        hub.show(view, [Watch("dev-1")])
        put(hub, topics.INGEST, bundle(packet("dev-1", 0), vital("dev-1", mdc.SPO2, 97)))
        put(hub, topics.CONDITIONS, condition(4, Phase.ONSET, device="dev-1"))
        put(hub, topics.STATUS, statuses("dev-1", 80, "N"))
        assert seen() == []


def test_access_that_ends_ends_at_once(hub: Hub) -> None:
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        seen()
        hub.show(view, map(Watch, BEDS))
        put(hub, topics.CONDITIONS, condition(4, Phase.ONSET, device="dev-1"))
        put(hub, topics.STATUS, statuses("dev-1", 80, "N"))
        hub.allow(view, {"dev-2": BEDS["dev-2"]})
        (devices,) = seen()  # and of what waited of dev-1, nothing
        assert isinstance(devices, frames.Told)
        assert set(devices.content["devices"]) == {"dev-2"}
        put(hub, topics.INGEST, bundle(packet("dev-1", 1), packet("dev-2", 1)))
        assert len(seen.signals()) == 1


def test_frames_that_are_sent_and_lost_are_counted_and_the_newest_signal_has_an_age(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted() -> tuple[float, float]:
        sent, lost = (
            REGISTRY.get_sample_value("ecgstream_monitor_frames_total", {"outcome": one}) or 0.0
            for one in ("sent", "lost")
        )
        return sent, lost

    assert math.isnan(hub.signal_age_s())
    monkeypatch.setattr(view_module, "MOST_BYTES", 1500)
    sent, lost = counted()
    with hub.viewing(BEDS) as view:
        hub.show(view, map(Watch, BEDS))
        put(hub, topics.INGEST, bundle(*(packet("dev-1", second) for second in range(5))))
        arrived = len(Seen(view).signals())
    assert counted() == (sent + arrived, lost + 5 - arrived)
    assert 0 < arrived < 5
    put(hub, topics.INGEST, bundle(packet("dev-2", 9), at_ns=SESSION - SECOND))  # from a spool
    assert hub.signal_age_s() == 5.0


def test_of_a_share_nothing_shows_that_is_older(hub: Hub) -> None:
    old, new = vital("dev-1", mdc.SPO2, 90), vital("dev-1", mdc.RESP_RATE, 14)
    put(hub, topics.INGEST, bundle(packet("dev-1", 0), old, at_ns=SESSION - 5_000_000_000))
    put(hub, topics.CONDITIONS, condition(4, Phase.ONSET, device="dev-1"))
    put(hub, topics.BEATS, beats("dev-1", 100))
    with hub.viewing({"dev-1": BEDS["dev-1"]._replace(since_ms=(SESSION + 10**9) / 1e6)}) as view:
        seen = Seen(view)
        alarms = seen.told(frames.Kind.ALARMS)
        assert [one["alarms"] for one in alarms] == [[]]
        hub.show(view, [Watch("dev-1"), Watch("dev-1", whole=True)])
        (numbers,) = seen()  # and no signal
        assert isinstance(numbers, frames.Told)
        assert numbers.content["numbers"] == {}
        hub.allow(view, {"dev-1": BEDS["dev-1"]._replace(since_ms=(SESSION - 10**9) / 1e6)})
        put(hub, topics.INGEST, bundle(packet("dev-1", 1), new, at_ns=SESSION))
        assert len(seen.signals()) == 2  # as on a wall, and whole
    with hub.viewing(BEDS) as view:  # by place, all of it
        seen = Seen(view)
        seen()
        hub.show(view, [Watch("dev-1")])
        assert len(seen.signals()) == 2


def test_alarms_come_of_all_devices_numbers_of_those_that_are_shown(hub: Hub) -> None:
    put(hub, topics.CONDITIONS, condition(4, Phase.ONSET, device="dev-1"))
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        (standing,) = [a for a in seen.told(frames.Kind.ALARMS) if a["alarms"]]
        assert [alarm["code"] for alarm in standing["alarms"]] == ["ASYSTOLE"]
        put(hub, topics.CONDITIONS, condition(4, Phase.ONSET, "LEAD_OFF", device="dev-2"))
        put(hub, topics.STATUS, statuses("dev-2", 80, "N"))
        (alarms,) = seen()
        assert isinstance(alarms, frames.Told)
        assert alarms.content["alarms"][0]["priority"] == "LOW"


def test_of_numbers_a_slow_screen_sees_the_newest_once(hub: Hub) -> None:
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        seen()
        hub.show(view, map(Watch, BEDS))
        for hr_bpm in range(60, 90):
            put(hub, topics.STATUS, statuses("dev-1", hr_bpm, "N"))
        (numbers,) = seen.told(frames.Kind.NUMBERS)
        assert numbers["numbers"]["hr"][0] == 89


def test_of_signals_a_slow_screen_loses_the_oldest_and_is_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "MOST_BYTES", 3000)
    with hub.viewing(BEDS) as slow, hub.viewing(BEDS) as quick:
        of_slow, of_quick = Seen(slow), Seen(quick)
        for view in (slow, quick):
            hub.show(view, [Watch("dev-1")])
        of_quick()
        for second in range(100):
            put(hub, topics.INGEST, bundle(packet("dev-1", second)))
            assert of_quick.signals() == [(0, second)]
            assert slow.waiting() <= 3000
        found = of_slow()
        kept = [f for f in found if isinstance(f, frames.Signal)]
        assert frames.Lost(100 - len(kept)) in found
        assert [f.waves[0].first for f in kept] == [250 * s for s in range(100 - len(kept), 100)]
        put(hub, topics.INGEST, bundle(packet("dev-1", 100)))
        assert of_slow.signals() == [(0, 100)]  # and it is told once


def test_an_alert_that_is_deleted_is_gone(hub: Hub) -> None:
    timeline = Timeline()
    timeline.at(4, Phase.ONSET)
    with hub.viewing(BEDS) as view:
        seen = Seen(view)
        seen()
        put(hub, topics.ALERTS, timeline.alert())
        assert len(seen.told(frames.Kind.ALARMS)[0]["alarms"]) == 1
        hub.take([Record(topics.ALERTS.name, id_of().encode(), None)])
        assert seen.told(frames.Kind.ALARMS)[0]["alarms"] == []


def test_what_cannot_be_read_disturbs_nothing(hub: Hub) -> None:
    put(hub, topics.INGEST, b"", b"garbage", bundle(packet("dev-1", 0)).encode()[:-3])
    put(hub, topics.INGEST, Vital("dev-1", 1, 1, mdc.SPO2, 97.0))  # no bundle
    put(hub, topics.STATUS, statuses("dev-1", math.nan, "?"))
    with hub.viewing(BEDS) as view:
        hub.show(view, [Watch("dev-1")])
        assert [type(f) for f in Seen(view)()][-1] is frames.Told


# -- Kafka


@contextmanager
def running(log: Log, clock_ns: Callable[[], int] = lambda: NOW) -> Iterator[Hub]:
    hub, stop = Hub(log.reader, 1, clock_ns), threading.Event()
    thread = threading.Thread(target=hub.run, args=(stop,))
    thread.start()
    try:
        yield hub
    finally:
        stop.set()
        thread.join()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"_ASK_S": 0.05, "_RETRY_S": 0.05, "CURRENT_S": 0.5}.items():
        monkeypatch.setattr(hub_module, name, seconds)


@pytest.mark.usefixtures("quick")
def test_it_says_so_when_kafka_is_away_and_what_ended_meanwhile_is_over() -> None:
    log, timeline = Log(), Timeline()
    timeline.at(4, Phase.ONSET)
    log.put(topics.ALERTS, timeline.alert(), id_of())
    log.put(topics.INGEST, bundle(packet("dev-1", 0)))
    with running(log) as hub, hub.viewing(BEDS) as view:
        seen = Seen(view)
        until(lambda: hub.is_current)
        hub.show(view, map(Watch, BEDS))
        found = seen()
        assert any(isinstance(f, frames.Signal) for f in found)
        assert any(isinstance(f, frames.Told) and f.content.get("alarms") for f in found)
        log.is_away = True
        until(lambda: not hub.is_current)
        log.records[topics.ALERTS.name].clear()
        log.put(topics.INGEST, bundle(packet("dev-1", 1, session=SESSION + NS)))
        log.is_away = False
        until(lambda: hub.is_current)
        found = seen()
        assert [f.content["alarms"] for f in found if isinstance(f, frames.Told)] == [[]]
        assert any(isinstance(f, frames.Signal) for f in found)
        assert log.readers >= 2


@pytest.mark.usefixtures("quick")
def test_conditions_of_before_are_told_by_the_alerts_alone() -> None:
    log = Log()
    log.put(topics.CONDITIONS, condition(4, Phase.ONSET, device="dev-1"))
    with running(log) as hub, hub.viewing(BEDS) as view:
        until(lambda: hub.is_current)
        seen = Seen(view)
        seen()
        log.put(topics.CONDITIONS, condition(4, Phase.ONSET, "VENTRICULAR_FIBRILLATION", device="dev-1"))
        found: list[Any] = []
        until(lambda: bool(found.__iadd__(seen.told(frames.Kind.ALARMS))))
        assert [alarm["code"] for alarm in found[0]["alarms"]] == ["VENTRICULAR_FIBRILLATION"]
