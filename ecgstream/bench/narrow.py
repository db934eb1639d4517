"""How many devices a narrow line carries: a gateway's own way to Kafka, through a line of 64 kbit/s each way.

The line is a socket that passes on no more than its rate; what TCP and IP add to each packet counts too. It
stands between the gateway and three brokers of our own, over plain connections. Devices have a lead at
250 Hz each and a shard each, which is the dearest way: nothing is bundled with another device's.
"""

import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices import recordings
from devices.errors import RecordingError
from devices.gateway import play
from devices.publisher import Publisher
from devices.simulator import Bed, simulate
from devices.source import Session, Source
from devices.spool import Spool
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.chaos.line import Line
from ecgstream.embedded.cluster import BROKERS, EmbeddedCluster
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas.records import Packet

LINE_BITS_S = 64_000
BAR_DEVICES = 12
RATE_HZ = 250.0
SIGNAL_S = 120.0
SETTLED_S = 40.0
"""From then on ages count: connections are made, and the first seconds sent."""
KEEPS_UP_S = 5.0
"""A gateway keeps up where nothing waits for longer."""
PARTITIONS = 8
_SEGMENT, _HEADERS = 1400, 52
"""Bytes of data in an IP packet, and of TCP's and IP's headers."""
_NS = 1e9


def run(folder: Path | None, counts: Sequence[int]) -> dict[str, Any]:
    """Return, for so many devices each, what the line carries and how long their signal waits for it.

    Args:
        folder: WFDB records at 250 Hz, whose first leads are played; None: made ones.
        counts: how many devices.

    Raises:
        CannotMeasureError: no Kafka, or too few recordings.
    """
    sources = _made(max(counts)) if folder is None else _recorded(folder, max(counts))
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as made, _kafka(Path(made)) as (kafka, line):
        runs = [_carried(kafka, line, sources[:count], Path(made)) for count in counts]
    signal = "made" if folder is None else folder.name
    return {"line_kbit_s": LINE_BITS_S // 1000, "signal": signal, "seconds": SIGNAL_S, "runs": runs}


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted beside what was found."""
    told = []
    for run in found["runs"]:
        if run["devices"] == BAR_DEVICES:
            wait, wanted = run["longest_wait_s"], f"≤ {KEEPS_UP_S:g} s"
            told.append((f"longest wait of {BAR_DEVICES} devices", wanted, f"{wait} s", wait <= KEEPS_UP_S))
            told.append((f"packets of {BAR_DEVICES} devices lost", "0", f"{run['lost']}", run["lost"] == 0))
    return told


class _Bucket:
    """Lets no more bytes through than its rate; all lines of a gateway share one each way."""

    def __init__(self, bytes_s: float) -> None:
        self.passed = 0
        self._bytes_s = bytes_s
        self._free_s = time.monotonic()
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Return when so many bytes have gone."""
        with self._lock:
            self.passed += size
            self._free_s = max(self._free_s, time.monotonic()) + size / self._bytes_s
            wait_s = self._free_s - time.monotonic()
        time.sleep(max(0.0, wait_s))


class _Narrow(Line):
    """A line that is shared with others."""

    def __init__(self, up: _Bucket, down: _Bucket) -> None:
        self._up, self._down = up, down
        super().__init__()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        is_up = source.getsockname()[1] == self.port
        bucket = self._up if is_up else self._down
        with suppress(OSError):
            # The kernel would take many seconds' worth from the gateway, which would think it gone.
            source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _SEGMENT)
            while data := source.recv(_SEGMENT):
                bucket.take(len(data) + _HEADERS)
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def _kafka(folder: Path) -> Iterator[tuple[str, _Bucket]]:
    """Give the address of brokers behind the line, and what goes up it."""
    up, down = (_Bucket(LINE_BITS_S / 8) for _ in range(2))
    with ExitStack() as stack:
        lines = [stack.enter_context(_Narrow(up, down)) for _ in range(BROKERS)]
        cluster = EmbeddedCluster(folder / "kafka", told=[line.port for line in lines])
        for line, port in zip(lines, cluster.outside, strict=True):
            line.target = ("127.0.0.1", port)
        try:
            stack.enter_context(cluster)
        except ServiceUnavailableError as error:
            raise CannotMeasureError(str(error)) from None
        create_topics(Settings(kafka=cluster.bootstrap, partitions=PARTITIONS, replication=BROKERS))
        yield cluster.bootstrap_outside, up


def _carried(kafka: str, line: _Bucket, sources: Sequence[Source], folder: Path) -> dict[str, Any]:
    name = f"gw-{len(sources)}"
    ages: list[float] = []
    over = threading.Event()
    with (
        closing(Spool(folder / f"{name}.spool")) as spool,
        closing(Publisher(kafka, spool, gateway=name, partitions=PARTITIONS)) as publisher,
    ):
        watching = threading.Thread(target=_watch, args=(spool, ages, over))
        watching.start()
        before = line.passed
        try:
            report = play(sources, publisher, gateway=name)
        finally:
            over.set()
            watching.join()
    wanted = sum(isinstance(e.item, Packet) for source in sources for e in source.emissions(0))
    return {
        "devices": len(sources),
        "line_percent": round(100 * (line.passed - before) * 8 / LINE_BITS_S / report.wall_s, 1),
        "median_wait_s": round(statistics.median(ages), 1),
        "longest_wait_s": round(max(ages), 1),
        "lost": wanted - report.packets,
    }


def _watch(spool: Spool, ages: list[float], over: threading.Event) -> None:
    """Note each second how old the oldest is that waits."""
    begin_s = time.monotonic()
    while not over.wait(1.0):
        if SETTLED_S < time.monotonic() - begin_s < SIGNAL_S:
            oldest_ns = spool.held().oldest_ns
            ages.append(0.0 if oldest_ns is None else (time.time_ns() - oldest_ns) / _NS)


def _made(count: int) -> list[Source]:
    """Return devices that differ in rate, and say heart and respiration rate every second."""
    beds = [Bed(n, ("II",), RATE_HZ, 200.0, 55 + 3 * n, 14, ()) for n in range(1, count + 1)]
    found = [simulate(bed, duration_s=SIGNAL_S, shard=n) for n, bed in enumerate(beds)]
    return [replace(source, device=f"bench-{n}") for n, source in enumerate(found)]


def _recorded(folder: Path, count: int) -> list[Source]:
    found: list[Source] = []
    for path in sorted(folder.glob("*.hea")):
        with suppress(RecordingError):
            session = recordings.read(path).sessions[0]
            wave = session.waves[0]
            if wave.rate == RATE_HZ and wave.duration_s >= SIGNAL_S:
                cut = replace(wave, samples=wave.samples[: round(SIGNAL_S * RATE_HZ)])
                found.append(_source(f"bench-{path.stem}", len(found), cut))
        if len(found) == count:
            return found
    raise CannotMeasureError(f"{count} records at {RATE_HZ:g} Hz are wanted, {folder} has {len(found)}")


def _source(device: str, shard: int, wave: Any) -> Source:
    return Source(device, shard, "recorded", simulated=False, sessions=(Session((wave,)),))
