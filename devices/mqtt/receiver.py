"""Takes devices' messages from a broker: each is acknowledged once what it says is durable, in their order.

What is not acknowledged, the broker sends again: behind a lost line, and behind a gateway that was killed.
How much that is, ``MOST_UNANSWERED`` bounds. What can never be taken is counted, said once, and acknowledged,
or it would come for ever. Where there is no room, nothing more is taken of this connection, so that no
device's second overtakes the one before it; the line is given up, and all of it comes again after a pause.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, Protocol

import structlog

from devices.enrolment import Enrolments
from devices.errors import FullError, LineError, MessageError, NotAdmittedError
from devices.farewells import Farewells
from devices.mqtt.content import is_online, items_of
from devices.mqtt.publish import Arrived
from devices.mqtt.topics import Kind, Topic, topic_of
from devices.refusals import Refused, unheard
from devices.sessions import Item
from schemas.errors import BadRecordError

SHORTEST_S, LONGEST_S = 1.0, 30.0
"""Of the pauses between two tries; they double until something is acknowledged."""
SAY_EVERY_S = 60.0
_MOST_TOLD = 1000

log = structlog.get_logger()


class Takes(Protocol):
    """What takes packets and numbers: ``devices.intake.Intake``."""

    async def take(self, device: str, items: Sequence[Item], *, is_urgent: bool = False) -> None:
        """Return when all of them are durable."""

    def refuse(self) -> None:
        """Count what cannot be taken."""


class Connection(Protocol):
    """A line to the broker: ``devices.mqtt.client.Line``."""

    lost: asyncio.Future[str]

    def acknowledge(self, number: int) -> None:
        """Tell the broker that a message is safe here."""


Connect = Callable[[Callable[[Arrived], None]], AbstractAsyncContextManager[Connection, None]]
"""From what is called with each message; entering raises ``LineError``."""


class Receiver:
    """Receives from one broker.

    Args:
        connect: makes a line, which is used once.
        intake: takes what devices have measured.
        enrolments: what is known of devices now.
        refused: hears of messages that can never be taken.
        farewells: hears whose connection to the broker has ended; ``None``: nobody does.
    """

    def __init__(
        self,
        connect: Connect,
        intake: Takes,
        enrolments: Callable[[], Enrolments],
        *,
        refused: Refused = unheard,
        farewells: Farewells | None = None,
    ) -> None:
        self._connect = connect
        self._intake = intake
        self._enrolments = enrolments
        self._refused = refused
        self._farewells = farewells if farewells is not None else Farewells()
        self._told: set[tuple[str, str]] = set()
        self._offline: set[str] = set()
        self._said_away_s = float("-inf")

    async def serve(self) -> NoReturn:
        """Receive until cancelled, over lines that are lost and brokers that are away.

        Raises:
            SpoolError: nothing can be taken any more.
        """
        pause_s = 0.0
        while True:
            messages = _Messages(self._take)
            try:
                await self._converse(messages)
            except (LineError, FullError) as error:
                self._say_away(str(error))
            pause_s = SHORTEST_S if messages.acknowledged else max(SHORTEST_S, min(2 * pause_s, LONGEST_S))
            await asyncio.sleep(pause_s)

    async def _converse(self, messages: "_Messages") -> NoReturn:
        """Receive by one line until it is lost, or there is no room."""

        def arrived(message: Arrived) -> None:
            if message.number:
                messages.arrived(message)
            else:
                self._refuse_unanswerable(message)

        try:
            async with self._connect(arrived) as line:
                log.info("mqtt_connected")
                self._said_away_s = float("-inf")
                await _until_lost(line, messages.answer(line))
        finally:
            await messages.forget()

    def _say_away(self, why: str) -> None:
        now_s = time.monotonic()
        if now_s >= self._said_away_s + SAY_EVERY_S:
            self._said_away_s = now_s
            log.warning("mqtt_away", why=why)

    # -- a message

    async def _take(self, message: Arrived) -> None:
        """Return when a message needs not come again.

        Raises:
            FullError: it must come again later.
            SpoolError: nothing can be taken any more.
        """
        device = ""
        try:
            topic = topic_of(message.topic)
            device = topic.device
            items = self._read(topic, message)
        except (MessageError, NotAdmittedError) as error:
            self._refuse(device, error, message)
            return
        try:
            await self._intake.take(device, items)
        except (NotAdmittedError, BadRecordError) as error:  # counted there
            self._tell(device, str(error), message)

    def _read(self, topic: Topic, message: Arrived) -> list[Item]:
        """Return what can be taken of a message; of a status, nothing."""
        enrolled = self._enrolments().admitted(topic.device)
        if enrolled.shard != topic.shard:
            raise NotAdmittedError(f"it publishes under shard {topic.shard}; its own is {enrolled.shard}")
        if topic.kind is Kind.STATUS:
            self._hear(topic, is_up=is_online(message.payload), is_news=not message.is_retained)
            return []
        if message.is_retained:
            raise MessageError("it is retained: what was measured once is not measured again")
        items: list[Item] = []
        for item in items_of(topic, message.payload, message.content_type):
            if isinstance(item, MessageError):
                self._refuse(topic.device, item, message)
            else:
                items.append(item)
        if items:
            self._hear(topic, is_up=True)
        return items

    def _hear(self, topic: Topic, *, is_up: bool, is_news: bool = True) -> None:
        """Say that a device's line is lost, or is back; not ``is_news``: it was so before we asked."""
        device = topic.device
        if is_up:
            self._farewells.heard(device, topic.shard)
        if is_up != (device in self._offline):
            return
        log.info("mqtt_link", device=device, is_up=is_up)
        (self._offline.discard if is_up else self._offline.add)(device)
        if is_news and not is_up:
            self._farewells.gone(device, topic.shard)

    def _refuse_unanswerable(self, message: Arrived) -> None:
        try:
            device = topic_of(message.topic).device
        except MessageError:
            device = ""
        self._refuse(device, MessageError("QoS 0, by which nobody knows what is lost: 1 is wanted"), message)

    def _refuse(self, device: str, error: Exception, message: Arrived) -> None:
        self._intake.refuse()
        self._tell(device, str(error), message)

    def _tell(self, device: str, why: str, message: Arrived) -> None:
        """Tell what is not taken; say so once for each device and reason."""
        self._refused("mqtt", device, why, message.payload)
        if (device, why) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((device, why))
            log.warning("mqtt_refused", device=device, why=why)


async def _until_lost(line: Connection, work: Coroutine[Any, Any, NoReturn]) -> NoReturn:
    """Work until that meets an error, or the line is lost."""
    working = asyncio.ensure_future(work)
    either: set[asyncio.Future[Any]] = {working, line.lost}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        (ended,) = await asyncio.gather(working, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    raise LineError(line.lost.result())


class _Messages:
    """What came by one line, and how much of it is ``acknowledged``."""

    def __init__(self, take: Callable[[Arrived], Coroutine[Any, Any, None]]) -> None:
        self.acknowledged = 0
        self._take = take
        self._is_full = False
        self._waiting: asyncio.Queue[tuple[int, asyncio.Task[None]]] = asyncio.Queue()

    def arrived(self, message: Arrived) -> None:
        """Begin to take a message; tasks begin in the order in which they are made."""
        self._waiting.put_nowait((message.number, asyncio.ensure_future(self._taken(message))))

    async def _taken(self, message: Arrived) -> None:
        if self._is_full:
            raise FullError("there was no room before")
        try:
            await self._take(message)
        except FullError:
            self._is_full = True
            raise

    async def answer(self, line: Connection) -> NoReturn:
        """Acknowledge one after the other."""
        while True:
            number, taken = await self._waiting.get()
            await taken
            line.acknowledge(number)
            self.acknowledged += 1

    async def forget(self) -> None:
        """Wait for nothing more: what is not acknowledged comes again."""
        tasks = []
        while not self._waiting.empty():
            tasks.append(self._waiting.get_nowait()[1])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
