"""What servers are given by devices, made durable: whoever is told that it is taken may forget it.

Connections are many, and asyncio's; the spool is one, and each write to it is a sync of the disk. So a thread
of its own takes what has come for ``FLUSH_S``, or at once where a device sends nothing more before it is
answered, and one sync is for all of it.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from devices.bundler import FLUSH_S, Bundler, Instant
from devices.corrections import Corrections
from devices.enrolment import Enrolments
from devices.errors import FullError, NotAdmittedError, SpoolError
from devices.gateway import Clock, SystemClock
from devices.notes import What
from devices.reading import Reading
from devices.sessions import Item, Sessions
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import Control, Packet, Vital

URGENT_S = 0.02
"""How long one is gathered for that is waited for: a few connections' worth."""
MOST_WAITING = 20_000
"""Packets and numbers that wait for the disk, at most; a packet is of the order of a kilobyte."""

_FULL = "the spool takes no more now: try again in some seconds"


class Taker(Protocol):
    """What bundles go to: ``devices.publisher.Publisher``, or a stand-in."""

    @property
    def room(self) -> bool:
        """Whether more can be taken."""

    def known(self, what: What) -> dict[str, bytes]:
        """Return what was published of what is known, by device."""

    def publish(
        self,
        bundles: Sequence[Bundle],
        known: Mapping[What, Mapping[str, bytes]],
        marks: Sequence[tuple[int, Control]],
    ) -> bool:
        """Take bundles, what is known of devices, and marks; return whether that is durable."""

    def refuse(self) -> None:
        """Count a packet or number that was not taken."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody waits for; ``content``: packets and numbers, or a reading that came at ``now``."""

    shard: int
    content: Sequence[Item] | Reading
    now: Instant
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]

    @property
    def size(self) -> int:
        """How many packets and numbers it is."""
        if isinstance(self.content, Reading):
            return len(self.content.stretches) + len(self.content.numbers)
        return len(self.content)

    def settle(self, error: Exception | None) -> None:
        """Let whoever waits know; on its loop."""
        if self.done.done():  # whoever waited has gone; it is durable all the same
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


def _settle(told: Sequence[tuple[_Asked, Exception | None]]) -> None:
    for one, error in told:
        one.settle(error)


class Intake:
    """Takes devices' data from any server; as long as it is entered.

    Args:
        gateway: the name that bundles carry.
        taker: makes bundles durable, and sends them on.
        enrolments: what is known of devices now.
        flush_s: how long is gathered what nobody is in a hurry for.
        time: hears of each packet as it comes, with its device's own time, for its clock.
        clock: for tests.
    """

    def __init__(
        self,
        gateway: str,
        taker: Taker,
        enrolments: Callable[[], Enrolments],
        *,
        flush_s: float = FLUSH_S,
        time: Callable[[Packet], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self._time = time
        self._taker = taker
        self._enrolments = enrolments
        self._flush_s = flush_s
        self._clock = clock or SystemClock()
        self._bundler = Bundler(gateway, flush_s=flush_s)
        self._sessions = Sessions(taker.known("course"))
        self._corrections = Corrections(gateway, taker.known("clock"))
        self._changed = threading.Condition()
        self._asked: list[_Asked] = []
        self._many = 0
        self._due_s = float("inf")
        self._failure: SpoolError | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def __enter__(self) -> "Intake":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()

    @property
    def failure(self) -> SpoolError | None:
        """Why nothing can be taken any more; ``None``: it can."""
        return self._failure

    async def take(self, device: str, items: Sequence[Item], *, is_urgent: bool = False) -> None:
        """Take what a device has measured, all or nothing of it; return when it is durable.

        Args:
            device: who sends it; each item must be its own.
            items: their ``received_ns`` is set to now.
            is_urgent: the device sends nothing more before it is answered.

        Raises:
            NotAdmittedError: it may not send, or not for another device.
            BadRecordError: no device can mean one of them.
            FullError: there is no room now; later there may be.
            SpoolError: nothing can be taken any more.
        """
        now = self._clock.now()
        try:
            shard = self._admitted(device, {item.device for item in items})
            for item in items:
                if isinstance(item, Packet):
                    item.received_ns = now.utc_ns
                self._bundler.check(shard, item)
        except (NotAdmittedError, BadRecordError):
            for _ in items:
                self._taker.refuse()
            raise
        if items:
            await self._wait(shard, items, now, is_urgent=is_urgent)

    async def read(self, device: str, reading: Reading, *, is_urgent: bool = True) -> None:
        """Take what a message says that knows no sessions (``devices.sessions``); else as ``take``."""
        try:
            shard = self._admitted(device, {reading.device})
            await self._wait(shard, reading, self._clock.now(), is_urgent=is_urgent)
        except (NotAdmittedError, BadRecordError):
            self._taker.refuse()
            raise

    def refuse(self) -> None:
        """Count what came and was not even readable, so that it was never asked to be taken."""
        self._taker.refuse()

    def _admitted(self, device: str, named: set[str]) -> int:
        """Return the device's shard."""
        found = self._enrolments().admitted(device)
        if others := named - {device}:
            raise NotAdmittedError(f"{device} may not send for {min(others)!r}")
        return found.shard

    async def _wait(
        self, shard: int, content: Sequence[Item] | Reading, now: Instant, *, is_urgent: bool
    ) -> None:
        asked = _Asked(shard, content, now, loop := asyncio.get_running_loop(), loop.create_future())
        self._put(asked, now.steady_s + (URGENT_S if is_urgent else self._flush_s))
        await asked.done

    def _put(self, asked: _Asked, due_s: float) -> None:
        with self._changed:
            if self._failure is not None or self._is_over:
                raise self._failure or SpoolError("the gateway is ending")
            many = self._many + asked.size
            if not self._taker.room or many > MOST_WAITING:
                raise FullError(_FULL)
            self._asked.append(asked)
            self._many = many
            if due_s < self._due_s:
                self._due_s = due_s
                self._changed.notify()

    # -- the thread

    def _run(self) -> None:
        while (asked := self._gathered()) is not None:
            refusals: dict[int, BadRecordError] = {}
            error = self._keep(asked, refusals)
            told: defaultdict[asyncio.AbstractEventLoop, list[tuple[_Asked, Exception | None]]]
            told = defaultdict(list)
            for number, one in enumerate(asked):
                told[one.loop].append((one, refusals.get(number, error)))
            for loop, its in told.items():  # woken once for all of them
                loop.call_soon_threadsafe(_settle, its)

    def _gathered(self) -> list[_Asked] | None:
        """Return what has come until it was due; ``None``: it is over, and nothing waits."""
        with self._changed:
            while not self._is_over and (wait_s := self._due_s - self._clock.now().steady_s) > 0:
                self._changed.wait(min(wait_s, threading.TIMEOUT_MAX))
            found, self._asked = self._asked, []
            self._many, self._due_s = 0, float("inf")
            return None if self._is_over and not found else found

    def _keep(
        self, asked: Sequence[_Asked], refusals: dict[int, BadRecordError]
    ) -> SpoolError | FullError | None:
        """Make it durable, but for what is refused; return why it is not."""
        if self._failure is None:
            try:
                is_durable = self._taker.publish(*self._bundles(asked, refusals))
            except SpoolError as error:
                self._failure = error
            except Exception as error:  # whatever it was: nobody may wait for a thread that has ended
                self._failure = SpoolError(f"it cannot go on: {type(error).__name__}")
            else:  # what is in memory only is sent all the same; it comes again, and is known by its number
                return None if is_durable else FullError(_FULL)
        return self._failure

    def _bundles(
        self, asked: Sequence[_Asked], refusals: dict[int, BadRecordError]
    ) -> tuple[list[Bundle], dict[What, Mapping[str, bytes]], list[tuple[int, Control]]]:
        """Return what came as bundles, what is known of devices with it, and marks."""
        now = self._clock.now()
        self._corrections.look(now)
        bundles: list[Bundle] = []
        come = set()
        for number, one in enumerate(asked):
            try:
                items = self._items(one)
            except BadRecordError as error:
                refusals[number] = error
                continue
            if isinstance(one.content, Reading):
                come.add(one.content.device)
            for item in items:
                bundles += self._bundler.add(one.shard, self._timed(one, item), now)
        courses = {device: self._sessions.kept(device) for device in come}
        clocks, marks = self._corrections.told()
        return bundles + self._bundler.flush(now), {"course": courses, "clock": clocks}, marks

    def _timed(self, one: _Asked, item: Item) -> Item:
        """Return a packet or number with its time corrected where its device's clock is wrong."""
        if isinstance(item, Vital):
            return self._corrections.number(one.shard, item, one.now.utc_ns)
        self._time(item)
        self._corrections.packet(one.shard, item)
        return item

    def _items(self, one: _Asked) -> Sequence[Item]:
        """Return packets and numbers; of a reading that was here before, none."""
        if not isinstance(one.content, Reading):
            return one.content
        check = partial(self._bundler.check, one.shard)
        return self._sessions.take(one.content, one.now.utc_ns, check)
