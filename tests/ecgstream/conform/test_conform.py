"""Our own gateway does what devices rely on; and of one that does not, the checks tell what."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devices.hl7.ack import answers
from devices.hl7.mllp import Frames, framed
from ecgstream.cli import app
from ecgstream.conform.checks import Finding, UntoldError, Verdict, findings, met
from ecgstream.conform.http import HttpChecks
from ecgstream.conform.mllp import MllpChecks
from ecgstream.speaking.http import client
from ecgstream.speaking.link import Access, LinkDownError
from ecgstream.speaking.ways import mllp_lines
from tests.ecgstream.conform.serving import DEVICE, KEY, Gateway, serving


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with serving() as made:
        yield made


def failed(found: list[Finding]) -> dict[str, str]:
    return {one.what: one.why for one in found if one.verdict is not Verdict.HOLDS}


def test_our_gateway_does_by_mllp_what_monitors_rely_on(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "found.json"
    with pytest.raises(SystemExit) as ended:
        app(["conform", "mllp", gateway.mllp, "--device", DEVICE, "--plain", "--json", str(told)])
    assert ended.value.code == 0, capsys.readouterr().err
    found = json.loads(told.read_text())
    assert len(found) == 19
    assert {one["verdict"] for one in found} == {"ok"}
    said = capsys.readouterr().err
    assert "19 checks, all hold" in said
    assert "       ok  a second of four leads is acknowledged" in said


def test_our_gateway_does_by_http_what_recorders_rely_on(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "try-1.key"
    key.write_text(f"{KEY}\n")
    with pytest.raises(SystemExit) as ended:
        app(["conform", "http", gateway.http, "--device", DEVICE, "--device-key", str(key)])
    said = capsys.readouterr().err
    assert ended.value.code == 0, said
    assert "18 checks, all hold" in said
    assert KEY not in said


class _TakesAll(socketserver.BaseRequestHandler):
    """Says AA to all that looks like a message, whatever it is."""

    def handle(self) -> None:
        frames = Frames(10_000_000)
        while data := self.request.recv(65_536):
            for frame in frames.feed(data):
                told = answers(frame, None, control_id="1", at_ns=0)
                self.request.sendall(b"".join(map(framed, told)))


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_gateway_that_takes_everything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgstream.speaking.mllp.PATIENCE_S", 0.5)
    socketserver.ThreadingTCPServer.daemon_threads = True
    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _TakesAll)) as address:
        lines = mllp_lines(address, Access(DEVICE), plain=True)
        found = failed(list(findings(MllpChecks(lines, DEVICE).checks())))
    assert {what.partition(" (")[0] for what in found} == {
        "another kind of message is rejected",
        "another version is rejected",
        "another character set is rejected",
        "a message of a test is rejected",
        "a message without an id is rejected",
        "a device that is not enrolled is rejected",
        "a message of more than 1,000,000 bytes ends its line, and no other",
    }
    assert found["a message of a test is rejected (202), so that it is nobody's signal"] == (
        "it is taken: MSA-1 is CA"
    )


class _Repeats(BaseHTTPRequestHandler):
    """Takes nothing, and gives back what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_gateway_that_gives_names_back_is_told() -> None:
    with (
        served(ThreadingHTTPServer(("127.0.0.1", 0), _Repeats)) as address,
        client(f"http://{address}", Access(DEVICE, KEY)) as made,
    ):
        found = failed(list(findings(HttpChecks(made, DEVICE).checks())))
    assert found["no answer repeats what may be a patient's name"] == (
        "it stands in the answer of /v1/packets"
    )
    assert found["a second of four leads is taken, as JSON"] == "status 400"


def test_one_check_keeps_no_other_from_being_asked() -> None:
    def fails() -> None:
        met(holds=False, why="seen otherwise")

    def is_cut() -> None:
        raise LinkDownError("it was closed")

    def lacks() -> None:
        raise UntoldError("a key is wanted")

    checks = [("a", fails), ("b", is_cut), ("c", lacks), ("d", lambda: None)]
    assert [(one.verdict, one.why) for one in findings(checks)] == [
        (Verdict.FAILS, "seen otherwise"),
        (Verdict.FAILS, "no answer: it was closed"),
        (Verdict.UNTOLD, "a key is wanted"),
        (Verdict.HOLDS, ""),
    ]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["mllp", "gateway", "--device", "x"], "gateway: give host:port"),
        (["http", "gateway:80", "--device", "x"], "give an address as https://"),
        (["http", "http://gateway", "--device", "x", "--device-key", "nowhere"], "nowhere: No such file"),
        (["mllp", "gateway:1", "--device", "x", "--authorities", "nowhere"], "certificates cannot be used"),
    ],
)
def test_what_cannot_be_used_is_one_line(argv: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        app(["conform", *argv])
