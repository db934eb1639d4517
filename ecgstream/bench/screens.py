"""Screens of the monitor's bench, in a process of their own: they read, and note when alarms become visible.

``python -m ecgstream.bench.screens PORT SCREENS SECTORS DEVICES SECONDS`` says ``open`` once all screens are,
and at the end, as JSON, what they have seen.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator

import numpy as np
from websockets.asyncio.client import connect
from websockets.typing import Origin

from ecgstream.bench.walls import names
from ecgstream.monitor.live.frames import Kind

_HEAD = struct.Struct("<BBHI")
_AT_ONCE = 20


class Seen:
    """What all screens together have seen."""

    def __init__(self) -> None:
        self.latencies_ms: list[float] = []
        self.bytes = self.signals = self.lost = 0

    def take(self, message: bytes, known: set[str]) -> None:
        """Take a message in; ``known``: alarms that this screen has seen before."""
        now_ms = time.time_ns() / 1e6
        self.bytes += len(message)
        for kind, body in frames_of(message):
            if kind == Kind.SIGNAL:
                self.signals += 1
            elif kind == Kind.LOST:
                self.lost += struct.unpack_from("<I", body)[0]
            elif kind == Kind.ALARMS:
                for alarm in json.loads(bytes(body))["alarms"]:
                    if alarm["id"] not in known:
                        known.add(alarm["id"])
                        self.latencies_ms.append(now_ms - alarm["since"])


def frames_of(message: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield kind and body of each frame; a screen of the bench does not look into signals."""
    at, whole = 0, memoryview(message)
    while at < len(message):
        kind, _, _, size = _HEAD.unpack_from(message, at)
        yield kind, whole[at + _HEAD.size : at + _HEAD.size + size]
        at += _HEAD.size + size


async def run(port: int, screens: int, sectors: int, devices: int, seconds: float) -> Seen:
    """Open screens, each of some devices, and read for so long."""
    seen, gate, random = Seen(), asyncio.Semaphore(_AT_ONCE), np.random.default_rng(7)
    named = names(devices)
    waiting, end_s = screens, float("inf")  # nobody ends before all are open

    async def screen(shown: list[str]) -> None:
        nonlocal waiting, end_s
        address, origin = f"ws://127.0.0.1:{port}/live", f"http://127.0.0.1:{port}"
        async with gate:
            line = await connect(
                address, origin=Origin(origin), proxy=None, compression=None, open_timeout=60
            )
        async with line:
            await line.send(json.dumps({"show": shown}))
            waiting -= 1
            if not waiting:
                end_s = time.monotonic() + seconds
                print("open", flush=True)  # noqa: T201 - the answer
            known: set[str] = set()
            while time.monotonic() < end_s:
                seen.take(await asyncio.wait_for(line.recv(decode=False), 60), known)

    chosen = [random.choice(named, min(sectors, devices), replace=False).tolist() for _ in range(screens)]
    await asyncio.gather(*(screen(shown) for shown in chosen))
    return seen


def main() -> None:
    """Run, and say what was seen."""
    port, screens, sectors, devices = map(int, sys.argv[1:5])
    seen = asyncio.run(run(port, screens, sectors, devices, float(sys.argv[5])))
    told = {
        "latencies_ms": seen.latencies_ms,
        "bytes": seen.bytes,
        "signals": seen.signals,
        "lost": seen.lost,
    }
    print(json.dumps(told), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
