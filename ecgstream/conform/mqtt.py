"""What patches rely on: a broker of MQTT 5 with a gateway behind it, as docs/devices-mqtt.md says it.

A device hears from the broker alone. So what is asked is whether the broker has what a device sends and has
somebody to give it to, and whether it keeps devices apart. Reason codes are OASIS MQTT 5.0's, 2.4.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from devices.http import write
from devices.http.forms import JSON_TYPE
from devices.http.records import AVRO_TYPE
from devices.mqtt.content import MOST_BYTES
from devices.mqtt.topics import ROOT, Kind
from ecgstream.conform.checks import Check, UnmetError, met
from ecgstream.conform.signal import STRANGER, Signal
from ecgstream.speaking.link import Access, LinkDownError
from ecgstream.speaking.mqtt import NOBODY, OK, REFUSED_FROM, Line

LISTENING_S = 3.0


class MqttChecks:
    """The checks; each has a line of its own.

    Args:
        connect: makes a line to the broker, by what a device is known by.
        access: of the device.
        shard: of the device.
    """

    def __init__(self, connect: Callable[[Access], Line], access: Access, shard: int) -> None:
        self._connect = connect
        self._access = access
        self._shard = shard
        self._signal = Signal(access.device)

    def checks(self) -> list[Check]:
        """Return them in the order in which they are asked."""
        return [
            ("a device comes in with its key as password", self._enters),
            ("another password does not let it in", self._wrong_password),
            ("a second of four leads, as JSON, reaches a gateway's session", self._packet),
            ("a second by its content type as Avro does", self._avro),
            ("a number does", self._number),
            ("a status is kept for who comes later (retained)", self._status),
            (f"messages of {MOST_BYTES:,} bytes are let through, by QoS 1", self._limits),
            ("what is published as another device is refused", self._as_another),
            ("what is published under another root is refused", self._elsewhere),
            ("what others publish cannot be listened to", self._listening),
        ]

    def _enters(self) -> None:
        with self._line():
            pass

    def _wrong_password(self) -> None:
        try:
            self._connect(replace(self._access, device_key="conform-no-such-key")).close()
        except LinkDownError:
            return
        raise UnmetError("it is let in")

    def _packet(self) -> None:
        self._is_taken(Kind.PACKETS, write.packets([self._signal.packet()]), JSON_TYPE)

    def _avro(self) -> None:
        self._is_taken(Kind.PACKETS, write.records([self._signal.packet()]), AVRO_TYPE)

    def _number(self) -> None:
        self._is_taken(Kind.VITALS, write.vitals([self._signal.vital()]), JSON_TYPE)

    def _status(self) -> None:
        with self._line() as line:
            met(
                getattr(line.granted, "RetainAvailable", 1),
                "Retain Available is 0",
            )
            for said in (b"online", b"offline"):
                why = line.publish(line.topic(Kind.STATUS), said, retain=True)
                met(why in (OK, NOBODY), f"reason {why}")

    def _limits(self) -> None:
        with self._line() as line:
            longest = getattr(line.granted, "MaximumPacketSize", 2**28)
            quality = getattr(line.granted, "MaximumQoS", 2)
        met(longest > MOST_BYTES, f"Maximum Packet Size is {longest:,}")
        met(quality >= 1, "Maximum QoS is 0")

    def _as_another(self) -> None:
        self._is_kept_out(f"{ROOT}/{self._shard}/{STRANGER}/packets")

    def _elsewhere(self) -> None:
        self._is_kept_out("conform/somewhere")

    def _listening(self) -> None:
        own = f"{ROOT}/{self._shard}/{self._access.device}/"
        with self._line() as line:
            for topic in (f"{ROOT}/#", "#"):
                line.subscribe(topic)  # a broker may grant it, and yet give nothing
            time.sleep(LISTENING_S)
            others = [topic for topic in line.heard if not topic.startswith(own)]
        met(not others, f"{len(others)} messages of others came in {LISTENING_S:g} s")

    # -- what they are made of

    @contextmanager
    def _line(self) -> Iterator[Line]:
        with closing(self._connect(self._access)) as line:
            yield line

    def _is_taken(self, kind: Kind, payload: bytes, content_type: str) -> None:
        with self._line() as line:
            why = line.publish(line.topic(kind), payload, content_type)
        met(why != NOBODY, "the broker has nobody to give it to (reason 16): no gateway has this shard")
        met(why == OK, f"reason {why}")

    def _is_kept_out(self, topic: str) -> None:
        with self._line() as line:
            why = line.publish(topic, b"{}", JSON_TYPE)
        met(why >= REFUSED_FROM, f"the broker takes it (reason {why})")
