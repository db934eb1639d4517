"""From the devices by way of the spool to Kafka: nothing that was taken is lost, and live goes first.

``publish`` makes durable what devices gave, and returns; it never waits for Kafka. A thread sends what is
spooled and deletes what is acknowledged. While Kafka is away it tries to come back, and devices go on.
"""

import queue
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from devices.backlog import GAP_S
from devices.bounds import BOUNDS, Bounds, Keeper
from devices.bundler import Instant
from devices.errors import LineError
from devices.farewells import Farewells
from devices.ledger import Account, Mark, Play
from devices.line import HUNG_S, Line
from devices.parts import parts_of
from devices.refusals import Refusals
from devices.rows import Record
from devices.shipper import Shipped, Shipper
from devices.spool import Spool
from devices.standing import Standing
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import Control, GatewayStatus, LinkDown
from schemas.topics import BACKFILL, GATEWAYS, INGEST, REFUSED, partition_of

TOPICS = (INGEST, BACKFILL, GATEWAYS, REFUSED)
STATUS_S = 5.0
"""s between two records of how the gateway stands."""
SLOW_S = 5.0
"""Kafka counts as away where it has acknowledged nothing for so long."""
_RETRY_S = 1.0
_COMMIT_S = 1.0  # of acknowledgements, where no device gives anything
_TICK_S = 0.5
_JOIN_S = 15.0
_PAUSE_S = 0.02  # between two steps of the spool's keeper: devices are heard meanwhile
_STEPS_AWAY = 50  # of the spool's keeper, between two tries to connect
STATUS_TOKEN = 0
"""Of what is sent for its own sake; nobody waits for its outcome."""


class Publisher:
    """Publishes for one gateway, into the partition of each bundle's shard. Close it before its spool.

    Args:
        bootstrap: the broker's address.
        spool: where bundles wait; what an earlier process has left goes first, or as backlog.
        gateway: its name.
        partitions: how many each topic has.
        security: what more kafka-python must be told to come in at a closed broker.
        version: of ecgstream, for the record of how the gateway stands.
        gap_s: above so much waiting signal of a device, its newest packet goes first.
        bounds: of the spool.
        beat: see ``Shipper``.
        on_standing: called every few seconds, from the publisher's thread.
        line: connects, for tests.
    """

    def __init__(
        self,
        bootstrap: str,
        spool: Spool,
        *,
        gateway: str,
        partitions: int,
        security: Mapping[str, Any] = MappingProxyType({}),
        version: str = "",
        gap_s: float = GAP_S,
        bounds: Bounds = BOUNDS,
        beat: Callable[[], None] = lambda: None,
        on_standing: Callable[[GatewayStatus, Shipped], None] = lambda _status, _shipped: None,
        line: Callable[..., Line] = Line,
    ) -> None:
        self.standing = Standing(gateway, version, spool.path.parent, lost=spool.tally.lost)
        self.refusals = Refusals(gateway)
        """Where servers tell what can never be taken."""
        self.farewells = Farewells()
        """Where servers tell whose connection has ended."""
        self._gateway = gateway
        self._partitions = partitions
        self._spool = spool
        self._on_standing = on_standing
        self._shipper = Shipper(spool, gateway=gateway, partitions=partitions, gap_s=gap_s, beat=beat)
        self._keeper = Keeper(spool, self._shipper, bounds)
        self._address = (gateway.encode(), zlib.crc32(gateway.encode()) % partitions)
        self._new: queue.SimpleQueue[Record] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._connect: Callable[[], Line] = lambda: line(
            bootstrap, TOPICS, partitions, security=security, wake=self._wake.set
        )
        self._publishing = threading.Lock()  # records come to the shipper in the order of their numbers
        self._stop = threading.Event()
        self._connected = threading.Event()
        self._settled = threading.Event()
        self._why_away = ""
        self._committed_s = self._told_s = float("-inf")
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    # -- for the devices' thread

    def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
        """Begin a play, or go on with the one of this name; return it, and how far its devices have come.

        Raises:
            PlayError: it was begun with something else.
        """
        found = self._spool.begin(play)
        self._spool.commit()
        return found, self._spool.marks()

    def knows(self, play: str) -> bool:
        """Return whether a play of this name would go on."""
        return self._spool.play is not None and self._spool.play.name == play

    def start(self, patience_s: float = 0.0) -> None:
        """Start to send; wait a while for Kafka to be there."""
        if self._thread.ident is None:
            self._thread.start()
        self._connected.wait(patience_s)

    @property
    def room(self) -> bool:
        """Whether more can be taken: see ``Spool``."""
        return self._spool.room

    def courses(self) -> dict[str, bytes]:
        """Return how far devices have come whose sessions are made here (``devices.sessions``)."""
        return self._spool.courses()

    def publish(self, bundles: Sequence[Bundle], courses: Mapping[str, bytes] = MappingProxyType({})) -> bool:
        """Take bundles, and how far devices have come with them.

        Returns:
            Whether they are durable: not, where the disk takes nothing now.

        Raises:
            SpoolError: the spool can be used no more, or could not be while sending.
        """
        self._raise_failure()
        with self._publishing:
            new = []
            for bundle in bundles:
                new.append(
                    self._spool.put(bundle.shard, bundle.created_ns, bundle.encode(), parts_of(bundle))
                )
                self.standing.hear(bundle.devices, bundle.created_ns)
            for device, course in courses.items():
                self._spool.come(device, course)
            return self._hand_over(new)

    def publish_past(self, shard: int, bundles: Sequence[Bundle], end: Control | None = None) -> bool:
        """Take what a device of a shard has measured at another time, from any thread; else as ``publish``.

        It goes as backlog, and beside all that is live. ``end``: says that this is all of it.
        """
        self._raise_failure()
        with self._publishing:
            new = [
                self._spool.put(shard, b.created_ns, b.encode(), parts_of(b), is_live=False) for b in bundles
            ]
            if end is not None:
                new.append(self._spool.put(shard, end.issued_ns, encode(end), [], is_live=False))
            return self._hand_over(new)

    def _hand_over(self, new: Sequence[Record]) -> bool:
        """Make durable what is in the spool, then let it be sent; return whether it is durable."""
        is_durable = self._spool.commit()
        self._committed_s = time.monotonic()
        for record in new:  # durable first: what is sent before could come back another way after a crash
            self._new.put(record)
        self._wake.set()
        return is_durable

    def settled(self, patience_s: float) -> bool:
        """Return whether Kafka has acknowledged everything; wait so long for it.

        Raises:
            SpoolError: as ``publish``.
        """
        self._raise_failure()
        if not self._spool.is_empty:
            self._settled.wait(patience_s)
            self._settled.clear()
        if not self._spool.is_empty:
            return False
        self._spool.commit()
        return True

    def refuse(self) -> None:
        """Count a packet or number that was not taken."""
        self.standing.refused += 1

    def account(self) -> Account:
        """Return what Kafka has acknowledged of the play."""
        return self._spool.account()

    def waiting(self) -> int:
        """Return how many records Kafka has not acknowledged."""
        return self._spool.held().records

    def close(self) -> None:
        """Stop sending, and say how the gateway stands; what is not acknowledged stays in the spool."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._try()
                self._take_in()
                self._plan_ahead()
                for _ in range(_STEPS_AWAY):
                    if not self._keep_within() or self._stop.wait(_PAUSE_S):
                        break
                self._tell(None)
                self._stop.wait(_RETRY_S)
        except Exception as error:
            self._failure = error
        finally:
            self._connected.set()
            self._settled.set()

    def _try(self) -> None:
        """Connect, and send as long as the line does."""
        in_order = False
        try:
            line = self._connect()
        except LineError as error:
            self._why_away = str(error)
            return
        try:
            self._connected.set()
            self._why_away = ""
            self._take_in()
            self._shipper.hurry()
            self._tell(line, anyway=True)
            self._ship(line)
            in_order = self._shipper.waits_since_s == float("inf")
        except LineError as error:
            self._why_away = str(error)
        finally:
            line.close(in_order=in_order)
            self._shipper.lost(line.outcomes())

    def _plan_ahead(self) -> None:
        """Plan while Kafka is away: what is planned, a start need not find out of all that waits."""
        if not self._spool.trouble:
            self._shipper.plan(time.time_ns())

    def _ship(self, line: Line) -> None:
        """Send until we are stopped."""
        while True:
            is_last = self._stop.is_set()
            self._take_in()
            now = Instant(time.monotonic(), time.time_ns())
            next_s = self._shipper.step(line, now)
            waits_s = now.steady_s - self._shipper.waits_since_s
            if waits_s > HUNG_S:
                raise LineError(f"it has said nothing of what was sent {waits_s:.0f} s ago")
            is_slow = waits_s > SLOW_S
            self._why_away = "it acknowledges nothing" if is_slow else ""
            self._commit(now.steady_s)
            is_over = self._keep_within()
            self._send_refusals(line)
            self._send_farewells(line, now.utc_ns)
            self._tell(line, anyway=is_last)
            if is_last:
                return
            self._wake.wait(_PAUSE_S if is_over else max(0.0, min(next_s - now.steady_s, _TICK_S)))
            self._wake.clear()

    def _take_in(self) -> None:
        while True:
            try:
                self._shipper.take(self._new.get_nowait())
            except queue.Empty:
                return

    def _keep_within(self) -> bool:
        """Keep the spool within its bounds; return whether there may be more to do."""
        return self._keeper.step(time.time_ns(), self.standing.disk_free())

    def _send_refusals(self, line: Line) -> None:
        key, partition = self._address
        for refusal in self.refusals.take():
            line.send(REFUSED, partition, encode(refusal), STATUS_TOKEN, key=key)

    def _send_farewells(self, line: Line, now_ns: int) -> None:
        for device, shard in self.farewells.take(self._shipper.is_live):
            told = Control(f"gone-{device}-{now_ns}", device, 0, 0, now_ns, self._gateway, LinkDown())
            partition = partition_of(shard, self._partitions)
            line.send(INGEST, partition, encode(told), STATUS_TOKEN, key=device.encode())

    def _commit(self, now_s: float) -> None:
        """Make acknowledgements durable that no flush of devices' data takes along."""
        if self._spool.is_empty:
            self._settled.set()
        if self._spool.has_changed and now_s > self._committed_s + _COMMIT_S:
            self._committed_s = now_s
            self._spool.commit()

    def _say(self, now: Instant) -> GatewayStatus:
        """Say to this machine how the gateway stands."""
        held = self._spool.held()
        tally = self._spool.tally
        self.standing.say(now.steady_s, held, tally.lost, away=self._why_away, trouble=self._spool.trouble)
        status = self.standing.status(now.utc_ns, held, self._shipper.backlog(), tally)
        self._on_standing(status, self._shipper.shipped)
        return status

    def _tell(self, line: Line | None, *, anyway: bool = False) -> None:
        """Say every few seconds how the gateway stands, also to Kafka where it is there."""
        now = Instant(time.monotonic(), time.time_ns())
        if now.steady_s < self._told_s + STATUS_S and not anyway:
            return
        self._told_s = now.steady_s
        status = self._say(now)
        if line is not None:
            key, partition = self._address
            line.send(GATEWAYS, partition, encode(status), STATUS_TOKEN, key=key)
