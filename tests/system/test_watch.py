"""The watch on a real centre: each fault is told in time, and its end, though the watch is killed between."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from devices.bundler import Bundler, Instant
from devices.recordings import toy_ecg
from ecgstream import clients
from ecgstream.centre import SERVICES, Centre
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.settings import Settings
from ecgstream.watch.probes import DatabaseLook
from ecgstream.watch.sight import Contact
from schemas import topics
from tests.ecgstream.watch.receiver import Receiver, Request, until
from tests.system.conftest import started

SESSION_S = 6.0
SLACK_S = 4.0
"""For a machine that is busy with the other tests."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def free_port() -> int:
    """Return a port behind which as many are free as there are services."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Devices:
    """A device in every partition that sends in real time, until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.start = self._thread.start

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _send(self) -> None:
        sources = [replace(toy_ecg(), device=f"d-{n}", shard=n) for n in range(self._settings.partitions)]
        producer = clients.producer(self._settings)
        bundler = Bundler("gw-test")
        began_s, began_ns = time.monotonic(), time.time_ns()
        try:
            for emissions in zip(*(source.emissions(began_ns) for source in sources), strict=True):
                if self._stop.wait(began_s + emissions[0].at_s - time.monotonic()):
                    return
                now = Instant(time.monotonic(), time.time_ns())
                for source, emission in zip(sources, emissions, strict=True):
                    bundler.add(source.shard, emission.item, now)
                for bundle in bundler.flush(now):
                    producer.send(topics.INGEST.name, bundle.encode(), partition=bundle.shard)
        finally:
            producer.close(timeout=5)


class Faults:
    """A centre with devices that send, whose parts are hurt one by one."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.kafka = EmbeddedKafka(folder / "kafka")
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self.settings = Settings(
            kafka=started(self.kafka),
            database=SecretStr(started(self.postgres)),
            data=folder / "data",
            partitions=4,
            session_timeout_s=SESSION_S,
            notify_url=SecretStr(receiver.url("/hook")),
            heartbeat_url=SecretStr(receiver.url("/ping")),
            heartbeat_s=1.0,
            disk_free_percent=0.0,
            metrics_port=free_port(),
            log_json=True,
        )
        self.centre = Centre(self.settings, lambda _: None)
        self.devices = Devices(self.settings)

    def start(self) -> None:
        self.centre.start_services()
        self.devices.start()
        self.await_(lambda: self.value("sink", "ecgstream_sink_rows_total") > 0, 60)
        self.await_(lambda: self.receiver.beats(), 30)

    def log(self) -> str:
        logs = (self.centre.logs / f"{service}.log" for service in SERVICES)
        return "\n".join(f"{log.stem}:\n{log.read_text()[-3000:]}" for log in logs)

    def await_(self, holds: Callable[[], object], patience_s: float) -> None:
        until(holds, self.log, patience_s)

    def pages(self, condition: str = "", what: str = "") -> list[Request]:
        """Return the watch's own pages; those of the pager are about a device."""
        return [r for r in self.receiver.pages(condition, what) if not r.page["device"]]

    def told(self, condition: str, what: str, since_s: float, within_s: float) -> Request:
        """Return the page, once it has come; it must in time."""
        found: list[Request] = []

        def has_come() -> bool:
            found[:] = [r for r in self.pages(condition, what) if r.at_s > since_s]
            return bool(found)

        self.await_(has_come, since_s + within_s + SLACK_S - time.monotonic())
        return found[0]

    def ask(self, service: str, path: str) -> httpx.Response:
        port = self.settings.metrics_port + SERVICES.index(service)
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)

    def value(self, service: str, metric: str) -> float:
        """Return the sum over a metric's labels."""
        try:
            text = self.ask(service, "/metrics").text
        except httpx.HTTPError:
            return 0.0
        return sum(float(v) for v in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


@pytest.fixture
def faults(kafka: str, tmp_path: Path, receiver: Receiver) -> Iterator[Faults]:
    made = Faults(tmp_path, receiver)
    try:
        with made.centre:
            made.start()
            yield made
    finally:
        made.devices.stop()
        made.postgres.stop()
        made.kafka.stop()


def test_every_fault_is_told_in_time_and_its_end_and_nothing_else(faults: Faults) -> None:
    receiver, centre = faults.receiver, faults.centre
    for service in SERVICES:
        assert [faults.ask(service, path).status_code for path in ("/health", "/ready")] == [200, 200], (
            service
        )
    assert faults.value("sink", "ecgstream_sink_rows_total") > 0
    assert faults.pages() == []

    # A worker that hangs, a pager that is dead, a database that is away, all at once.
    began_s = time.monotonic()
    worker = centre.process("worker")
    worker.send_signal(signal.SIGSTOP)
    pager = centre.process("pager")
    pager.send_signal(signal.SIGKILL)
    faults.postgres.stop()
    away = faults.told("DATABASE_AWAY", "RAISED", began_s, 10)
    stalled = faults.told("PIPELINE_STALLED", "RAISED", began_s, 16)
    faults.told("PAGER_STALLED", "RAISED", began_s, SESSION_S + 17)
    assert {r.page["priority"] for r in faults.pages()} == {"HIGH"}
    assert faults.ask("sink", "/ready").status_code == 503
    assert faults.value("watch", "ecgstream_watch_alarms") >= 3
    assert [b for b in receiver.beats() if b.at_s > stalled.at_s], "an alarm silences no heartbeat"

    # The watch is killed, and started again: it neither repeats nor forgets.
    raised = {r.key for r in faults.pages()}
    killed = centre.process("watch")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    centre.start("watch", ["watch"])
    restarted_s = time.monotonic()
    faults.await_(lambda: [b for b in receiver.beats() if b.at_s > restarted_s], 30)
    assert {r.key for r in faults.pages()} == raised

    # All is mended; that is told as well, of the same alarms.
    began_s = time.monotonic()
    worker.send_signal(signal.SIGCONT)
    faults.postgres.start()
    centre.restart_what_ended()

    def all_is_over() -> bool:
        centre.restart_what_ended()  # a worker that has lost its partitions in its sleep may end itself
        over = {r.page["alert"] for r in faults.pages(what="ENDED")}
        return over == {r.page["alert"] for r in faults.pages(what="RAISED")}

    faults.await_(all_is_over, 90)
    assert {r.page["alert"] for r in faults.pages("DATABASE_AWAY")} == {away.page["alert"]}
    conditions = {r.page["condition"] for r in faults.pages()}
    assert conditions == {"DATABASE_AWAY", "PIPELINE_STALLED", "PAGER_STALLED"}

    # The broker is away; and when the watch is gone too, the dead man's switch is called no more.
    faults.devices.stop()
    began_s = time.monotonic()
    faults.kafka.stop()
    faults.told("BROKER_AWAY", "RAISED", began_s, 10)
    watch = centre.process("watch")
    watch.send_signal(signal.SIGKILL)
    watch.wait()
    beats = len(receiver.beats())
    time.sleep(3)
    assert len(receiver.beats()) == beats
    assert not [r for r in receiver.requests if r.method == "POST" and r.key == ""]
    for service in SERVICES:  # whatever has happened, each line of their logs can be read
        lines = (centre.logs / f"{service}.log").read_text().splitlines()
        assert [line for line in lines if not line.startswith("{")] == [], service
        told = [json.loads(line) for line in lines]
        assert {line["service"] for line in told} == {service}
        assert [line for line in told if line["event"] == "crashed"] == []


def test_a_database_is_seen_to_go_and_to_come_back(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    url = started(postgres)
    try:
        with closing(DatabaseLook(url)) as look:
            assert look(1.0) == Contact(1.0)
            assert int(look.ask(b"SELECT pg_database_size(current_database())")) > 1_000_000
            postgres.stop()
            assert look(2.0).trouble
            postgres.start()
            assert look(3.0) == Contact(3.0)  # over a connection that was lost: the next is made at once
            process = postgres._process
            assert process is not None
            os.kill(process.pid, signal.SIGSTOP)  # whoever connects is kept waiting
            try:
                began_s = time.monotonic()
                look.close()
                assert look(4.0).trouble
                assert time.monotonic() - began_s < 5
            finally:
                os.kill(process.pid, signal.SIGCONT)
            assert look(5.0) == Contact(5.0)
    finally:
        postgres.stop()
