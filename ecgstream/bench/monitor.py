"""How quick the live wall is: its socket beside a bare one, alarms on the way to many screens, frames drawn.

All of it runs on this one machine: Kafka, what publishes, the wall and its screens share its cores.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.typing import Origin

from ecgstream import clients
from ecgstream.bench import kafka
from ecgstream.bench.latency import gateways_of
from ecgstream.bench.load import Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import usage
from ecgstream.bench.wall_page import MOST_SECTORS, chromium, opened
from ecgstream.bench.walls import names, serving
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import Settings
from schemas import topics
from schemas.codec import encode
from schemas.ids import event_id
from schemas.records import Condition, Phase

MEASURED_S, FLOOD_S, FRAMES_S, WARM_S = 30.0, 5.0, 15.0, 5.0
TURNS = 3
CONDITIONS_A_SECOND, LASTS = 5, 10
_CODE = "HEART_RATE_LOW"
BARS = {"ratio": 0.3, "p99_s": 1.0, "frames_a_second": 30.0}


def run(given: Settings, devices: int, screens: int, sectors: int) -> dict[str, Any]:
    """Return what was measured.

    Args:
        given: where a broker is that is empty; unnamed, an embedded one is started.
        devices: that send, at 250 Hz in two leads.
        screens: that are open while alarms are looked at.
        sectors: devices that each of them shows.

    Raises:
        CannotMeasureError: there is no broker, or a process does not do its part.
    """
    chromium()
    found: dict[str, Any] = {"devices": devices, "screens": screens, "sectors": sectors}
    found |= throughput(given)
    with kafka.own_kafka(given) as settings, ExitStack() as stack:
        kafka.renew(settings)
        port, pid = stack.enter_context(serving("kafka", devices, settings))
        load = Load(devices, 20, time.time_ns())
        stack.enter_context(gateways_of(settings, load))
        time.sleep(WARM_S)
        found |= _alarms(settings, port, pid, devices, screens, sectors)
        found |= _frames(port)
    return found


def bars(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted beside what was found."""
    ratio, p99_s, frames = found["ratio"], found["p99_s"], found["frames_a_second"]
    wanted = BARS["frames_a_second"]
    return [
        ("socket, of a bare echo", f"≥ {BARS['ratio']}", f"{ratio}", ratio >= BARS["ratio"]),
        ("condition to screen, p99", f"< {BARS['p99_s']} s", f"{p99_s} s", p99_s < BARS["p99_s"]),
        (f"frames, {MOST_SECTORS} sectors", f"≥ {wanted:g}/s", f"{frames}/s", frames >= wanted),
    ]


# -- the socket


def throughput(given: Settings) -> dict[str, float]:
    """Return how many MB/s a screen takes of the wall, and an echo sends back of the same bytes.

    ``made``: where the wall also makes each frame, of a bundle, for this one screen.
    """
    with ExitStack() as stack:
        ways = ("flood", "echo", "bundles")
        wall, echo, making = (stack.enter_context(serving(way, MOST_SECTORS, given))[0] for way in ways)
        found: dict[str, list[float]] = {"wall": [], "echo": [], "made": []}
        for _ in range(TURNS):
            messages, rate = asyncio.run(_drink(wall))
            found["wall"].append(rate)
            found["echo"].append(asyncio.run(_echoed(echo, messages)))
            found["made"].append(asyncio.run(_drink(making))[1])
    ratios = np.array(found["wall"]) / found["echo"]
    middle = {f"{way}_mb_s": round(float(np.median(rates)), 1) for way, rates in found.items()}
    return middle | {"ratio": round(float(np.median(ratios)), 2)}


async def _drink(port: int) -> tuple[list[bytes], float]:
    """Return what a screen of 64 devices was sent, and how many MB/s."""
    origin = Origin(f"http://127.0.0.1:{port}")
    async with _open(f"ws://127.0.0.1:{port}/live", origin) as line:
        await line.send(json.dumps({"show": names(MOST_SECTORS)}))
        await line.recv(decode=False)
        found, begun_s = [], time.monotonic()
        while time.monotonic() < begun_s + FLOOD_S:
            found.append(await asyncio.wait_for(line.recv(decode=False), 30))
        return found, sum(map(len, found)) / (time.monotonic() - begun_s) / 1e6


async def _echoed(port: int, messages: list[bytes]) -> float:
    """Return how many MB/s come back of these messages; they are sent while they come."""
    async with _open(f"ws://127.0.0.1:{port}/", None) as line:

        async def send() -> None:
            for message in messages:
                await line.send(message)

        begun_s = time.monotonic()
        sending = asyncio.ensure_future(send())
        size = 0
        for _ in messages:
            size += len(await asyncio.wait_for(line.recv(decode=False), 30))
        await sending
        return size / (time.monotonic() - begun_s) / 1e6


def _open(address: str, origin: Origin | None) -> connect:
    return connect(address, origin=origin, proxy=None, compression=None, max_size=None)


# -- alarms


def _alarms(
    settings: Settings, port: int, pid: int, devices: int, screens: int, sectors: int
) -> dict[str, Any]:
    """Return how long conditions take from being published to each screen."""
    words = [port, screens, sectors, devices, MEASURED_S + WARM_S]
    argv = [sys.executable, "-m", "ecgstream.bench.screens", *map(str, words)]
    reading = spawn(argv, stdout=subprocess.PIPE)
    try:
        said = reading.stdout.readline() if reading.stdout else b""
        if said.strip() != b"open":
            raise CannotMeasureError(f"the screens do not open: {said.decode(errors='replace')}")
        time.sleep(WARM_S / 2)
        begun = usage(pid)[0], time.monotonic()
        published = _publish(settings, names(devices))
        spent = usage(pid)[0], time.monotonic()
        seen = json.loads(reading.communicate(timeout=120)[0])
    finally:
        end(reading)
    unseen = published * screens - len(seen["latencies_ms"])
    # What a screen had not seen when it closed was late by nobody knows how much.
    latencies = np.append(np.array(seen["latencies_ms"]) / 1000, np.full(unseen, np.inf))
    return {
        "conditions": published,
        "unseen_percent": round(100 * unseen / latencies.size, 2),
        "p50_s": round(float(np.percentile(latencies, 50)), 3),
        "p99_s": round(float(np.percentile(latencies, 99)), 3),
        "wall_cores": round((spent[0] - begun[0]) / (spent[1] - begun[1]), 2),
        "wall_mb": round(usage(pid)[1] / 1e6),
        "sent_mb_s": round(seen["bytes"] / (MEASURED_S + WARM_S) / 1e6, 1),
        "signals_lost": seen["lost"],
    }


def _publish(settings: Settings, named: list[str]) -> int:
    """Publish onsets, and the end of each some later; return how many."""
    producer = clients.producer(settings)
    told = round(MEASURED_S * CONDITIONS_A_SECOND)
    begun_s = time.monotonic()
    try:
        for n in range(told + LASTS):
            if n < told:
                _send(producer, named[n * 7 % len(named)], n, Phase.ONSET)
            if n >= LASTS:
                _send(producer, named[(n - LASTS) * 7 % len(named)], n - LASTS, Phase.END)
            time.sleep(max(0.0, begun_s + (n + 1) / CONDITIONS_A_SECOND - time.monotonic()))
    finally:
        producer.close()
    return told


def _send(producer: Any, device: str, n: int, phase: Phase) -> None:
    now_ns = time.time_ns()
    condition = Condition(
        id=event_id(device, 1, _CODE, n),
        device=device,
        patient="p",
        session=1,
        code=_CODE,
        phase=phase,
        onset_sample=n,
        onset_ns=now_ns,
        sample=n,
        time_ns=now_ns,
        delay_s=0.0,
        evidence={},
        published_ns=now_ns,
        partition=0,
        offset=n,
        generation=1,
        version="bench",
    )
    producer.send(topics.CONDITIONS.name, encode(condition), partition=0)


# -- frames


def _frames(port: int) -> dict[str, Any]:
    """Return how many frames a second Chromium draws of 64 sectors."""
    with opened(port) as page:
        time.sleep(WARM_S * 2)
        first, begun_s = page.frames(), time.monotonic()
        time.sleep(FRAMES_S)
        return {"frames_a_second": round((page.frames() - first) / (time.monotonic() - begun_s), 1)}
