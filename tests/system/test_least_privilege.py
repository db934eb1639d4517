"""A centre whose services have users and logins of their own, on a closed broker, and a clinic that looks on.

From a device that is enrolled by command to the beats that those who answer for the patient see, and the
neighbours do not.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devices.enrolment_follower import Follower
from devices.gateway import play
from devices.recordings import toy_ecg
from ecgstream import clients
from ecgstream.broker.access import Service
from ecgstream.commands import device, facility, patient
from ecgstream.embedded.process import end, spawn
from ecgstream.play import admit
from ecgstream.registry import facility_csv
from ecgstream.registry.henan import henan
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.ecgstream.watch.receiver import Receiver, until
from tests.system.closed_kafka import Closed, closed_kafka
from tests.system.command import Command
from tests.system.conftest import started
from tests.system.people import person
from tests.system.publishing import publishing

DEVICE, HOSPITAL, NEIGHBOUR = "mon-1", "410100-H1", "410100-H2"
SERVICES = (Service.REGISTRY, Service.WORKER, Service.PAGER, Service.SINK, Service.WATCH)
PATIENCE_S = 180.0


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Closed]:
    broker = closed_kafka(tmp_path / "closed")
    address = started(broker)
    try:
        yield Closed(tmp_path / "closed", address)
    finally:
        broker.stop()


@pytest.fixture
def url(timescale_url: str, new_database: Callable[[str], str]) -> str:
    made = new_database(timescale_url)
    migrate(made)
    return made


@pytest.fixture
def logins(url: str) -> Iterator[dict[Service, str]]:
    """URLs of logins that are members of their service's role and of nothing else; the watch may connect."""
    made = {}
    database = conninfo_to_dict(url)["dbname"]
    with connect(url, autocommit=True) as connection:
        for service in (Service.REGISTRY, Service.SINK, Service.WATCH):
            login, password = f"{service}_{secrets.token_hex(4)}", secrets.token_urlsafe()
            connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{password}'")
            right = f"CONNECT ON DATABASE {database}" if service is Service.WATCH else f"ecg_{service}"
            connection.execute(f"GRANT {right} TO {login}")
            made[service] = make_conninfo(**conninfo_to_dict(url) | {"user": login, "password": password})
        yield made
        for address in made.values():
            connection.execute(f"DROP OWNED BY {conninfo_to_dict(address)['user']}")
            connection.execute(f"DROP ROLE {conninfo_to_dict(address)['user']}")


@pytest.fixture
def dead_mans_switch() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def test_a_patient_is_watched_and_seen_by_those_who_answer(
    closed: Closed,
    url: str,
    logins: dict[Service, str],
    dead_mans_switch: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = tmp_path / "services.log"
    processes = []
    for service in SERVICES:
        settings = closed.of(
            service,
            database=logins.get(service, ""),
            clock_rate=20.0,
            snapshot_spread_s=1.0,
            heartbeat_url=dead_mans_switch.url(),
            heartbeat_s=1.0,
            disk_free_percent=0.0,
            database_volume_gb=1e6,
        )
        with log.open("ab") as out:
            argv = [sys.executable, "-m", "ecgstream", str(service)]
            processes.append(spawn(argv, env={**os.environ, **settings.environment()}, stdout=out))
    try:
        worn_by = enter(logins[Service.REGISTRY], tmp_path, capsys)
        send(closed)
        ours, others = (person(url, "clinic", at, f"test_{at[-2:].lower()}") for at in (HOSPITAL, NEIGHBOUR))
        deadline = time.monotonic() + PATIENCE_S
        while (beats := count(url, ours)) < 400:
            assert time.monotonic() < deadline, (beats, log.read_text())
            assert [p.poll() for p in processes] == [None] * len(processes), log.read_text()
            time.sleep(0.2)
        assert count(url, others) == 0
        with connect(url, role=ours) as seen:
            assert seen.execute("SELECT device, patient FROM api.device_health").fetchall() == [
                (DEVICE, worn_by)
            ]
            assert {p for (p,) in seen.execute("SELECT told_patient FROM api.conditions")} <= {worn_by}
        until(lambda: dead_mans_switch.beats(), log.read_text, PATIENCE_S)  # the watch sees all it must
    finally:
        status = [end(process) for process in processes]
    assert status == [0] * len(SERVICES), log.read_text()
    assert "nothing_seen" not in log.read_text()
    assert "condition=" not in log.read_text()  # of an alarm


def enter(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Enter who and where, with the registry's login; return the patient's pseudonym."""
    tree = folder / "tree.csv"
    facility_csv.write(tree, henan())
    Command(facility.app, url, capsys)("import", tree)
    Command(device.app, url, capsys)(
        "enrol", DEVICE, "--facility", HOSPITAL, "--kind", "patch", "--leads", "II"
    )
    patients = Command(patient.app, url, capsys)
    (made,) = patients.json("add", "--facility", HOSPITAL)
    patients("associate", made["patient"], DEVICE)
    return str(made["patient"])


def send(closed: Closed) -> None:
    """Play a recording as the device, once the gateway has heard of its enrolment."""
    settings = closed.of(Service.GATEWAY)
    security = clients.security(settings)
    with Follower(settings.kafka, settings.data / "enrolments", security=security) as known:
        (source,) = admit([replace(toy_ecg(), device=DEVICE)], known, PATIENCE_S)
    with publishing(settings, settings.data, security=security) as publisher:
        assert play([source], publisher, speed=20, flush_s=0.1).complete


def count(url: str, role: str) -> int:
    with connect(url, role=role) as connection:
        row = connection.execute("SELECT count(*) FROM api.beats").fetchone()
    assert row is not None
    return int(row[0])
