"""A line to a broker: what it asks for, what it brings, and that it ends whatever the broker does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.errors import LineError
from devices.mqtt import client as module
from devices.mqtt.client import MOST_UNANSWERED, SESSION_S, Line
from devices.mqtt.client import Broker as Address
from devices.mqtt.publish import Arrived
from devices.mqtt.topics import Share
from tests.certificates import Authority
from tests.devices.mqtt import broker as wire
from tests.devices.mqtt.broker import Broker, frame, publish

ALL = Share()
TOPIC = "ecgstream/v1/7/dev-1/packets"


def told(story: Callable[[Broker], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
    """Run a story with a broker."""

    async def all_of_it() -> None:
        async with asyncio.timeout(60), Broker(tls) as broker:
            await story(broker)

    asyncio.run(all_of_it())


def line_to(broker: Broker, arrived: Callable[[Arrived], None], share: Share = ALL, **more: object) -> Line:
    return Line(Address("127.0.0.1", broker.port, "ecgstream-gw", **more), share, arrived)  # type: ignore[arg-type]


def nothing(_: Arrived) -> None:
    pass


def test_it_asks_for_a_session_that_is_kept_and_for_no_more_than_it_can_hold() -> None:
    async def story(broker: Broker) -> None:
        async with line_to(broker, nothing, user="gateway", password="secret-word"):  # noqa: S106
            (connect,) = await broker.heard(wire.CONNECT)
            (subscribe,) = await broker.heard(wire.SUBSCRIBE)
        assert connect[:7] == b"\0\4MQTT\5"
        assert connect[7] & 0b10 == 0  # no clean start (3.1.2.4)
        assert b"\x11" + SESSION_S.to_bytes(4, "big") in connect
        assert b"\x21" + MOST_UNANSWERED.to_bytes(2, "big") in connect
        assert b"gateway" in connect
        assert b"secret-word" in connect
        assert wire.filters(subscribe, has_options=True) == ["ecgstream/v1/+/+/+"]
        assert subscribe[-1] & 0b11 == 1
        await broker.heard(wire.DISCONNECT)
        assert not [one for one in broker.frames if one.kind == wire.UNSUBSCRIBE]

    told(story)


def test_what_an_older_division_has_subscribed_is_given_up_behind_our_own() -> None:
    async def story(broker: Broker) -> None:
        broker.connack = b"\1\0"  # there is a session
        share = Share(2, 4)
        async with line_to(broker, nothing, share):
            unsubscribed = await broker.heard(wire.UNSUBSCRIBE, 7)
        subscribed = await broker.heard(wire.SUBSCRIBE, 3)
        wanted = [one for body in subscribed for one in wire.filters(body, has_options=True)]
        others = [one for body in unsubscribed for one in wire.filters(body, has_options=False)]
        assert (wanted, others) == (share.wanted(), share.unwanted())
        kinds = [one.kind for one in broker.frames]
        assert kinds.index(wire.UNSUBSCRIBE) > kinds.index(wire.SUBSCRIBE) + 2

    told(story)


def test_messages_come_in_order_and_are_acknowledged_by_their_numbers() -> None:
    async def story(broker: Broker) -> None:
        found: list[Arrived] = []
        async with line_to(broker, found.append) as line:
            broker.say(
                publish(9, TOPIC, b"first", content_type="application/json"),
                publish(3, TOPIC, b"second", retain=True),
                publish(0, TOPIC, b"third", qos=0),
                publish(4, TOPIC, b""),
            )
            async with asyncio.timeout(30):
                while len(found) < 4:
                    await asyncio.sleep(0)
            for number in (9, 3, 4):
                line.acknowledge(number)
            acknowledged = await broker.heard(wire.PUBACK, 3)
        assert found == [
            Arrived(9, TOPIC, b"first", "application/json", is_retained=False),
            Arrived(3, TOPIC, b"second", "", is_retained=True),
            Arrived(0, TOPIC, b"third", "", is_retained=False),
            Arrived(4, TOPIC, b"", "", is_retained=False),
        ]
        assert [int.from_bytes(one[:2], "big") for one in acknowledged] == [9, 3, 4]

    told(story)


def test_a_message_that_others_would_find_malformed_ends_no_line() -> None:
    async def story(broker: Broker) -> None:
        found: list[Arrived] = []
        async with line_to(broker, found.append):
            odd = wire.text(TOPIC) + b"\0\1" + b"\2" + b"\1\2" + b"first"  # payload format indicator 2
            broker.say(frame(wire.PUBLISH, odd, 2), publish(2, TOPIC, b"second", content_type="\ufeff"))
            broker.say(publish(3, TOPIC, b"third"))
            async with asyncio.timeout(30):
                while len(found) < 3:
                    await asyncio.sleep(0)
        assert [one.payload for one in found] == [b"first", b"second", b"third"]

    told(story)


def test_by_tls_long_messages_and_many_at_once_come_whole(tmp_path: Path) -> None:
    authority = Authority.make("ours")
    own = authority.issue("127.0.0.1", tmp_path / "broker.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own)
    trusting = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ours.pem")))

    async def story(broker: Broker) -> None:
        found: list[Arrived] = []
        async with line_to(broker, found.append, tls=trusting):
            broker.say(*(publish(n, TOPIC, bytes([n]) * (50_000 if n % 50 else 10)) for n in range(1, 201)))
            async with asyncio.timeout(30):
                while len(found) < 200:
                    await asyncio.sleep(0)
        assert [(one.number, set(one.payload)) for one in found] == [(n, {n}) for n in range(1, 201)]

    told(story, server)


@pytest.mark.parametrize(
    ("connack", "suback", "said"),
    [
        (b"\0\x87", b"\1", "lets us not in: Not authorized"),
        (b"\0\0", b"\x87", "refuses the subscription: Not auth"),
    ],
)
def test_a_broker_that_refuses_is_quoted_and_no_password(connack: bytes, suback: bytes, said: str) -> None:
    async def story(broker: Broker) -> None:
        broker.connack, broker.suback = connack, suback
        line = line_to(broker, nothing, user="gateway", password="secret-word")  # noqa: S106
        with pytest.raises(LineError, match=said) as refused:
            await line.__aenter__()
        assert "secret-word" not in f"{refused.value!r}"

    told(story)
    assert "secret-word" not in repr(Address("broker", 1883, "gw", "gateway", "secret-word"))


def test_where_nobody_listens_and_where_nobody_answers_there_is_no_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)

    async def story(broker: Broker) -> None:
        broker.answers = False
        with pytest.raises(LineError, match="does not answer"):
            await line_to(broker, nothing).__aenter__()
        for host, port in (("127.0.0.1", 1), ("a" * 70, 1883)):
            with pytest.raises(LineError, match="cannot be reached"):
                await Line(Address(host, port, "gw"), ALL, nothing).__aenter__()

    told(story)


def test_a_broker_that_hangs_up_or_says_farewell_ends_the_line() -> None:
    async def story(broker: Broker) -> None:
        async with line_to(broker, nothing) as line:
            broker.hang_up()
            await line.lost
        async with line_to(broker, nothing) as line:
            broker.say(frame(wire.DISCONNECT, b"\x8e\0"))
            assert await line.lost == "Session taken over"

    told(story)


def test_a_broker_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_S", 1)
    monkeypatch.setattr(module, "_TURN_S", 0.1)

    async def story(broker: Broker) -> None:
        async with line_to(broker, nothing) as line:
            await broker.heard(wire.PINGREQ, 2)
            assert not line.lost.done()
            broker.answers = False
            assert "Keep alive" in await line.lost

    told(story)


def test_a_fault_in_what_is_done_with_a_message_ends_the_line() -> None:
    async def story(broker: Broker) -> None:
        def fails(_: Arrived) -> None:
            raise KeyError("Jane Doe")

        async with line_to(broker, fails) as line:
            broker.say(publish(1, TOPIC, b""))
            assert await line.lost == "the line broke: KeyError"

    told(story)


GOOD = publish(1, TOPIC, b"payload", content_type="application/json")
DAMAGED = st.builds(
    lambda at, byte: [GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]],
    st.integers(0, len(GOOD) - 1),
    st.integers(0, 255),
)
FRAMES = st.binary(min_size=1, max_size=40) | st.builds(frame, st.integers(0, 15), st.binary(max_size=40))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAMES, max_size=5) | DAMAGED)
def test_whatever_a_broker_sends_the_line_goes_on_or_ends(frames: list[bytes]) -> None:
    async def story(broker: Broker) -> None:
        async with line_to(broker, nothing) as line:
            broker.say(*frames, b"")
            broker.say(frame(wire.DISCONNECT, b"\0\0"))
            broker.hang_up()
            await line.lost

    told(story)
