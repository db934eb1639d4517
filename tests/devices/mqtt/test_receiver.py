"""Messages are acknowledged in their order, once durable; what goes wrong with one, no other feels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType

import pytest
from structlog.testing import capture_logs

from devices.enrolment import Enrolments
from devices.errors import FullError, LineError, NotAdmittedError, SpoolError
from devices.farewells import HOLD_S, Farewells
from devices.mqtt import receiver as module
from devices.mqtt.publish import Arrived
from devices.mqtt.receiver import Receiver
from devices.sessions import Item
from schemas.errors import BadRecordError
from schemas.records import Enrolment, Packet
from tests.devices.http.made import form_of, packet

KNOWN = Enrolments().changed(
    (device, Enrolment(device, "patch", "cn", 7, (), b"", "", disabled=device == "dev-3", changed_ns=1))
    for device in ("dev-1", "dev-2", "dev-3")
)


def message(number: int, seq: int = 0, device: str = "dev-1", **other: object) -> Arrived:
    """A packet of a device."""
    payload = json.dumps({"packets": [form_of(packet(seq, device))]}).encode()
    return Arrived(number, f"ecgstream/v1/7/{device}/packets", payload, "", is_retained=False)._replace(
        **other
    )


class Intake:
    """Takes what may be taken, each when it may."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self.refused = 0
        self.errors: list[Exception | None] = []
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def take(self, device: str, items: Sequence[Item], *, is_urgent: bool = False) -> None:
        assert not is_urgent
        if error := self.errors.pop(0) if self.errors else None:
            raise error
        self.found += [(item.device, item.seq) for item in items if isinstance(item, Packet)]
        await self.may_take.wait()

    def refuse(self) -> None:
        self.refused += 1


class Line:
    """A line that brings what it is told to."""

    def __init__(self, arrived: Callable[[Arrived], None], refusal: LineError | None) -> None:
        self.arrived = arrived
        self.refusal = refusal
        self.acknowledged: list[int] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_open = False

    def acknowledge(self, number: int) -> None:
        self.acknowledged.append(number)

    async def __aenter__(self) -> Line:
        if self.refusal is not None:
            raise self.refusal
        self.is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False

    async def has_acknowledged(self, *numbers: int) -> bool:
        async with asyncio.timeout(30):
            while len(self.acknowledged) < len(numbers):
                await asyncio.sleep(0)
        return self.acknowledged == list(numbers)


class World:
    """A receiver with its intake, and the lines that it has made."""

    def __init__(self) -> None:
        self.intake = Intake()
        self.lines: list[Line] = []
        self.refusals: list[LineError] = []
        self.serving = asyncio.ensure_future(Receiver(self.made, self.intake, lambda: KNOWN).serve())

    def made(self, arrived: Callable[[Arrived], None]) -> Line:
        self.lines.append(Line(arrived, self.refusals.pop(0) if self.refusals else None))
        return self.lines[-1]

    async def line(self, count: int = 1) -> Line:
        """The newest line, once so many were made and it is open."""
        async with asyncio.timeout(30):
            while len(self.lines) < count or not self.lines[-1].is_open:
                await asyncio.sleep(0)
        return self.lines[-1]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_S", 0.0)


def told(story: Callable[[World], Awaitable[None]]) -> list[str]:
    """Run a story; return what was logged of it, as text."""

    async def all_of_it() -> None:
        world = World()
        async with asyncio.timeout(60):
            await story(world)
        world.serving.cancel()
        with suppress(asyncio.CancelledError):
            await world.serving

    with capture_logs() as said:
        asyncio.run(all_of_it())
    return [str(one) for one in said]


def test_each_is_acknowledged_in_order_and_not_before_it_is_durable() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        world.intake.may_take.clear()
        for number in (5, 6, 4):
            line.arrived(message(number, seq=number))
        line.arrived(message(9, device="dev-9"))  # of no device, and known at once
        for _ in range(20):
            await asyncio.sleep(0)
        assert line.acknowledged == []
        world.intake.may_take.set()
        assert await line.has_acknowledged(5, 6, 4, 9)
        assert world.intake.found == [("dev-1", 5), ("dev-1", 6), ("dev-1", 4)]

    told(story)


REFUSED = {
    "of no device": message(1, device="dev-9"),
    "disabled": message(1, device="dev-3"),
    "under another shard": message(1, topic="ecgstream/v1/8/dev-1/packets"),
    "of another device": message(1, topic="ecgstream/v1/7/dev-2/packets"),
    "no topic of ours": message(1, topic="ecgstream/v1/7/Jane Doe/packets"),
    "no content": message(1, payload=b"Jane Doe"),
    "of a type that is none": message(1, content_type="Jane Doe"),
    "retained": message(1, is_retained=True),
    "no status": message(1, topic="ecgstream/v1/7/dev-1/status"),
}


@pytest.mark.parametrize("bad", REFUSED.values(), ids=REFUSED)
def test_what_can_never_be_taken_is_counted_said_once_and_acknowledged(bad: Arrived) -> None:
    async def story(world: World) -> None:
        line = await world.line()
        line.arrived(bad)
        line.arrived(bad._replace(number=2))
        line.arrived(message(3, seq=3))
        assert await line.has_acknowledged(1, 2, 3)
        assert world.intake.refused == 2
        assert world.intake.found == [("dev-1", 3)]

    said = told(story)
    assert sum("mqtt_refused" in one for one in said) == 1
    assert not any("Jane" in one for one in said)


@pytest.mark.parametrize("error", [BadRecordError("a gain of 0"), NotAdmittedError("disabled just now")])
def test_what_the_intake_refuses_it_has_counted_itself(error: Exception) -> None:
    async def story(world: World) -> None:
        line = await world.line()
        world.intake.errors = [error]
        line.arrived(message(1))
        assert await line.has_acknowledged(1)
        assert world.intake.refused == 0

    assert any(str(error) in one for one in told(story))


def test_one_item_that_is_refused_costs_no_other() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        said = {"packets": [form_of(packet(0)), form_of(packet(1, "dev-2")), form_of(packet(2))]}
        line.arrived(message(1, payload=json.dumps(said).encode()))
        assert await line.has_acknowledged(1)
        assert (world.intake.found, world.intake.refused) == ([("dev-1", 0), ("dev-1", 2)], 1)

    told(story)


def test_what_cannot_be_acknowledged_is_refused() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        line.arrived(message(0))
        line.arrived(message(0, topic="nobody's"))
        line.arrived(message(1, seq=1))
        assert await line.has_acknowledged(1)
        assert (world.intake.found, world.intake.refused) == ([("dev-1", 1)], 2)

    assert any("QoS 0" in one and "dev-1" in one for one in told(story))


def test_without_room_the_line_is_given_up_and_no_second_overtakes_another() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        world.intake.errors = [None, FullError("no room")]
        for number in (1, 2, 3):
            line.arrived(message(number, seq=number))
        second = await world.line(2)
        assert line.acknowledged in ([], [1])  # what is not, comes again
        assert world.intake.found == [("dev-1", 1)]
        for number in (2, 3):
            second.arrived(message(number, seq=number))
        assert await second.has_acknowledged(2, 3)
        assert world.intake.found == [("dev-1", 1), ("dev-1", 2), ("dev-1", 3)]

    told(story)


def test_what_came_by_a_line_that_is_lost_is_not_acknowledged_by_the_next() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        world.intake.may_take.clear()
        line.arrived(message(1))
        line.lost.set_result("the broker was killed")
        second = await world.line(2)
        world.intake.may_take.set()
        second.arrived(message(1, seq=1))
        assert await second.has_acknowledged(1)
        assert line.acknowledged == []

    assert any("the broker was killed" in one for one in told(story))


def test_a_broker_that_is_away_is_said_once_and_tried_until_it_is_back() -> None:
    async def story(world: World) -> None:
        world.refusals = [LineError("nobody listens")] * 5
        line = await world.line(6)
        line.arrived(message(1))
        assert await line.has_acknowledged(1)

    assert sum("nobody listens" in one for one in told(story)) == 1


@pytest.mark.parametrize("error", [SpoolError("the disk is gone"), RuntimeError("nobody thought of it")])
def test_what_nobody_can_mend_ends_it(error: Exception) -> None:
    async def story(world: World) -> None:
        line = await world.line()
        world.intake.errors = [error]
        line.arrived(message(1))
        with pytest.raises(type(error), match=str(error)):
            await world.serving
        assert line.acknowledged == []
        assert not line.is_open
        world.serving = asyncio.ensure_future(asyncio.sleep(0))  # type: ignore[arg-type]

    told(story)


def test_a_last_will_is_said_once_and_so_is_that_the_device_is_back() -> None:
    async def story(world: World) -> None:
        line = await world.line()
        for number, payload in enumerate((b"online", b"offline", b"offline", b"online", b"online"), 1):
            said = Arrived(number, "ecgstream/v1/7/dev-1/status", payload, "", is_retained=True)
            line.arrived(said)
        assert await line.has_acknowledged(1, 2, 3, 4, 5)
        assert world.intake.refused == 0

    said = [one for one in told(story) if "mqtt_link" in one]
    assert ["'is_up': False" in one for one in said] == [True, False]


STATUS = Arrived(1, "ecgstream/v1/7/dev-1/status", b"offline", "", is_retained=False)
GOODBYES = {
    "it stays away": ([message(1), STATUS], [("dev-1", 7)]),
    "it is back": ([STATUS, STATUS._replace(payload=b"online")], []),
    "it is heard": ([STATUS, message(1)], []),
    "it goes again": ([STATUS, message(1), STATUS], [("dev-1", 7)]),
    "it had gone before we asked": ([STATUS._replace(is_retained=True)], []),
    "of another shard": ([STATUS._replace(topic="ecgstream/v1/8/dev-1/status")], []),
}


@pytest.mark.parametrize(("sent", "gone"), GOODBYES.values(), ids=GOODBYES.keys())
def test_who_is_gone_is_told_of(sent: list[Arrived], gone: list[tuple[str, int]]) -> None:
    now = [0.0]
    farewells = Farewells(lambda: now[0])

    async def story(world: World) -> None:
        world.serving.cancel()
        world.lines.clear()
        receiver = Receiver(world.made, world.intake, lambda: KNOWN, farewells=farewells)
        world.serving = asyncio.ensure_future(receiver.serve())
        line = await world.line()
        for number, one in enumerate(sent, 1):
            line.arrived(one._replace(number=number))
        assert await line.has_acknowledged(*range(1, len(sent) + 1))

    told(story)
    now[0] = HOLD_S
    assert farewells.take(lambda _: True) == gone
