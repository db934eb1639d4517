"""A receiving gateway in this process, with a spool in memory."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from devices.enrolment import Enrolments
from devices.files.desk import Desk
from devices.intake import Intake
from ecgstream.entrance import Entrance
from ecgstream.metrics import Health
from ecgstream.receive import Address, Doors, Wanted
from schemas.bundle import Bundle
from schemas.records import Control, Enrolment, Packet, Vital

KEY = "key-of-try-1"
DEVICE = "try-1"
_DIGEST = hashlib.sha256(KEY.encode()).digest()
KNOWN = Enrolments().changed(
    [(DEVICE, Enrolment(DEVICE, "monitor", "cn", 0, (), _DIGEST, "", disabled=False, changed_ns=1))]
)
ANYWHERE = Address("127.0.0.1", 0)


class Taker:
    """A spool in memory."""

    room = True

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.vitals: list[Vital] = []
        self.refused = 0

    def known(self, what: object) -> dict[str, bytes]:
        return {}

    def publish(self, bundles: Sequence[Bundle], known: object, marks: object) -> bool:
        for bundle in bundles:
            self.packets += bundle.packets()
            self.vitals += bundle.vitals()
        return True

    def publish_past(self, shard: int, bundles: Sequence[Bundle], end: Control | None = None) -> bool:
        return self.publish(bundles, {}, ())

    def refuse(self) -> None:
        self.refused += 1


class Gateway:
    """Where it listens, and what it has taken."""

    def __init__(self, http: str, mllp: str, taker: Taker) -> None:
        self.http, self.mllp, self.taker = http, mllp, taker


@contextmanager
def serving() -> Iterator[Gateway]:
    """Serve by HTTP, and by MLLP without TLS."""
    taker, stop = Taker(), threading.Event()
    wanted = Wanted("gw", ANYWHERE, ANYWHERE, None, None, None, plain=True, zone=ZoneInfo("UTC"))
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http, mllp = (f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    entrances = [Entrance(one) for one in sockets]
    with Intake("gw", taker, lambda: KNOWN) as intake, Desk("gw", taker, None) as desk:
        doors = Doors(wanted, *entrances, None, intake, lambda: KNOWN, desk)
        thread = threading.Thread(target=lambda: asyncio.run(doors.serve(stop, Health())))
        thread.start()
        try:
            yield Gateway(f"http://{http}", mllp, taker)
        finally:
            stop.set()
            thread.join()
