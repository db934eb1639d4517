"""What devices send in a bench, made beforehand: messages of HL7, bodies of HTTP; and how they send it."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx
import numpy as np

from devices.enrolment import Enrolments
from devices.hl7.mllp import Frames, framed
from devices.hl7.write import report
from devices.http import write
from devices.http.records import AVRO_TYPE
from devices.mqtt.topics import ROOT, Kind
from devices.reading import Reading, Stretch
from ecgstream.bench.broker import Broker
from ecgstream.bench.measure import CannotMeasureError
from schemas import mdc
from schemas.records import ECG_KIND, Channel, Enrolment, Packet
from schemas.units import MILLIVOLT

LEADS, RATE_HZ, GAIN = ("I", "II", "V1", "V5"), 250, 200.0
DEVICES = 50
A_BATCH = 50
"""Packets of a request of HTTP."""
_PATIENCE_S = 120.0
_NS = 1_000_000_000
_HEIGHT, _NOISE = 220, 12  # of the R wave and of the noise, in steps


@dataclass(frozen=True, slots=True)
class Load:
    """What each device sends, each when the one before is answered; ``units``: how many they are of all."""

    sent: list[list[bytes]]
    units: int


def enrolments() -> Enrolments:
    """Return the devices of the bench, each with its key."""
    devices = [
        Enrolment(
            name,
            "",
            "cn",
            shard,
            (),
            hashlib.sha256(key_of(shard)).digest(),
            "",
            disabled=False,
            changed_ns=1,
        )
        for shard, name in enumerate(map(name_of, range(DEVICES)))
    ]
    return Enrolments().changed((one.device, one) for one in devices)


def name_of(device: int) -> str:
    """Return a device's id."""
    return f"bench-{device:03d}"


def key_of(device: int) -> bytes:
    """Return a device's key."""
    return f"key-of-{name_of(device)}".encode()


def packets(device: int, first: int, many: int, session: int) -> list[Packet]:
    """Return packets of a second, of four leads."""
    chance = np.random.default_rng(device)
    beat = _HEIGHT * np.exp(-(((np.arange(RATE_HZ) - RATE_HZ / 2) / 3) ** 2))
    found = []
    for seq in range(first, first + many):
        waves = np.rint(beat + chance.normal(0, _NOISE, (len(LEADS), RATE_HZ))).astype(np.int16)
        leads = [
            Channel(mdc.LEADS[name], ECG_KIND, MILLIVOLT, float(RATE_HZ), GAIN, wave)
            for name, wave in zip(LEADS, waves, strict=True)
        ]
        at = session + seq * _NS
        found.append(Packet(name_of(device), session, seq, seq * RATE_HZ, at, 0, leads))
    return found


def messages(many: int) -> Load:
    """Return so many messages of HL7, each a second of four leads."""
    each = many // DEVICES
    session = _begun(each)
    sent = [[_message(one) for one in packets(device, 0, each, session)] for device in range(DEVICES)]
    return Load(sent, DEVICES * each)


def _begun(seconds: int) -> int:
    """Return when so many seconds began that end now: nothing is sent before it was measured."""
    return time.time_ns() - seconds * _NS


def _message(one: Packet) -> bytes:
    stretch = Stretch(one.start_ns, tuple(one.channels))
    return report(Reading(one.device, f"{one.session}-{one.seq}", one.start_ns, (stretch,)))


def bodies(many: int, body: Callable[[Sequence[Packet]], bytes]) -> Load:
    """Return so many packets as bodies of HTTP, in batches."""
    batches = max(1, many // DEVICES // A_BATCH)
    session = _begun(batches * A_BATCH)
    sent = [
        [body(packets(device, n * A_BATCH, A_BATCH, session)) for n in range(batches)]
        for device in range(DEVICES)
    ]
    return Load(sent, DEVICES * batches * A_BATCH)


def payloads(many: int) -> Load:
    """Return so many packets as payloads of MQTT, each by itself, in Avro."""
    each = many // DEVICES
    session = _begun(each)
    sent = [[write.records([one]) for one in packets(device, 0, each, session)] for device in range(DEVICES)]
    return Load(sent, DEVICES * each)


# -- sending


def by_mllp(port: int, load: Load) -> None:
    """Send messages, each device on its connection; raise ``CannotMeasureError`` where one is not taken."""
    asyncio.run(_together(load, lambda _, sent: _by_mllp(port, sent)))


def by_http(port: int, load: Load, kind: str) -> None:
    """Send bodies, each device on its connection, as ``by_mllp``."""
    asyncio.run(_together(load, lambda device, sent: _by_http(port, device, sent, kind)))


def by_mqtt(broker: Broker, load: Load) -> None:
    """Let a broker give all devices' payloads to its gateway, second by second."""
    topics = [f"{ROOT}/{device}/{name_of(device)}/{Kind.PACKETS}" for device in range(DEVICES)]
    seconds = (zip(topics, second, strict=True) for second in zip(*load.sent, strict=True))
    broker.give((message for second in seconds for message in second), AVRO_TYPE)


async def _together(load: Load, send: Callable[[int, list[bytes]], Awaitable[None]]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        await asyncio.gather(*(send(device, sent) for device, sent in enumerate(load.sent)))


async def _by_mllp(port: int, sent: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    frames = Frames()
    try:
        for message in sent:
            writer.write(framed(message))
            told: list[bytes] = []
            while not told:
                data = await reader.read(65_536)
                if not data:
                    raise CannotMeasureError("the gateway has hung up")
                told = frames.feed(data)
            if b"\rMSA|CA|" not in told[0]:
                raise CannotMeasureError("the gateway does not take a message")
    finally:
        writer.close()


async def _by_http(port: int, device: int, sent: list[bytes], kind: str) -> None:
    headers = {"Authorization": f"Bearer {key_of(device).decode()}", "Content-Type": kind}
    url = f"http://127.0.0.1:{port}/v1/packets"
    async with httpx.AsyncClient(headers=headers, timeout=_PATIENCE_S, trust_env=False) as client:
        for body in sent:
            answer = await client.post(url, content=body)
            if answer.status_code != 200 or b"refused" in answer.content:
                raise CannotMeasureError(f"the gateway does not take a body: {answer.status_code}")
