"""The recording gateway: plays sources as live devices, at any speed, by way of the spool into Kafka.

A played device is thought to have a store of its own. A gateway that was killed and goes on with the same
play computes what its devices have measured since it began, and takes what it has not had yet, in order.
"""

import heapq
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from devices.bundler import FLUSH_S, MAX_BYTES, Bundler, Instant
from devices.errors import PlayError
from devices.ledger import Account, Mark, Play
from devices.source import NS, PACKET_S, Playable
from devices.trouble import Expectation
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import Packet, Vital

LAG_S = 1.0
CONNECT_PATIENCE_S = 5.0
"""How long a play that begins waits for Kafka before it begins without."""
STOP_PATIENCE_S = 5.0
"""How long a play that is stopped waits for Kafka before it leaves the rest in the spool."""
_LAG_LOG_S = 5.0
_ROOM_S = 0.1
_SETTLE_S = 0.5
_SAY_S = 2.0
_MAX_READY = 16

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

    @property
    def room(self) -> bool:
        """Whether more can be taken."""

    def knows(self, play: str) -> bool:
        """Return whether a play of this name would go on."""

    def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
        """Begin a play or go on with it; return it, and how far its devices have come."""

    def start(self, patience_s: float) -> None:
        """Start to send; wait a while for Kafka to be there."""

    def publish(self, bundles: Sequence[Bundle]) -> bool:
        """Take bundles; return whether they are durable."""

    def refuse(self) -> None:
        """Count a packet or number that was not taken."""

    def settled(self, patience_s: float) -> bool:
        """Return whether Kafka has acknowledged everything; wait so long for it."""

    def account(self) -> Account:
        """Return what Kafka has acknowledged of the play."""

    def waiting(self) -> int:
        """Return how many records Kafka has not acknowledged."""


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
    """What Kafka has acknowledged of a play, over all restarts of its gateway.

    ``complete``: every source was played to its end. ``waiting``: records that are still in the spool; they
    are sent when the gateway is started again. ``max_lag_s`` and ``refused`` are of this process.
    """

    gateway: str
    play: str
    start_ns: int
    speed: float
    complete: bool
    waiting: int
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
    sources: Sequence[Playable],
    publisher: Sink,
    *,
    speed: float = 1.0,
    stop: threading.Event | None = None,
    gateway: str = "gw-recordings",
    name: str = "",
    start_ns: int | None = None,
    packet_s: float = PACKET_S,
    flush_s: float = FLUSH_S,
    max_bytes: int = MAX_BYTES,
    clock: Clock | None = None,
) -> GatewayReport:
    """Play all sources to their end, or until ``stop`` is set, and wait for all acknowledgements.

    Kafka may be away: what devices give is spooled, and the wait at the end ends with ``stop`` only.

    Args:
        sources: the devices; their ids must differ.
        publisher: where bundles go; it stays open.
        speed: signal seconds a wall-clock second. Device times run at signal speed, ``received_ns`` and
            ``created_ns`` at wall speed.
        stop: ends the play; what was measured by then is still taken.
        gateway: the name that bundles carry.
        name: of the play; one that was broken off goes on where it was. Empty: a play that never goes on.
        start_ns: device time at which all sources begin, UTC ns; by default now.
        packet_s: length of a packet, 0.2 to 2 s of signal.
        flush_s: wall-clock s after which a bundle is sent.
        max_bytes: size above which a bundle is sent before its time.
        clock: for tests.

    Returns:
        What Kafka has acknowledged.

    Raises:
        PlayError: a play of this name was begun with something else.
        SpoolError: the spool cannot be used any more.
    """
    if speed <= 0:
        raise ValueError(f"a speed of {speed:g}")
    if len({s.device for s in sources}) < len(sources):
        raise ValueError("two sources with the same device id")
    stop = stop or threading.Event()
    clock = clock or SystemClock()
    if not publisher.knows(name):
        publisher.start(CONNECT_PATIENCE_S)
    now = clock.now()
    wanted = Play(
        name or f"unnamed-{now.utc_ns}",
        now.utc_ns if start_ns is None else start_ns,
        now.utc_ns,
        speed,
        packet_s,
        tuple(s.device for s in sources),
    )
    found, marks = publisher.begin(wanted)
    if start_ns not in (None, found.start_ns):
        raise PlayError(
            f"play {name} was begun with --start-ns {found.start_ns}: give the same, or another name"
        )
    player = _Player(publisher, clock, Bundler(gateway, flush_s=flush_s, max_bytes=max_bytes), found, marks)
    complete = player.run(_timeline(sources, found.start_ns, packet_s), stop)
    _settle(publisher, clock, stop)
    return _report(gateway, found, sources, player, publisher, clock, complete=complete)


def _settle(publisher: Sink, clock: Clock, stop: threading.Event) -> None:
    """Wait until Kafka has acknowledged everything, or a while after we were stopped."""
    begin_s, deadline_s = clock.now().steady_s, float("inf")
    said = False
    while not publisher.settled(_SETTLE_S):
        now_s = clock.now().steady_s
        if not said and now_s > begin_s + _SAY_S:
            said = True
            _log.info("no more to take; the rest waits for Kafka", records=publisher.waiting())
        if stop.is_set():
            deadline_s = min(deadline_s, now_s + STOP_PATIENCE_S)
        if now_s > deadline_s:
            return


def _report(
    gateway: str,
    found: Play,
    sources: Sequence[Playable],
    player: "_Player",
    publisher: Sink,
    clock: Clock,
    *,
    complete: bool,
) -> GatewayReport:
    account = publisher.account()
    return GatewayReport(
        gateway,
        found.name,
        found.start_ns,
        found.speed,
        complete,
        publisher.waiting(),
        round(clock.now().steady_s - player.begin_s, 3),
        round(player.max_lag_s, 3),
        account.bundles,
        account.bytes,
        account.packets,
        account.vitals,
        player.bundler.refused,
        tuple(DeviceReport(s.device, s.shard, s.label, s.simulated) for s in sources),
        tuple(
            SessionReport(device, session, sent.packets, sent.first_seq, sent.last_seq)
            for (device, session), sent in sorted(account.sent.items())
            if sent.packets
        ),
        tuple(e for s in sources for e in s.expected),
    )


def _timeline(
    sources: Sequence[Playable], start_ns: int, packet_s: float
) -> Iterator[tuple[float, int, Packet | Vital]]:
    """Yield (at_s, shard, item) of all sources in signal time."""

    def of(source: Playable) -> Iterator[tuple[float, int, Packet | Vital]]:
        return ((e.at_s, source.shard, e.item) for e in source.emissions(start_ns, packet_s))

    return heapq.merge(*map(of, sources), key=lambda entry: entry[0])


class _Player:
    """Takes each item when it leaves its device, and flushes when a bundle is due.

    Bundles are cut by the time at which things are due, not at which they are done: a gateway that is behind,
    or that takes what its devices kept while it was away, cuts them as one that is on time.
    """

    def __init__(
        self, publisher: Sink, clock: Clock, bundler: Bundler, play: Play, marks: Mapping[str, Mark]
    ) -> None:
        now = clock.now()
        self.bundler = bundler
        self.begin_s = now.steady_s - max(0, now.utc_ns - play.began_ns) / NS
        self.max_lag_s = 0.0
        self._resumed_s = now.steady_s
        self._publisher = publisher
        self._clock = clock
        self._speed = play.speed
        self._marks = marks
        self._ready: list[Bundle] = []
        self._is_sending = False
        self._said_s = float("-inf")

    def run(self, timeline: Iterator[tuple[float, int, Packet | Vital]], stop: threading.Event) -> bool:
        """Return whether the timeline was played to its end."""
        complete = all(self._play(*entry, stop) for entry in timeline if not self._has(entry[2]))
        self._ready += self.bundler.flush(self._clock.now())
        self._publish()
        self._send()
        return complete

    def _has(self, item: Packet | Vital) -> bool:
        mark = self._marks.get(item.device)
        return mark is not None and mark.has(item)

    def _play(self, at_s: float, shard: int, item: Packet | Vital, stop: threading.Event) -> bool:
        """Take one item when it leaves; return false where we are stopped before."""
        leaves_s = self.begin_s + at_s / self._speed
        while (due_s := self.bundler.due_s()) < leaves_s:
            if not self._reach(due_s, stop):
                return False
            self._ready += self.bundler.due(self._at(due_s))
        if not self._reach(leaves_s, stop):
            return False
        if leaves_s > self._resumed_s:
            self._watch_lag(self._clock.now().steady_s - leaves_s)
        self._take(shard, item, self._at(leaves_s))
        return True

    def _reach(self, moment_s: float, stop: threading.Event) -> bool:
        """Wait for a moment, and for room; return false where we are stopped before."""
        if len(self._ready) >= _MAX_READY:
            self._publish()
        if moment_s > self._resumed_s and not self._is_sending:
            # All that the devices kept while we were away is in the spool: what goes first can be told now.
            self._publish()
            self._send()
        while not stop.is_set():
            wait_s = moment_s - self._clock.now().steady_s
            if wait_s <= 0 and self._publisher.room:
                return True
            self._publish()
            self._clock.wait(stop, wait_s if wait_s > 0 else _ROOM_S)
        return False

    def _at(self, moment_s: float) -> Instant:
        return Instant(moment_s, self._clock.now().utc_ns)

    def _take(self, shard: int, item: Packet | Vital, now: Instant) -> None:
        if isinstance(item, Packet):
            item = replace(item, received_ns=now.utc_ns)
        try:
            self._ready += self.bundler.add(shard, item, now)
        except BadRecordError as error:
            self._publisher.refuse()
            _log.error("refused", device=item.device, reason=str(error))

    def _send(self) -> None:
        self._is_sending = True
        self._publisher.start(0.0)

    def _publish(self) -> None:
        if self._ready:
            self._publisher.publish(self._ready)
            self._ready = []

    def _watch_lag(self, lag_s: float) -> None:
        self.max_lag_s = max(self.max_lag_s, lag_s)
        now_s = self._clock.now().steady_s
        if lag_s > LAG_S and now_s - self._said_s > _LAG_LOG_S:
            self._said_s = now_s
            _log.warning("the gateway falls behind its devices", lag_s=round(lag_s, 2))
