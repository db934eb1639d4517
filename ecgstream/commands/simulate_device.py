"""``ecgstream simulate-device``: a device that does not exist, at a gateway that does."""

import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.live import Live
from rich.text import Text

from devices import recordings
from devices.errors import RecordingError
from devices.simulator import Bed, simulate
from devices.source import Source
from devices.trouble import Kind, Trouble
from ecgstream.commands.speaking import Speaker, one_line
from ecgstream.lifecycle import stop_on_signals
from ecgstream.speaking.device import Course, Device
from ecgstream.speaking.ways import link_of

LEADS = ("I", "II", "III", "V1")
TROUBLE_FROM_S, TROUBLE_TO_S = 30.0, 60.0
LEAST_S, MOST_S = 30.0, 3600.0
PATIENCE_S = 60.0
"""s that a device waits, at its end, for what is not answered."""


Goes = Literal["asystole", "vt", "leads-off", "spo2"]
_KINDS: dict[Goes, Kind] = {
    "asystole": Kind.ASYSTOLE,
    "vt": Kind.VT,
    "leads-off": Kind.ALL_LEADS_OFF,
    "spo2": Kind.SPO2_FALL,
}


def simulate_device(
    protocol: Literal["mllp", "http", "mqtt"],
    address: str,
    /,
    *,
    speaker: Speaker,
    seconds: float = 300.0,
    trouble: Goes | None = None,
    record: Path | None = None,
    speed: float = 1.0,
) -> None:
    """Play a device that sends to a gateway, in real time; it keeps what is not answered, and sends it again.

    It has four leads at 250 Hz, pleth and respiration, and says so: what it sends is simulated, so let the
    device be one that nobody wears. The exit status is 1 if something was refused, or is not answered.

    For instance:

        ecgstream simulate-device mllp 127.0.0.1:2575 --device try-1 --plain --trouble asystole

    Args:
        protocol: by which it sends.
        address: host:port for mllp, https://gateway.example:8095 for http, mqtts://broker.example for mqtt.
        speaker: see the flags.
        seconds: how long it measures, 30 to 3600.
        trouble: what goes wrong, from second 30 on.
        record: play this recording (.hea, .edf) instead.
        speed: seconds of signal a second.
    """
    with one_line("simulate-device"):
        link = link_of(protocol, address, speaker.access(), plain=speaker.plain, shard=speaker.shard)
    source = _source(speaker.device, seconds, trouble, record)
    console = Console(stderr=True)
    console.print(f"{source.device}: {source.label}", highlight=False)
    with closing(link), stop_on_signals() as stop, Live(console=console, auto_refresh=False) as live:
        device = Device(source, link, lambda course: live.update(Text(_told(course)), refresh=True))
        _play(device, stop, speed)
    if device.course.refused or device.course.waiting or device.course.dropped:
        sys.exit("ecgstream simulate-device: not all that was measured is safe")


def _play(device: Device, stop: threading.Event, speed: float) -> None:
    device.play(stop, start_ns=time.time_ns(), patience_s=PATIENCE_S, speed=speed)


def _source(device: str, seconds: float, trouble: Goes | None, record: Path | None) -> Source:
    """Return what it measures; end the program where that cannot be."""
    if not LEAST_S <= seconds <= MOST_S:
        sys.exit(f"ecgstream simulate-device: --seconds is {LEAST_S:g} to {MOST_S:g}")
    if record is not None:
        try:
            return replace(recordings.read(record), device=device)
        except RecordingError as error:
            sys.exit(f"ecgstream simulate-device: {error}")
    script: tuple[Trouble, ...] = ()
    if trouble is not None:
        script = (Trouble(_KINDS[trouble], TROUBLE_FROM_S, TROUBLE_TO_S, LEADS),)
    bed = Bed(1, LEADS, 250.0, 200.0, 70, 14, script, pleth=True, respiration=True)
    return replace(simulate(bed, duration_s=seconds), device=device)


def _told(course: Course) -> str:
    """Return a line on how far it has come, and one for each reason of what is wrong."""
    lines = [f"{course.taken:,} of {course.measured:,} packets and numbers are safe, {course.waiting:,} wait"]
    lines += [f"REFUSED, {n:,} times: {why}" for why, n in course.refused.items()]
    if course.dropped:
        lines.append(f"LOST: {course.dropped:,}, for which its store had no room")
    if course.trouble:
        lines.append(f"the gateway does not answer: {course.trouble}")
    return "\n".join(lines)
