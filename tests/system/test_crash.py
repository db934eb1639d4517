"""A worker killed in mid-stream: the same beats, conditions and traces as in an undisturbed run."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devices.gateway import play
from devices.recordings import toy_ecg
from devices.simulator import WARD, simulate
from devices.source import Source
from devices.trouble import Kind
from ecgstream.centre import GROUPS, Centre
from ecgstream.demo.settle import settle
from ecgstream.settings import Settings
from schemas import topics
from tests.system.publishing import publishing

SPEED = 15.0
SIGNAL_S = 190.0
START_NS = 1_790_000_000_000_000_000
TROUBLES = {Kind.ASYSTOLE, Kind.LINK_LOST, Kind.REBOOT}

# Without the columns that tell who decided when: generation and offset, clocks, and when a wall-clock timer
# noticed a lost link.
COMPARED = {
    "beat": "device, session, sample, time_ns, code, rr_s, hr_bpm, version",
    "rhythm": "device, session, sample, time_ns, rhythm, version",
    "trend": "device, session, minute_ns, code, n, mean, low, high, version",
    "vital": "device, session, code, time_ns, value",
    "trace": "device, session, channel, first_sample, time, code, rate, gain, n, data, packet_seq, packet_ns",
    "condition": "id, device, session, code, onset_sample, onset_ns,"
    " phase, CASE WHEN code <> 'LINK_LOST' THEN (decided_sample, sample, end_ns, evidence)::text END",
    "alert": "id, device, patient, session, condition, priority, state, onset_sample, onset_ns",
}
# And when the play is over every link is lost, sooner or later: of lost links the scripted one counts.


@dataclass
class Run:
    tables: dict[str, list[Any]]
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
            return Run({table: rows(connection, table) for table in COMPARED}, len(kills))


def settle_all(centre: Centre) -> None:
    stored = (topics.INGEST, topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS)
    for service, followed in (("worker", stored[:1]), ("pager", (topics.CONDITIONS,)), ("sink", stored)):
        deadline = time.monotonic() + 60
        while settle(centre.settings, GROUPS[service], followed, 1.0):
            centre.restart_what_ended()
            assert time.monotonic() < deadline, f"{service} does not settle: {log(centre, service)}"


def log(centre: Centre, service: str) -> str:
    return (centre.logs / f"{service}.log").read_text()[-3000:]


def rows(connection: psycopg.Connection, table: str) -> list[Any]:
    column = {"condition": "code", "alert": "condition"}.get(table)
    where = f"WHERE {column} <> 'LINK_LOST' OR device = 'sim-07'" if column else ""
    query = f"SELECT {COMPARED[table]} FROM ecg.{table} {where} ORDER BY 1, 2, 3, 4, 5"  # noqa: S608 - ours
    return connection.execute(query).fetchall()  # type: ignore[arg-type]


@pytest.mark.timeout(400)
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
    conditions = {row[3] for row in undisturbed.tables["condition"]}
    assert {"ASYSTOLE", "LINK_LOST", "DEVICE_RESTARTED"} <= conditions
    for table in COMPARED:
        assert len(undisturbed.tables[table]) > 0, table
        assert killed.tables[table] == undisturbed.tables[table], table
