"""Looking: what is seen of servers that do not answer, and that a look which hangs is noticed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from ecgstream.settings import Settings
from ecgstream.watch import probes
from ecgstream.watch.clock import AwakeClock
from ecgstream.watch.probes import BrokerLook, DatabaseLook, DisksLook, Probe
from ecgstream.watch.run import Eyes
from ecgstream.watch.sight import Contact, Log
from tests.ecgstream.watch.receiver import until


@contextmanager
def mute() -> Iterator[int]:
    """A server that takes connections and says nothing, as a stopped process does; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "ANSWER_S", 1.0)


def test_a_broker_that_is_not_there_or_says_nothing() -> None:
    with mute() as port:
        address = f"127.0.0.1:{port}"
        look = BrokerLook(Settings(kafka=address), address)
        assert look(5.0) == Contact(5.0, "no answer in 1 s")
    assert look(6.0) == Contact(6.0, "Connection refused")


def test_a_database_that_is_not_there_or_says_nothing_and_no_password_is_shown() -> None:
    with mute() as port, closing(DatabaseLook(f"postgresql://me:hunter2@127.0.0.1:{port}/db")) as look:
        assert look(5.0).trouble == "connection timeout expired"
    gone = look(6.0).trouble
    assert "Connection refused" in gone
    assert "hunter2" not in gone
    with closing(DatabaseLook("hunter2 is no address")) as wrong:
        assert wrong(7.0) == Contact(7.0, "ProgrammingError")


def test_disks_are_seen_or_said_to_be_gone(tmp_path: Path) -> None:
    with closing(DisksLook([tmp_path, tmp_path / "gone"], "", 0.0)) as look:
        here, gone = look(1.0).values()
    assert 0 < here.free < here.total
    assert gone.trouble == "No such file or directory"


def test_a_volume_without_a_database_that_answers_is_not_seen(tmp_path: Path) -> None:
    with (
        closing(DisksLook([tmp_path], "postgresql://me@127.0.0.1:1/db", 100.0)) as look,
        pytest.raises(psycopg.OperationalError),
    ):
        look(1.0)


class Scripted:
    """A look that fails, hangs or sees, as it is told."""

    def __init__(self) -> None:
        self.fails = ""
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.closed = False

    def __call__(self, now_s: float) -> float:
        self.goes_on.wait()
        if self.fails:
            raise RuntimeError(self.fails)
        return now_s

    def close(self) -> None:
        self.closed = True


def test_a_look_that_fails_is_said_once_and_the_next_sees_again() -> None:
    look, stop = Scripted(), threading.Event()
    look.fails = "first line\nsecond line"
    probe = Probe("log", look, 0.01, AwakeClock())
    with capture_logs() as logs:
        thread = threading.Thread(target=probe.run, args=(stop,))
        thread.start()
        until(lambda: len(logs) == 1)
        began_s = probe.looked_s
        until(lambda: probe.looked_s > began_s)
        assert probe.seen is None
        look.fails = ""
        until(lambda: probe.seen is not None)
        stop.set()
        thread.join()
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("nothing_seen", "RuntimeError: first line"),
        ("seen_again", None),
    ]
    assert look.closed


class Clock(AwakeClock):
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def eyes(clock: Clock, tmp_path: Path) -> Eyes:
    return Eyes(Settings(kafka="a:1, b:2", database="postgresql://x", data=tmp_path), clock)


def test_a_look_that_hangs_is_noticed_and_hides_no_other(clock: Clock, tmp_path: Path) -> None:
    all_ = eyes(clock, tmp_path)
    clock.now_s += 31
    for probe in all_.all():
        if probe.name != "database":
            probe.looked_s = clock()
    assert all_.hanging(30.0) == ["database"]
    assert {"broker a:1", "broker b:2", "log", "copies", "gateways"} <= {p.name for p in all_.all()}


def test_what_is_not_seen_though_a_broker_answers_makes_blind(clock: Clock, tmp_path: Path) -> None:
    all_ = eyes(clock, tmp_path)
    a, b, log, *_ = all_.all()
    database = all_.all()[-1]
    assert all_.unseen(60.0) == ["broker a:1", "broker b:2", "database"]  # nothing was looked at yet
    a.seen = b.seen = Contact(clock(), "Connection refused")
    database.seen = Contact(clock())
    assert all_.unseen(60.0) == []  # Kafka is away, and that is seen
    b.seen = Contact(clock())
    assert all_.unseen(60.0) == ["log", "copies", "gateways", "duty"]
    clock.now_s += 61
    log.seen = Log(clock() - 10, {}, {})
    assert all_.unseen(60.0) == ["copies", "gateways", "duty"]
