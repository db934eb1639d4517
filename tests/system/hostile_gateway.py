"""`ecgstream receive` without Kafka: its doors and its intake, before a spool in memory that keeps nothing.

``python -m tests.system.hostile_gateway PORTS SILENT_S`` writes the ports of HTTP and MLLP into a file, and
serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from devices.enrolment import Enrolments
from devices.files.desk import Desk
from devices.hl7 import server
from devices.intake import Intake
from ecgstream.entrance import connections_for
from ecgstream.metrics import Health
from ecgstream.receive import Address, Doors, Wanted
from schemas.bundle import Bundle
from schemas.records import Enrolment

KEY = "key-of-dev-1"
DEVICES = {"mon-1": b"", "dev-1": hashlib.sha256(KEY.encode()).digest()}
KNOWN = Enrolments().changed(
    (name, Enrolment(name, "monitor", "cn", 0, (), digest, "", disabled=False, changed_ns=1))
    for name, digest in DEVICES.items()
)
HERE = Address("127.0.0.1", 0)


class Taker:
    """A spool in memory."""

    room = True

    def known(self, what: object) -> dict[str, bytes]:
        return {}

    def publish(self, bundles: Sequence[Bundle], known: object, marks: object) -> bool:
        return True

    def refuse(self) -> None:
        pass


def main(ports: Path, silent_s: float) -> None:
    """Serve; a connection may be silent, or an answer unread, for so long."""
    server.FIRST_S = server.WRITE_S = silent_s
    most = connections_for(2)
    http, mllp = HERE.listen(most, silent_s), HERE.listen(most)
    made = ports.with_suffix(".new")
    made.write_text(json.dumps([http.getsockname()[1], mllp.getsockname()[1]]))
    made.rename(ports)
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    wanted = Wanted("gw", HERE, HERE, None, None, None, plain=True, zone=ZoneInfo("UTC"))
    taker: Any = Taker()
    with Intake("gw", taker, lambda: KNOWN, flush_s=0.05) as intake, Desk("gw", taker, None) as desk:
        asyncio.run(Doors(wanted, http, mllp, None, intake, lambda: KNOWN, desk).serve(stop, Health()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
