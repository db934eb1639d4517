"""Connections that mean no good: devices are answered meanwhile, memory is bounded, and all is given back."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from devices.hl7.mllp import Frames, framed
from devices.hl7.write import report
from devices.reading import Measured, Reading
from ecgstream.bench.process import usage
from ecgstream.entrance import BACKLOG, MOST
from schemas import mdc
from tests.system.hostile_gateway import KEY
from tests.system.pager_ward import until

TOP = Path(__file__).resolve().parents[2]
MANY = 10_000
SLACK_FILES = 20
KB = 1000
A_CONNECTION_BYTES = 60 * KB
PATIENCE_S = 60


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, folder: Path, silent_s: float) -> None:
        self.log = folder / "log"
        ports = folder / "ports"
        with self.log.open("wb") as out:
            argv = [sys.executable, "-m", "tests.system.hostile_gateway", str(ports), str(silent_s)]
            self.process = subprocess.Popen(argv, cwd=TOP, stdin=subprocess.PIPE, stdout=out, stderr=out)
        until(ports.exists, self.log.read_text)
        self.ports = dict(zip(("http", "mllp"), json.loads(ports.read_text()), strict=True))

    def connect(self, protocol: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[protocol]), PATIENCE_S)

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208  entries may go meanwhile

    def peers(self) -> set[int]:
        """Return the ports at the other ends of its connections (proc(5), net/tcp)."""
        own = set()
        for file in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                own.add(str(file.readlink()))
        rows = map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        return {int(row[2].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in own}

    def memory(self) -> int:
        return usage(self.process.pid)[1]


@contextmanager
def running(folder: Path, silent_s: float) -> Iterator[Gateway]:
    gateway = Gateway(folder, silent_s)
    try:
        yield gateway
    finally:
        gateway.process.kill()
        gateway.process.communicate()


class Monitor:
    """A device that speaks HL7, on one connection."""

    def __init__(self, gateway: Gateway) -> None:
        self._line = gateway.connect("mllp")
        self._many = 0

    def is_answered(self) -> bool:
        self._many += 1
        now = time.time_ns()
        self._line.sendall(
            framed(report(Reading("mon-1", f"m-{now}", now, (), (Measured(now, mdc.SPO2, 97.0),))))
        )
        told = Frames().feed(self._line.recv(65_536))
        return b"\rMSA|CA|" in told[0]

    def close(self) -> None:
        self._line.close()


class Wearable:
    """A device that speaks HTTP, on one connection as long as that is kept."""

    def __init__(self, gateway: Gateway) -> None:
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{gateway.ports['http']}",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=PATIENCE_S,
            trust_env=False,
        )

    def is_answered(self) -> bool:
        now = time.time_ns()
        number = {"device": "dev-1", "session": 1, "time": now, "code": mdc.SPO2, "value": 97, "unit": "%"}
        answer = self._client.post("/v1/vitals", json={"vitals": [number]})
        if answer.status_code == 429:  # it is known, and asks more often than it may
            return True
        return answer.status_code == 200 and answer.json()["results"] == [{"status": "accepted"}]

    def close(self) -> None:
        self._client.close()


DEVICES: dict[str, Callable[[Gateway], Monitor | Wearable]] = {"mllp": Monitor, "http": Wearable}


@contextmanager
def silent_clients(port: int) -> Iterator[subprocess.Popen[str]]:
    """Ten thousand connections; the process says how many there are once they are open."""
    argv = [sys.executable, "-m", "tests.system.silent_clients", str(port), str(MANY)]
    with subprocess.Popen(argv, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("protocol", DEVICES)
def test_ten_thousand_connections_that_say_nothing_keep_no_device_out(protocol: str, tmp_path: Path) -> None:
    with running(tmp_path, silent_s=600) as gateway, closing(DEVICES[protocol](gateway)) as old:
        assert old.is_answered()
        files, memory = gateway.files(), gateway.memory()
        with silent_clients(gateway.ports[protocol]) as clients:
            while not select.select([clients.stdout], [], [], 0)[0]:
                with closing(DEVICES[protocol](gateway)) as new:
                    assert new.is_answered()
                assert gateway.files() - files <= MOST + 4 * BACKLOG + SLACK_FILES
            opened = int(clients.stdout.readline()) if clients.stdout else 0
            assert old.is_answered()
            with closing(DEVICES[protocol](gateway)) as new:
                assert new.is_answered()
            assert opened > MOST
            until(lambda: gateway.files() - files <= MOST + SLACK_FILES, gateway.files)
            assert gateway.files() - files > MOST / 2
            assert gateway.memory() - memory < MOST * A_CONNECTION_BYTES
        until(lambda: gateway.files() - files <= SLACK_FILES, gateway.files)
        assert old.is_answered()
        until(lambda: "gave_way" in gateway.log.read_text(), gateway.log.read_text)


# -- each of these goes on until its connection is ended


def deaf(line: socket.socket, said: bytes) -> None:
    """Ask again and again, and read no answer."""
    while True:
        line.sendall(said)


def slow(line: socket.socket, said: bytes) -> None:
    """Say little, and then no more than a byte now and then."""
    line.sendall(said)
    while True:
        time.sleep(0.1)
        line.sendall(b"M")


def endless(line: socket.socket, said: bytes) -> None:
    """Begin, and come to no end."""
    line.sendall(said)
    while True:
        line.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


POST = f"POST /v1/packets HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {KEY}\r\n"
BODY = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTILE = [
    ("mllp", deaf, framed(b"MSH|^~\\&|" + b"a" * 200 + b"|||||ADT^A01|x|P|2.6\r") * 200),
    ("mllp", slow, b"\x0bMSH|^~\\&|"),
    ("mllp", endless, b"\x0bMSH|^~\\&|"),
    ("http", deaf, b"GET /openapi.json HTTP/1.1\r\nHost: gw\r\n\r\n" * 200),
    ("http", slow, b"GET / HTTP/1.1\r\nHost: "),
    ("http", endless, b"GET / HTTP/1.1\r\nHost: "),
    ("http", endless, f"{POST}{BODY}".encode()),
]


def pairs(
    lines: list[socket.socket],
) -> Iterable[tuple[socket.socket, tuple[str, Callable[[socket.socket, bytes], None], bytes]]]:
    return zip(lines, HOSTILE, strict=True)


def test_who_never_reads_or_never_ends_is_closed_and_disturbs_nobody(tmp_path: Path) -> None:
    with running(tmp_path, silent_s=3) as gateway, closing(Monitor(gateway)) as monitor:
        assert monitor.is_answered()
        files, memory, most = gateway.files(), gateway.memory(), 0

        def act(line: socket.socket, how: Callable[[socket.socket, bytes], None], said: bytes) -> None:
            with line, suppress(OSError):
                how(line, said)

        lines = [gateway.connect(protocol) for protocol, _, _ in HOSTILE]
        left = {line.getsockname()[1]: (protocol, how.__name__) for line, (protocol, how, _) in pairs(lines)}
        threads = [
            threading.Thread(target=act, args=(line, how, said), daemon=True)
            for line, (_, how, said) in pairs(lines)
        ]
        until(lambda: left.keys() <= gateway.peers(), gateway.log.read_text)
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE_S
        # What counts is that the gateway has let them go. Who sends without end may not hear of it for a
        # minute: where the window was full as it was closed, Linux answers no probe with a reset.
        while left and time.monotonic() < deadline:
            with closing(Wearable(gateway)) as wearable:
                assert wearable.is_answered()
            assert monitor.is_answered()
            most = max(most, gateway.memory() - memory)
            held = gateway.peers()
            left = {port: name for port, name in left.items() if port in held}
        assert left == {}
        assert most < 60_000 * KB
        until(lambda: gateway.files() - files <= 2, gateway.files)
