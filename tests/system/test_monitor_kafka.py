"""`ecgstream monitor` as a process, on real Kafka and a real database: an alert comes, and is taken on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ecgstream import clients
from ecgstream.monitor.progress import Progress
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import topics
from schemas.codec import encode
from schemas.records import AlertState, GatewayStatus, Phase
from tests.system.access_world import insert
from tests.system.monitor_house import House, csrf_of, log_in, made_house
from tests.system.pager_ward import PARTITION, PATIENCE_S, Ward, condition, serving, until


@pytest.fixture(scope="module", params=["plain"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (made, _):
        yield made


@contextmanager
def monitor(settings: Settings, log: Path) -> Iterator[httpx.Client]:
    """A client of `ecgstream monitor`."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    with log.open("ab") as out:
        argv = [sys.executable, "-m", "ecgstream", "monitor"]
        process = subprocess.Popen(argv, env=given | settings.environment(), stderr=out)
    try:
        until(lambda: "alerts_known" in log.read_text(), log.read_text)
        port = re.findall(r"monitor_started .*port=(\d+)", log.read_text())[0]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_an_alert_comes_and_is_taken_on(kafka: str, house: House, tmp_path: Path) -> None:
    ward, log = Ward(kafka), tmp_path / "monitor.log"
    with connect(house.url, role="ecg_sink") as sink:  # of nobody's: whoever stands at the root sees it
        seen = {"session": 1, "first_seen_ns": 1, "last_seen_ns": 2}
        insert(sink, "device", device=ward.device(), gateway="g", **seen)
    more = {"monitor_database": house.login, "monitor_port": 0}
    with (
        monitor(Settings(**ward.settings.model_dump() | more), log) as client,
        serving(ward.pager()),
    ):
        log_in(client, house.account("cardiologist"))
        ward.send(condition(ward.device(), Phase.ONSET, 4))
        until(lambda: ward.device() in client.get("/alarms").text, log.read_text)
        (alert,) = ward.newest().values()
        page = client.get(f"/alarms/{alert.id}")
        form = {"csrf": csrf_of(page), "act": "ACKNOWLEDGE", "reason": "at the bedside"}
        done = client.post(f"/alarms/{alert.id}", data=form)
        assert done.headers["location"].endswith("?said=acknowledged")
        assert ward.alerts() == {ward.device(): AlertState.ACKNOWLEDGED}
        until(lambda: "at the bedside" in client.get(f"/alarms/{alert.id}").text)
        log_in(client, house.account("clinic_a"))
        assert ward.device() not in client.get("/alarms").text
        assert client.get(f"/alarms/{alert.id}").status_code == 404
        assert client.get("/duty").status_code == 200
        assert "records wait" in client.get("/state").text
    (newest,) = ward.newest().values()
    assert (newest.acknowledged_by, newest.reason) == (house.account("cardiologist"), "at the bedside")
    told = log.read_text()
    assert "Traceback" not in told
    assert alert.id not in told
    ward.producer.close()


def test_gateways_are_shown_as_they_said_last(kafka: str) -> None:
    ward = Ward(kafka)
    now_ns = time.time_ns()
    said = [encode(GatewayStatus(ward.name, now_ns, 3, n, 0, None, 0, 0, 1, "1")) for n in (7, 3)]
    for value in (*said, b"nonsense"):
        ward.producer.send(topics.GATEWAYS.name, value, key=ward.name.encode(), partition=PARTITION).get(10)
    progress = Progress(
        lambda: clients.admin(ward.settings), lambda: clients.reader(ward.settings), ward.settings.partitions
    )
    until(lambda: progress.seen().reached)  # a new broker has no coordinator of groups at first
    seen = progress.seen()
    assert [one.spooled_records for one in seen.gateways if one.gateway == ward.name] == [3]
    assert [group.service for group in seen.groups] == ["worker", "pager", "sink"]
    assert progress.seen() is seen  # many look, and Kafka is asked by one
    ward.producer.close()
