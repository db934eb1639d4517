"""The recording gateway: plays sources as live devices, at any speed, into Kafka."""

import heapq
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from devices.bundler import FLUSH_S, MAX_BYTES, Bundler, Instant
from devices.publisher import Sent
from devices.source import PACKET_S, Source
from devices.trouble import Expectation
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import Packet, Vital

LAG_S = 1.0
_LAG_LOG_S = 5.0

_log = structlog.get_logger()


class Clock(Protocol):
    """Where a gateway has its time from."""

    def now(self) -> Instant:
        """Return this moment."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return after ``seconds``, or as soon as ``stop`` is set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """Return this moment."""
        return Instant(time.monotonic(), time.time_ns())

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Sleep, but not past ``stop``."""
        stop.wait(seconds)


class Sink(Protocol):
    """What a gateway publishes to: ``devices.publisher.Publisher``, or a stand-in."""

    sent: dict[tuple[str, int], Sent]
    vitals: int
    bundles: int
    bytes: int

    def publish(self, bundles: Sequence[Bundle]) -> None:
        """Send bundles."""

    def flush(self) -> None:
        """Wait for all acknowledgements."""


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What Kafka has acknowledged of one session: ``packets`` with ``first_seq`` to ``last_seq``."""

    device: str
    session: int
    packets: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What was played as a device."""

    device: str
    shard: int
    label: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What a gateway has sent. ``complete``: every source was played to its end."""

    gateway: str
    start_ns: int
    speed: float
    complete: bool
    wall_s: float
    max_lag_s: float
    bundles: int
    bytes: int
    packets: int
    vitals: int
    refused: int
    devices: tuple[DeviceReport, ...]
    sessions: tuple[SessionReport, ...]
    expected: tuple[Expectation, ...]

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def play(
    sources: Sequence[Source],
    publisher: Sink,
    *,
    speed: float = 1.0,
    stop: threading.Event | None = None,
    gateway: str = "gw-recordings",
    start_ns: int | None = None,
    packet_s: float = PACKET_S,
    flush_s: float = FLUSH_S,
    max_bytes: int = MAX_BYTES,
    clock: Clock | None = None,
) -> GatewayReport:
    """Play all sources to their end, or until ``stop`` is set, and wait for all acknowledgements.

    Args:
        sources: the devices; their ids must differ.
        publisher: where bundles go; it stays open.
        speed: signal seconds a wall-clock second. Device times run at signal speed, ``received_ns`` and
            ``created_ns`` at wall speed.
        stop: ends the play; what was measured by then is still sent.
        gateway: the name that bundles carry.
        start_ns: device time at which all sources begin, UTC ns; by default now.
        packet_s: length of a packet, 0.2 to 2 s of signal.
        flush_s: wall-clock s after which a bundle is sent.
        max_bytes: size above which a bundle is sent before its time.
        clock: for tests.

    Returns:
        What Kafka has acknowledged.

    Raises:
        PublishError: Kafka does not acknowledge.
    """
    if speed <= 0:
        raise ValueError(f"a speed of {speed:g}")
    if len({s.device for s in sources}) < len(sources):
        raise ValueError("two sources with the same device id")
    stop = stop or threading.Event()
    clock = clock or SystemClock()
    begin_ns = clock.now().utc_ns if start_ns is None else start_ns
    player = _Player(publisher, clock, Bundler(gateway, flush_s=flush_s, max_bytes=max_bytes), speed)
    complete = player.run(_timeline(sources, begin_ns, packet_s), stop)
    publisher.flush()
    return GatewayReport(
        gateway,
        begin_ns,
        speed,
        complete,
        round(clock.now().steady_s - player.begin_s, 3),
        round(player.max_lag_s, 3),
        publisher.bundles,
        publisher.bytes,
        sum(s.packets for s in publisher.sent.values()),
        publisher.vitals,
        player.bundler.refused,
        tuple(DeviceReport(s.device, s.shard, s.label, s.simulated) for s in sources),
        tuple(
            SessionReport(device, session, sent.packets, sent.first_seq, sent.last_seq)
            for (device, session), sent in sorted(publisher.sent.items())
        ),
        tuple(e for s in sources for e in s.expected),
    )


def _timeline(
    sources: Sequence[Source], start_ns: int, packet_s: float
) -> Iterator[tuple[float, int, Packet | Vital]]:
    """Yield (at_s, shard, item) of all sources in signal time."""

    def of(source: Source) -> Iterator[tuple[float, int, Packet | Vital]]:
        return ((e.at_s, source.shard, e.item) for e in source.emissions(start_ns, packet_s))

    return heapq.merge(*map(of, sources), key=lambda entry: entry[0])


class _Player:
    """The loop: sleep until the next item leaves or a bundle is due, then do what is due."""

    def __init__(self, publisher: Sink, clock: Clock, bundler: Bundler, speed: float) -> None:
        self.bundler = bundler
        self.begin_s = clock.now().steady_s
        self.max_lag_s = 0.0
        self._publisher = publisher
        self._clock = clock
        self._speed = speed
        self._said_s = float("-inf")

    def run(self, timeline: Iterator[tuple[float, int, Packet | Vital]], stop: threading.Event) -> bool:
        """Return whether the timeline was played to its end."""
        entry = next(timeline, None)
        while entry is not None and not stop.is_set():
            leaves_s = self.begin_s + entry[0] / self._speed
            self._wait(leaves_s, stop)
            now = self._clock.now()
            if now.steady_s >= leaves_s:
                self._watch_lag(now.steady_s - leaves_s, now.steady_s)
                self._take(entry[1], entry[2], now)
                entry = next(timeline, None)
            self._publish(self.bundler.due(now))
        self._publish(self.bundler.flush(self._clock.now()))
        return entry is None

    def _wait(self, leaves_s: float, stop: threading.Event) -> None:
        seconds = min(leaves_s, self.bundler.due_s()) - self._clock.now().steady_s
        if seconds > 0:
            self._clock.wait(stop, seconds)

    def _take(self, shard: int, item: Packet | Vital, now: Instant) -> None:
        if isinstance(item, Packet):
            item = replace(item, received_ns=now.utc_ns)
        try:
            self._publish(self.bundler.add(shard, item, now))
        except BadRecordError as error:
            _log.error("refused", device=item.device, reason=str(error))

    def _publish(self, bundles: Sequence[Bundle]) -> None:
        if bundles:
            self._publisher.publish(bundles)

    def _watch_lag(self, lag_s: float, now_s: float) -> None:
        self.max_lag_s = max(self.max_lag_s, lag_s)
        if lag_s > LAG_S and now_s - self._said_s > _LAG_LOG_S:
            self._said_s = now_s
            _log.warning("the gateway falls behind its devices", lag_s=round(lag_s, 2))
