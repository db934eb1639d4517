"""What a receiving gateway is asked to do, and by which certificates monitors show who they are."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from devices.enrolment import Enrolments
from devices.files.desk import Desk
from devices.hl7.mllp import Frames, framed
from devices.hl7.write import report
from devices.intake import Intake
from devices.reading import Measured, Reading
from ecgstream.entrance import Entrance
from ecgstream.metrics import Health
from ecgstream.receive import Address, Doors, Wanted, tls_of, wanted_of
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Enrolment
from tests.certificates import Authority

KNOWN = Enrolments().changed(
    [("mon-1", Enrolment("mon-1", "monitor", "cn", 0, (), b"", "CN=mon-1", disabled=False, changed_ns=1))]
)
DEFAULTS = {"plain": True, "zone": "UTC"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("gw", "", "", None, None, None), "nothing to hear on"),
        (("gw", "127.0.0.1", "", None, None, None), "--http 127.0.0.1: give host:port"),
        (("gw", "", "127.0.0.1:99999", None, None, None), "--mllp 127.0.0.1:99999: give host:port"),
        (("gw", "", "[::1]:1", Path("c.pem"), None, None), "go together"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do(flags: tuple[object, ...], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        wanted_of(*flags, **DEFAULTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["Mars/Base", "Asia", "/etc/passwd", ".."])
def test_a_zone_that_is_none_is_said(zone: str) -> None:
    with pytest.raises(SystemExit, match="no time zone"):
        wanted_of("gw", "", "127.0.0.1:1", None, None, None, plain=True, zone=zone)


def test_monitors_are_heard_by_certificate_or_plainly_because_somebody_said_so() -> None:
    wanted = wanted_of("gw", "", "127.0.0.1:0", None, None, None, plain=False, zone="UTC")
    with pytest.raises(SystemExit, match="--plain"):
        tls_of(wanted)


class Taker:
    """A spool in memory."""

    room = True

    def __init__(self) -> None:
        self.devices: list[str] = []

    def known(self, what: object) -> dict[str, bytes]:
        return {}

    def publish(self, bundles: Sequence[Bundle], known: object, marks: object) -> bool:
        self.devices += [device for bundle in bundles for device in bundle.devices]
        return True

    def refuse(self) -> None:
        pass


def asked(port: int, context: ssl.SSLContext, device: str) -> str:
    """Send a message; return MSA-1 of its answer, or that the line was not let in."""
    reading = Reading(device, "m-1", time.time_ns(), (), (Measured(time.time_ns(), mdc.SPO2, 97.0),))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 30) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as line,
        ):
            line.sendall(framed(report(reading)))
            told = Frames().feed(line.recv(65_536))
    except (ssl.SSLError, ConnectionError):
        return "not let in"
    return told[0].decode().split("\rMSA|")[1][:2] if told else "not let in"


def test_a_monitor_speaks_for_itself_by_the_certificate_that_it_is_enrolled_with(tmp_path: Path) -> None:
    ours, theirs = Authority.make("ours"), Authority.make("theirs")
    own, trusted = ours.issue("gateway", tmp_path / "own.pem"), ours.write(tmp_path / "ours.pem")
    wanted = Wanted("gw", None, Address("127.0.0.1", 0), own, own, trusted, plain=False, zone=None)  # type: ignore[arg-type]
    taker, stop = Taker(), threading.Event()
    listening = Entrance(socket.create_server(("127.0.0.1", 0)))
    found = {}
    with Intake("gw", taker, lambda: KNOWN) as intake, Desk("gw", taker, None) as desk:  # type: ignore[arg-type]
        doors = Doors(wanted, None, listening, tls_of(wanted), intake, lambda: KNOWN, desk)
        thread = threading.Thread(target=lambda: asyncio.run(doors.serve(stop, Health())))
        thread.start()
        for name, by in (("mon-1", ours), ("mon-2", ours), ("stranger", theirs), ("none", None)):
            context = ssl.create_default_context(cafile=str(trusted))
            if by is not None:
                context.load_cert_chain(by.issue("mon-1" if name == "mon-2" else name, tmp_path / name))
            device = name if name == "mon-2" else "mon-1"
            found[name] = asked(listening.getsockname()[1], context, device)
        stop.set()
        thread.join()
    assert found == {"mon-1": "CA", "mon-2": "CR", "stranger": "not let in", "none": "not let in"}
    assert taker.devices == ["mon-1"]
