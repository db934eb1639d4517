"""A patch's way by MQTT 5: it publishes to a broker, and hears whether somebody takes it from there."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.http import write
from devices.http.forms import JSON_TYPE
from devices.mqtt.topics import ROOT, Kind
from ecgstream.addresses import Place
from ecgstream.speaking.link import PATIENCE_S, Access, LinkDownError, Told
from schemas.records import Packet, Vital

OK, NOBODY, REFUSED_FROM = 0, 16, 128
NEVER = {135: "not authorized", 144: "the topic is refused", 149: "too long", 153: "the payload is refused"}
"""Reason codes (MQTT 5, 3.4.2.1) behind which the same message is refused again."""
_KEEPALIVE_S = 20
_QOS = 1


class Line:
    """A connection of a device to a broker; its password there is the device's key.

    Attributes:
        granted: what the broker has said of itself in CONNACK.
        heard: topics of messages that came.

    Raises:
        LinkDownError: nobody is there, or it does not let the device in.
    """

    def __init__(self, broker: Place, access: Access, shard: int) -> None:
        self._root = f"{ROOT}/{shard}/{access.device}"
        self._told = threading.Condition()
        self._why: dict[int, int] = {}
        self._entered: int | None = None
        self.granted: Any = None
        self.heard: list[str] = []
        self._client = self._made(broker, access)
        try:
            self._client.connect(broker.host, broker.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise LinkDownError(str(error)) from None
        self._client.loop_start()
        try:
            why = self._wait(lambda: self._entered)
        except LinkDownError:
            self.close()
            raise
        if why != OK:
            self.close()
            raise LinkDownError(f"the broker does not let {access.device} in (reason {why})")

    def topic(self, kind: Kind) -> str:
        """Return the device's own topic."""
        return f"{self._root}/{kind}"

    def publish(self, topic: str, payload: bytes, content_type: str = "", *, retain: bool = False) -> int:
        """Publish by QoS 1; return the reason code of the acknowledgement.

        Raises:
            LinkDownError: there was none.
        """
        said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            said.ContentType = content_type
        number = self._client.publish(topic, payload, _QOS, retain=retain, properties=said).mid
        return self._wait(lambda: self._why.pop(number, None))

    def subscribe(self, topic: str) -> int:
        """Subscribe; return the reason code of the acknowledgement."""
        number = self._client.subscribe(topic, _QOS)[1]
        return self._wait(lambda: self._why.pop(-(number or 0), None))

    def close(self) -> None:
        """Take leave."""
        with suppress(OSError):
            self._client.disconnect()
        self._client.loop_stop()

    def _made(self, broker: Place, access: Access) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            access.device,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        if access.device_key:
            client.username_pw_set(access.device, access.device_key)
        if broker.is_secure:
            client.tls_set_context(access.tls())
        client.will_set(f"{self._root}/{Kind.STATUS}", b"offline", _QOS, retain=True)
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self.heard.append(message.topic)
        client.on_disconnect = lambda *_: self._tell(0, REFUSED_FROM)
        client.on_publish = lambda _client, _data, number, why, _said: self._tell(number, why.value)
        client.on_subscribe = lambda _client, _data, number, said, _: self._tell(-number, said[0].value)
        return client

    def _on_connect(self, _client: Client, _data: object, _flags: Any, why: Any, said: Any) -> None:
        with self._told:
            self._entered, self.granted = why.value, said
            self._told.notify()

    def _tell(self, number: int, why: int) -> None:
        with self._told:
            self._why[number] = why
            self._told.notify()

    def _wait(self, found: Any) -> int:
        """Return what ``found`` does, once it is not None."""
        with self._told:
            got: list[int] = []

            def is_there() -> bool:
                one = found()
                if one is not None:
                    got.append(one)
                return bool(got) or 0 in self._why

            self._told.wait_for(is_there, PATIENCE_S)
        if not got:
            raise LinkDownError("the line was lost" if 0 in self._why else f"nothing in {PATIENCE_S:g} s")
        return got[0]


class MqttLink:
    """See ``Link``; ``connect`` makes a line to the broker."""

    most = 8  # so that a payload is short enough for small brokers

    def __init__(self, connect: Callable[[], Line]) -> None:
        self._make = connect
        self._line: Line | None = None

    def send(self, packets: Sequence[Packet], vitals: Sequence[Vital]) -> Told:
        """Publish both, each as one message."""
        refused: list[str] = []
        if packets:
            refused += self._published(Kind.PACKETS, write.packets(packets), len(packets))
        if vitals:
            refused += self._published(Kind.VITALS, write.vitals(vitals), len(vitals))
        return Told(len(packets) + len(vitals) - len(refused), tuple(refused))

    def _published(self, kind: Kind, payload: bytes, count: int) -> list[str]:
        """Return why a message is refused, once for each of its items."""
        try:
            if self._line is None:
                self._line = self._make()
                self._line.publish(self._line.topic(Kind.STATUS), b"online", retain=True)
            why = self._line.publish(self._line.topic(kind), payload, JSON_TYPE)
        except LinkDownError:
            self.close()
            raise
        if why in NEVER:
            return [NEVER[why]] * count
        if why != OK:
            raise LinkDownError("no gateway takes it from the broker" if why == NOBODY else f"reason {why}")
        return []

    def close(self) -> None:
        """Take leave, and say so."""
        if self._line is not None:
            with suppress(LinkDownError):
                self._line.publish(self._line.topic(Kind.STATUS), b"offline", retain=True)
            self._line.close()
        self._line = None
