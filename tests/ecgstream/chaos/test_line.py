"""A line that can be cut: bytes pass, a cut breaks and refuses or says nothing, and it can be mended."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgstream.chaos.line import Line


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that says what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one:
            while data := one.recv(65_536):
                one.sendall(data)

    def accept() -> None:
        while True:
            try:
                one, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(one,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def heard(one: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (data := one.recv(65_536)):
        found += data
    return found


def test_what_goes_in_comes_out_both_ways_at_once(echo: tuple[str, int]) -> None:
    sent = bytes(range(256)) * 8_000
    with Line(echo) as line, socket.create_connection(("127.0.0.1", line.port), 10) as one:
        sender = threading.Thread(target=one.sendall, args=(sent,))
        sender.start()
        assert heard(one, len(sent)) == sent
        sender.join()


def test_a_cut_line_breaks_what_is_open_and_refuses_until_it_is_mended(echo: tuple[str, int]) -> None:
    with Line(echo) as line:
        with socket.create_connection(("127.0.0.1", line.port), 10) as one:
            one.sendall(b"a")
            assert heard(one, 1) == b"a"
            line.cut()
            assert heard(one, 1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", line.port), 10)
        line.mend()
        with socket.create_connection(("127.0.0.1", line.port), 10) as one:
            one.sendall(b"b")
            assert heard(one, 1) == b"b"


def test_a_silent_cut_says_nothing_and_breaks_when_it_is_mended(echo: tuple[str, int]) -> None:
    with Line(echo) as line, socket.create_connection(("127.0.0.1", line.port), 10) as one:
        one.sendall(b"a")
        assert heard(one, 1) == b"a"
        line.cut(silent=True)
        one.sendall(b"b")
        one.settimeout(0.3)
        with pytest.raises(TimeoutError):
            one.recv(1)
        one.settimeout(10)
        line.mend()
        assert heard(one, 1) == b""


def test_a_line_between_unix_sockets(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "far"))
    server.listen()
    with Line(str(tmp_path / "far"), at=tmp_path / "near"), socket.socket(socket.AF_UNIX) as one:
        one.connect(str(tmp_path / "near"))
        far, _ = server.accept()
        one.sendall(b"a")
        assert far.recv(1) == b"a"
        far.close()
    server.close()
    assert not (tmp_path / "near").exists()
