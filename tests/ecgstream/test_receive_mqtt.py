"""A receiving gateway at a broker of MQTT: what is safe is acknowledged; where nothing can be, it ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from devices.enrolment import Enrolments
from devices.errors import SpoolError
from devices.files.desk import Desk
from devices.intake import Intake
from devices.mqtt.client import Broker as Address
from devices.mqtt.topics import Share
from ecgstream.metrics import Health
from ecgstream.mqtt import Asked
from ecgstream.receive import Doors, Wanted
from schemas.bundle import Bundle
from schemas.records import Enrolment
from tests.devices.http.made import form_of, packet
from tests.devices.mqtt import broker as wire
from tests.devices.mqtt.broker import Broker, publish

KNOWN = Enrolments().changed(
    [("dev-1", Enrolment("dev-1", "patch", "cn", 7, (), b"", "", disabled=False, changed_ns=1))]
)
SECOND = publish(5, "ecgstream/v1/7/dev-1/packets", json.dumps({"packets": [form_of(packet(0))]}).encode())


class Taker:
    """A spool in memory, whose disk may be gone."""

    room = True

    def __init__(self, error: SpoolError | None) -> None:
        self.error = error
        self.devices: list[str] = []

    def known(self, what: object) -> dict[str, bytes]:
        return {}

    def publish(self, bundles: Sequence[Bundle], known: object, marks: object) -> bool:
        if self.error is not None:
            raise self.error
        self.devices += [device for bundle in bundles for device in bundle.devices]
        return True

    def refuse(self) -> None:
        pass


Story = Callable[[Broker, "asyncio.Future[None]", threading.Event], Awaitable[None]]


def told(taker: Taker, story: Story) -> None:
    """Run a story with a gateway at a broker, which has just subscribed."""

    async def all_of_it(intake: Intake, desk: Desk) -> None:
        stop = threading.Event()
        async with asyncio.timeout(60), Broker() as broker:
            asked = Asked("127.0.0.1", broker.port, is_secure=False, user="", share=Share())
            wanted = Wanted("gw", None, None, None, None, None, plain=True, zone=None, broker=asked)  # type: ignore[arg-type]
            at = Address("127.0.0.1", broker.port, "gw")
            serving = asyncio.ensure_future(
                Doors(wanted, None, None, None, intake, lambda: KNOWN, desk, at).serve(stop, Health())
            )
            await broker.heard(wire.SUBSCRIBE)
            await story(broker, serving, stop)

    with Intake("gw", taker, lambda: KNOWN) as intake, Desk("gw", taker, None) as desk:  # type: ignore[arg-type]
        asyncio.run(all_of_it(intake, desk))


def test_what_is_published_is_taken_and_acknowledged() -> None:
    taker = Taker(None)

    async def story(broker: Broker, serving: asyncio.Future[None], stop: threading.Event) -> None:
        broker.say(SECOND)
        assert await broker.heard(wire.PUBACK) == [b"\0\5"]
        assert taker.devices == ["dev-1"]
        stop.set()
        await serving
        await broker.heard(wire.DISCONNECT)

    told(taker, story)


def test_where_nothing_can_be_taken_the_gateway_ends_and_acknowledges_nothing() -> None:
    async def story(broker: Broker, serving: asyncio.Future[None], stop: threading.Event) -> None:
        broker.say(SECOND)
        with pytest.raises(SpoolError, match="the disk is gone"):
            await serving
        assert not [one for one in broker.frames if one.kind == wire.PUBACK]

    told(Taker(SpoolError("the disk is gone")), story)
