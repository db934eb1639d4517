"""The sealer on a real Kafka: what comes in from there, what goes there, and the service as it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecgstream import clients, desk
from ecgstream.audit import read, told
from ecgstream.audit.sealer import ROLE, Follower
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.topics import create_topics
from schemas import topics
from schemas.audit import AuditHead
from schemas.codec import encode
from tests.system.audit_site import WORDS, Site


@pytest.fixture
def world(
    kafka: str, plain_postgres_url: str, new_database: Any, tmp_path: Path
) -> Iterator[tuple[Site, Settings]]:
    with closing(Site(new_database(plain_postgres_url), tmp_path)) as made:
        settings = Settings(kafka=kafka, database=made.url, audit_key=made.file)
        create_topics(settings)
        yield made, settings


def follow(site: Site, settings: Settings) -> int:
    """Read all that Kafka has; return how many entries that made."""
    with connect(site.url, autocommit=True, role=ROLE) as sealer, closing(clients.reader(settings)) as reader:
        follower = Follower(sealer, reader, settings.partitions)
        made, idle = 0, 0
        while idle < 3:
            n = follower.step(0.5)
            made, idle = made + n, 0 if n else idle + 1
        return made


def test_what_services_tell_by_kafka_comes_in_once(world: tuple[Site, Settings]) -> None:
    site, settings = world
    mark = f"li_{time.time_ns()}"
    told.tell(settings, [told.started(settings, "worker")])
    desk.note(settings, mark, "alert", "a-1", "R.A", command="alert show")
    assert follow(site, settings) >= 2
    assert follow(site, settings) == 0
    (entry,) = [e for e in site.contents("read") if e["who"] == mark]
    assert (entry["kind"], entry["object"], entry["facility"]) == ("alert", "a-1", "R.A")
    start = site.contents("start")[-1]
    assert start["detail"]["settings"]["database"] == "(set)"
    assert site.url not in str(start)


def test_two_followers_take_no_record_twice(world: tuple[Site, Settings]) -> None:
    site, settings = world
    entries = '[{"who": "li", "action": "read", "kind": "list", "object": "", "path": null, "detail": {}}]'
    said = ("ecg.audit", 10_000, 5, 9, entries)
    note = "SELECT ecg.note_log(%s, %s, %s, %s, %s)"
    assert site.sealer.execute(note, said).fetchone() == (True,)
    assert site.sealer.execute(note, said).fetchone() == (False,)
    assert site.sealer.execute(note, ("ecg.audit", 10_000, 7, 12, entries)).fetchone() == (False,)
    assert site.sealer.execute(note, ("ecg.audit", 10_000, 9, 12, entries)).fetchone() == (True,)
    assert len([e for e in site.contents("read") if e["kind"] == "list"]) == 2
    assert settings.audit_key is not None


def test_heads_are_read_back_from_kafka(world: tuple[Site, Settings]) -> None:
    site, settings = world
    heads = site.grow()
    with closing(clients.producer(settings)) as producer:
        for head in heads:
            producer.send(topics.AUDIT_HEADS.name, encode(head), key=head.chain).get(10)
    copied = [head for head in read.copied_heads(settings) if head.chain == heads[0].chain]
    assert copied == heads
    assert site.faults(copied) == []


@contextmanager
def running(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service; it must end in order."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("ECGSTREAM_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ecgstream", "sealer"],
            env=environment | settings.environment(),
            stderr=out,
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def until(is_so: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_the_service_chains_signs_and_copies_and_without_a_key_it_chains(
    world: tuple[Site, Settings], tmp_path: Path
) -> None:
    site, settings = world
    log = tmp_path / "sealer.log"

    def sealed(who: str) -> bool:
        with connect(site.url, role=ROLE) as sealer:
            return any(e.who == who for e in read.entries(sealer))

    def heads() -> list[AuditHead]:
        with connect(site.url, role=ROLE) as sealer:
            return read.heads(sealer)

    lacking = settings.model_copy(update={"audit_key": tmp_path / "none.key"})
    with running(lacking, log):
        site.say(1)
        until(lambda: sealed("li_0") and "not_signed" in log.read_text(), log)
        assert heads() == []
    with running(settings, log):
        desk.note(settings, "chen", "list", "", command="alert list")
        until(lambda: sealed("chen") and sealed("sealer-1" if settings.kafka_user else "sealer"), log)
        name = heads()[0].chain
        until(lambda: [h for h in read.copied_heads(settings) if h.chain == name], log)
    copied = [h for h in read.copied_heads(settings) if h.chain == name]
    assert site.faults(copied) == []
    assert WORDS not in log.read_text()
