"""What whoever has the rights of the desk may do on a closed broker, and others may not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from ecgstream.broker.access import Service
from tests.system.closed_kafka import Closed


def an_alert_is_acknowledged_at_the_desk(
    closed: Closed, ecgstream: Callable[..., subprocess.CompletedProcess[str]]
) -> bool:
    """Acknowledge an alert by command; return whether one was open."""
    desk = closed.of(Service.DESK)
    told = ecgstream(desk, "alert", "list", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    if not found:
        return False
    words = ("alert", "acknowledge", found[0]["alert"], "--by", "li", "--reason", "seen")
    told = ecgstream(desk, *words)
    assert (told.returncode, told.stderr.split(" at ")[0]) == (0, "acknowledged")
    told = ecgstream(closed.of(Service.SINK), *words)
    assert (told.returncode, told.stdout, told.stderr) == (
        1,
        "",
        "ecgstream: user sink-1 may not READ TOPIC ecg.roster, WRITE TOPIC ecg.acknowledgements, "
        "WRITE TOPIC ecg.roster: "
        "an admin must run `ecgstream kafka grant desk sink-1`\n",
    )
    return True
