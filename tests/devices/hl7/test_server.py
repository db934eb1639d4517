"""Monitors' connections: answered in order once it is durable; what one does wrong, no other feels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC

import pytest
from structlog.testing import capture_logs

from devices.errors import FullError, NotAdmittedError
from devices.hl7 import server as module
from devices.hl7.mllp import Frames, framed
from devices.hl7.server import MllpServer
from devices.hl7.write import report
from devices.reading import Measured, Reading
from schemas import mdc
from schemas.errors import BadRecordError

AT = 1_700_000_000 * 10**9


class Intake:
    """Takes readings, each when it may."""

    def __init__(self) -> None:
        self.found: list[Reading] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.error: Exception | None = None

    async def read(self, device: str, reading: Reading, *, is_urgent: bool = True) -> None:
        assert device == reading.device
        assert is_urgent
        await self.may_take.wait()
        if self.error:
            raise self.error
        self.found.append(reading)


def message(n: int, device: str = "mon-1") -> bytes:
    return framed(report(Reading(device, f"m-{n}", AT, (), (Measured(AT + n, mdc.SPO2, 97.0),))))


def speaks(device: str, _writer: asyncio.StreamWriter) -> None:
    if device == "stranger":
        raise NotAdmittedError("stranger is not enrolled")


class Line:
    """A monitor's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames = Frames()
        self._told: list[bytes] = []

    async def ask(self, *messages: bytes) -> list[str]:
        """Say messages at once; return MSA of each answer."""
        self.writer.write(b"".join(messages))
        while len(self._told) < len(messages):
            data = await self.reader.read(65_536)
            if not data:
                raise ConnectionResetError
            self._told += self._frames.feed(data)
        told, self._told = self._told, []
        return [answer.decode().split("\rMSA|")[1].split("\r")[0] for answer in told]

    async def is_closed(self) -> bool:
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


Open = Callable[[], Awaitable[Line]]


def served(story: Callable[[Intake, Open, MllpServer], Awaitable[None]]) -> None:
    """Run a story with a server on loopback."""

    async def all_of_it() -> None:
        intake = Intake()
        mllp = MllpServer(intake, speaks, UTC, lambda: AT)
        server = await asyncio.start_server(mllp.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        lines: list[Line] = []

        async def opened() -> Line:
            lines.append(Line(*await asyncio.open_connection("127.0.0.1", port)))
            return lines[-1]

        try:
            async with asyncio.timeout(30):
                await story(intake, opened, mllp)
        finally:
            for line in lines:
                line.writer.transport.abort()
                with suppress(ConnectionError):
                    await line.writer.wait_closed()
            server.close()
            while mllp.connections:
                await asyncio.sleep(0.01)

    asyncio.run(all_of_it())


def test_each_is_answered_in_order_and_not_before_it_is_durable() -> None:
    async def story(intake: Intake, opened: Open, _: MllpServer) -> None:
        line = await opened()
        intake.may_take.clear()
        asked = asyncio.ensure_future(line.ask(message(1), message(2), message(3)))
        done, _rest = await asyncio.wait([asked], timeout=0.2)
        assert not done
        intake.may_take.set()
        assert await asked == ["CA|m-1", "CA|m-2", "CA|m-3"]
        assert [reading.message for reading in intake.found] == ["m-1", "m-2", "m-3"]

    served(story)


@pytest.mark.parametrize(
    ("error", "code"), [(BadRecordError("a rate of 0"), "CE"), (FullError("no room"), "CE"), (None, "CR")]
)
def test_what_is_not_taken_is_said_and_the_connection_goes_on(error: Exception | None, code: str) -> None:
    async def story(intake: Intake, opened: Open, _: MllpServer) -> None:
        line = await opened()
        intake.error = error
        assert await line.ask(message(1, "stranger" if error is None else "mon-1")) == [f"{code}|m-1"]
        intake.error = None
        assert await line.ask(message(2)) == ["CA|m-2"]

    served(story)


def test_one_that_is_refused_without_end_fills_no_log() -> None:
    async def story(_intake: Intake, opened: Open, _: MllpServer) -> None:
        for _line in range(3):
            line = await opened()
            assert await line.ask(*(message(n, "stranger") for n in range(50))) == [
                f"CR|m-{n}" for n in range(50)
            ]

    with capture_logs() as said:
        served(story)
    refused = [one for one in said if one["event"] == "mllp_refused"]
    assert [(one["peer"], one["times"]) for one in refused] == [("127.0.0.1", 1)]


def test_one_that_says_nothing_or_too_much_is_closed_and_another_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_S", 0.2)

    async def story(_intake: Intake, opened: Open, _: MllpServer) -> None:
        good, silent, endless = await opened(), await opened(), await opened()
        assert await good.ask(message(1)) == ["CA|m-1"]
        endless.writer.write(b"\x0b" + b"x" * 1_100_000)
        assert await silent.is_closed()
        assert await endless.is_closed()
        assert await good.ask(message(2)) == ["CA|m-2"]

    served(story)


def test_one_whose_message_comes_byte_by_byte_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_S", 0.3)

    async def story(_intake: Intake, opened: Open, mllp: MllpServer) -> None:
        slow, good = await opened(), await opened()
        assert await good.ask(message(1)) == ["CA|m-1"]
        slow.writer.write(b"\x0b")
        while mllp.connections > 1:
            slow.writer.write(b"M")
            await asyncio.sleep(0.01)
        assert await slow.is_closed()
        assert await good.ask(message(2)) == ["CA|m-2"]

    served(story)


def test_who_holds_the_most_of_what_is_not_whole_is_closed_where_it_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_HELD_BYTES", 700_000)

    async def story(_intake: Intake, opened: Open, mllp: MllpServer) -> None:
        more, less, good = await opened(), await opened(), await opened()
        more.writer.write(b"\x0b" + b"x" * 500_000)
        await more.writer.drain()
        less.writer.write(b"\x0b" + b"x" * 300_000)
        assert await more.is_closed()
        assert await good.ask(message(1)) == ["CA|m-1"]
        assert mllp.connections == 2

    served(story)


def test_one_that_reads_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.2)

    async def story(_intake: Intake, opened: Open, mllp: MllpServer) -> None:
        deaf, good = await opened(), await opened()
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        bad = framed(b"MSH|^~\\&|" + b"a" * 200 + b"|||||ADT^A01|x|P|2.6\r")
        try:
            for _ in range(400):
                deaf.writer.write(bad * 200)
                await asyncio.wait_for(deaf.writer.drain(), 5)
                if mllp.connections < 2:
                    break
        except (ConnectionError, TimeoutError):
            pass
        while mllp.connections > 1:
            await asyncio.sleep(0.01)
        assert await good.ask(message(1)) == ["CA|m-1"]

    served(story)
