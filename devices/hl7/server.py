"""Monitors' connections: each message is answered in its order, once what it says is durable, and not before.

A connection is of one monitor, or of a central station that speaks for many. Which devices it may speak for,
``Speaks`` says. What one connection does, no other feels: a frame is bounded, and so is what all of them hold
that is not whole, how long a message may take to come, and an answer to be read. How many connections there
may be is decided where they come in.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo
from itertools import count
from typing import Protocol

import structlog

from devices.errors import FullError, MessageError, NotAdmittedError, SpoolError
from devices.hl7.ack import answers
from devices.hl7.errors import Condition, Hl7Error
from devices.hl7.mllp import Frames, framed
from devices.hl7.pcd import reading_of
from devices.reading import Reading
from devices.refusals import Refused, unheard
from devices.seldom import Seldom
from schemas.errors import BadRecordError

FIRST_S, IDLE_S = 60.0, 900.0
"""How long a connection's first message may take until it is whole, and each one behind it."""
MOST_HELD_BYTES = 64_000_000
"""Of messages that are not whole, on all connections; above it, who holds the most is closed."""
WRITE_S = 10.0
"""How long an answer may wait for its reader."""
_READ_BYTES = 262_144
_MOST_TOLD = 1000

Speaks = Callable[[str, asyncio.StreamWriter], None]
"""From a device and its connection; raises ``NotAdmittedError`` where that may not speak for it."""

log = structlog.get_logger()


class Reads(Protocol):
    """What takes readings: ``devices.intake.Intake``."""

    async def read(self, device: str, reading: Reading, *, is_urgent: bool = True) -> None:
        """Return when a reading is durable."""


class MllpServer:
    """Serves connections of MLLP; ``serve`` is what ``asyncio.start_server`` calls.

    Args:
        intake: takes readings.
        speaks: says whom a connection may speak for.
        zone: of messages that state none.
        now_ns: clock of the answers.
        refused: hears of messages that can never be taken.

    Attributes:
        connections: how many there are.
    """

    def __init__(
        self,
        intake: Reads,
        speaks: Speaks,
        zone: tzinfo,
        now_ns: Callable[[], int] = time.time_ns,
        *,
        refused: Refused = unheard,
    ) -> None:
        self.connections = 0
        self._intake = intake
        self._speaks = speaks
        self._zone = zone
        self._now_ns = now_ns
        self._refused = refused
        self._numbers = count(1)
        self._seldom = Seldom()
        self._told: set[tuple[str, str]] = set()
        self._held: dict[asyncio.StreamWriter, int] = {}
        self._held_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it goes, or must go."""
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (MessageError, TimeoutError) as error:
            self._warn("mllp_closed", writer, why=str(error) or "it says nothing whole, or reads nothing")
            writer.transport.abort()  # to be closed in order, it would have to read what waits for it
        except (OSError, SpoolError) as error:  # it has gone, or we must; then it is not answered
            log.info("mllp_gone", error=type(error).__name__)
        finally:
            self.connections -= 1
            self._hold(writer, 0)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames, clock = Frames(), asyncio.get_running_loop().time
        due_s = clock() + FIRST_S
        while data := await _read(reader, due_s):
            messages = frames.feed(data)
            self._hold(writer, frames.held)
            for answered in await asyncio.gather(*(self._answered(m, writer) for m in messages)):
                due_s = clock() + IDLE_S
                writer.write(answered)
            async with asyncio.timeout(WRITE_S):
                await writer.drain()

    def _hold(self, writer: asyncio.StreamWriter, held: int) -> None:
        """Note how much of a connection waits for its end; close who holds the most where it is too much."""
        self._held_bytes += held - self._held.pop(writer, 0)
        if held:
            self._held[writer] = held
        if self._held_bytes > MOST_HELD_BYTES:
            most = max(self._held, key=self._held.__getitem__)
            why = "it holds the most of what is not whole"
            self._warn("mllp_closed", most, why=why, bytes=self._held[most])
            self._held_bytes -= self._held.pop(most)
            most.transport.abort()

    async def _answered(self, frame: bytes, writer: asyncio.StreamWriter) -> bytes:
        """Take a message; return its answers, framed."""
        refused: Hl7Error | None = None
        try:
            await self._take(frame, writer)
        except Hl7Error as error:
            refused = error
            self._warn("mllp_refused", writer, why=str(error), at=error.at)
        told = answers(frame, refused, control_id=f"{next(self._numbers)}", at_ns=self._now_ns())
        return b"".join(map(framed, told))

    def _warn(self, event: str, writer: asyncio.StreamWriter, **what: object) -> None:
        """Say what is wrong with a connection: a line a minute of its host, with how often it was."""
        host, *_ = writer.get_extra_info("peername") or ("unknown",)
        if times := self._seldom.times(f"{event} {host}"):
            log.warning(event, peer=host, times=times, **what)

    async def _take(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        reading: Reading | None = None
        try:
            reading = reading_of(frame, self._zone)
            self._speaks(reading.device, writer)
            await self._intake.read(reading.device, reading)
        except FullError as error:  # later it may be taken
            raise Hl7Error(str(error), Condition.APPLICATION_INTERNAL_ERROR) from None
        except (Hl7Error, NotAdmittedError, BadRecordError) as error:
            device, message = ("", "") if reading is None else (reading.device, reading.message)
            self._refused("hl7", device, str(error), frame, message)
            raise _as_told(error) from None
        self._tell_left_out(reading)

    def _tell_left_out(self, reading: Reading) -> None:
        """Say once what of a device's messages is not taken."""
        for why in reading.left_out:
            if (reading.device, why) not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add((reading.device, why))
                log.warning("left_out", device=reading.device, why=why)


async def _read(reader: asyncio.StreamReader, due_s: float) -> bytes:
    """Return what has come next, in part; raise ``TimeoutError`` where it is late, by the loop's clock."""
    async with asyncio.timeout_at(due_s):
        return await reader.read(_READ_BYTES)


def _as_told(error: Exception) -> Hl7Error:
    """Return what the sender is told."""
    if isinstance(error, Hl7Error):
        return error
    if isinstance(error, NotAdmittedError):
        return Hl7Error(str(error), Condition.UNKNOWN_KEY_IDENTIFIER, rejected=True)
    return Hl7Error(str(error), Condition.DATA_TYPE_ERROR)
