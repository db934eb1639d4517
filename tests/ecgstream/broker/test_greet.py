"""Servers that are no broker we can come in at: each is said in one line."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecgstream.broker import greet as module
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.greet import greet
from ecgstream.settings import Settings

CLOSED: dict[str, Any] = {
    "kafka_security": "SASL_SSL",
    "kafka_user": "sink-1",
    "kafka_password": "a-secret-of-sink-1",
}


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Give the address of a server that answers each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield "{}:{}".format(*listening.getsockname())
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def refused(settings: Settings) -> str:
    with pytest.raises(BrokerError) as found:
        greet(settings, patience_s=0)
    said = str(found.value)
    assert "\n" not in said
    assert "a-secret-of-sink-1" not in said
    return said


def http(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1000)


def is_mute(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


@pytest.mark.parametrize("answer", [http, hangs_up])
def test_who_does_not_speak_kafka_or_not_without_tls(answer: Callable[[socket.socket], None]) -> None:
    with server(answer) as address:
        assert "hangs up on who speaks without TLS" in refused(Settings(kafka=address))


@pytest.mark.parametrize("answer", [http, hangs_up])
def test_who_does_not_speak_tls(answer: Callable[[socket.socket], None]) -> None:
    with server(answer) as address:
        said = refused(Settings(kafka=address, **CLOSED))
    assert "does not speak TLS" in said
    assert "ECGSTREAM_KAFKA must name its SASL_SSL port" in said


@pytest.mark.parametrize("closed", [{}, CLOSED])
def test_who_says_nothing(monkeypatch: pytest.MonkeyPatch, closed: dict[str, Any]) -> None:
    monkeypatch.setattr(module, "_ANSWER_S", 0.1)
    with server(is_mute) as address:
        said = refused(Settings(kafka=address, **closed))
    assert said.startswith(f"no broker answers at {address} (no ")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert refused(Settings(kafka=f"{address}, {address}")) == (
        f"no broker answers at {address} (Connection refused), {address} (Connection refused): "
        "check that it runs, and ECGSTREAM_KAFKA"
    )


@pytest.mark.parametrize("address", ["kafka", ":9092", "kafka:", "kafka:http", ","])
def test_what_is_no_address(address: str) -> None:
    assert "is no address of the form host:port" in refused(Settings(kafka=address))


def test_a_broker_that_starts_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def comes_later(address: str, _told: dict[str, Any]) -> None:
        asked.append(address)
        if len(asked) < 3:
            raise module._AwayError("Connection refused")

    monkeypatch.setattr(module, "_come_in", comes_later)
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    greet(Settings(kafka="kafka:9092"), patience_s=10)
    assert asked == ["kafka:9092"] * 3
