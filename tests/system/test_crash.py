"""A worker killed in mid-stream: the same beats, conditions and traces as in an undisturbed run."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from devices.gateway import play
from devices.recordings import toy_ecg
from devices.simulator import WARD, simulate
from devices.source import Source
from devices.trouble import Kind
from ecgstream.centre import GROUPS, Centre
from ecgstream.chaos import alarms, compare
from ecgstream.demo.settle import settle
from ecgstream.settings import Settings
from schemas import topics
from tests.system.publishing import publishing

SPEED = 15.0
SIGNAL_S = 190.0
START_NS = 1_790_000_000_000_000_000
TROUBLES = {Kind.ASYSTOLE, Kind.LINK_LOST, Kind.REBOOT}
AWAY_S = (139.0, 141.0)
"""When the scripted link is lost; when the play is over every link is, sooner or later."""


@dataclass
class Run:
    tables: compare.Contents
    lost_links: list[alarms.LostLink]
    kills: int


def sources() -> list[Source]:
    beds = [bed for bed in WARD if {t.kind for t in bed.script} & TROUBLES]
    simulated = [simulate(bed, duration_s=SIGNAL_S) for bed in beds]
    return [replace(source, shard=i) for i, source in enumerate([toy_ecg(), *simulated])]


def kill_worker(centre: Centre, stop: threading.Event, kills: list[int]) -> None:
    """Kill -9 the worker every few seconds; the centre starts it again."""
    while not stop.wait(3.5):
        process = centre.process("worker")
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills.append(process.pid)
        time.sleep(0.1)


def run(settings: Settings, played: list[Source], *, killing: bool) -> Run:
    kills: list[int] = []
    stop = threading.Event()
    with Centre(settings, lambda _: None) as centre, ExitStack() as gateways:
        centre.start_services()
        publisher = gateways.enter_context(publishing(centre.settings, settings.data))
        gateway = threading.Thread(
            target=play,
            args=(played, publisher),
            kwargs={"speed": SPEED, "start_ns": START_NS, "flush_s": 0.5 / SPEED},
        )
        gateway.start()
        killer = threading.Thread(target=kill_worker, args=(centre, stop, kills))
        if killing:
            killer.start()
        while gateway.is_alive():
            time.sleep(0.2)
            centre.restart_what_ended()
        stop.set()
        if killing:
            killer.join()
        centre.restart_what_ended()
        gateways.close()
        settle_all(centre)
        with psycopg.connect(centre.settings.database.get_secret_value()) as connection:
            lost = [s for s in alarms.lost_links(connection) if AWAY_S[0] < s.onset_s < AWAY_S[1]]
            return Run(compare.read(connection), lost, len(kills))


def settle_all(centre: Centre) -> None:
    stored = (topics.INGEST, topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS)
    for service, followed in (("worker", stored[:1]), ("pager", (topics.CONDITIONS,)), ("sink", stored)):
        deadline = time.monotonic() + 180
        while settle(centre.settings, GROUPS[service], followed, 1.0):
            centre.restart_what_ended()
            assert time.monotonic() < deadline, f"{service} does not settle: {log(centre, service)}"


def log(centre: Centre, service: str) -> str:
    return (centre.logs / f"{service}.log").read_text()[-3000:]


def test_a_killed_worker_leaves_the_same_beats_conditions_and_traces(
    timescale_url: str, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    played = sources()

    def settings(name: str) -> Settings:
        return Settings(
            database=new_database(timescale_url),
            kafka="",
            data=tmp_path / name,
            partitions=4,
            worker="w",
            clock_rate=SPEED,
            snapshot_spread_s=2.0,
        )

    undisturbed = run(settings("undisturbed"), played, killing=False)
    killed = run(settings("killed"), played, killing=True)
    assert killed.kills >= 2
    assert undisturbed.kills == 0
    code = compare.COMPARED["condition"].index("code") - 1
    conditions = {row[code] for row in undisturbed.tables["condition"].values()}
    assert {"ASYSTOLE", "DEVICE_RESTARTED"} <= conditions
    assert [(s.device, s.phase, s.alert) for s in undisturbed.lost_links] == [("sim-07", "END", "ENDED")]
    assert killed.lost_links == undisturbed.lost_links
    assert all(undisturbed.tables.values())
    assert list(map(str, compare.differences(undisturbed.tables, killed.tables))) == []
