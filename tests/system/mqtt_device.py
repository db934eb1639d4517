"""A device that publishes by MQTT: a second of signal after the other, as fast as the broker has them."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import numpy as np
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.http.records import AVRO_TYPE
from schemas import codec, mdc
from schemas.records import ECG_KIND, Channel, Packet
from schemas.units import MILLIVOLT
from tests.system.mosquitto import Mosquitto, password
from tests.system.test_receive import NS, RATE, packet, samples

AT_ONCE = 20


class Device:
    """A device; ``answered`` are the seconds that the broker has acknowledged, without a hole."""

    def __init__(self, broker: Mosquitto, name: str, shard: int, *, by_avro: bool = False) -> None:
        self.name, self.shard, self.by_avro = name, shard, by_avro
        self.session = time.time_ns()
        self.answered = 0
        self.reasons: list[str] = []
        self._acknowledged: set[int] = set()
        self._changed = threading.Condition()
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set(name, password(name))
        self.client.tls_set_context(broker.tls)
        self.client.will_set(self.topic("status"), b"offline", qos=1, retain=True)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_publish = self._on_publish
        self._is_there = threading.Event()
        self.client.on_connect = lambda *_: self._is_there.set()
        self.client.connect("127.0.0.1", broker.port, keepalive=10)
        self.client.loop_start()
        assert self._is_there.wait(60)
        self.publish("status", b"online", retain=True).wait_for_publish(60)

    def topic(self, kind: str) -> str:
        return f"ecgstream/v1/{self.shard}/{self.name}/{kind}"

    def publish(
        self, kind: str, payload: bytes, *, topic: str = "", content_type: str = "", retain: bool = False
    ) -> MQTTMessageInfo:
        said = Properties(PacketTypes.PUBLISH)
        if content_type:
            said.ContentType = content_type
        return self.client.publish(topic or self.topic(kind), payload, qos=1, retain=retain, properties=said)

    def send(self, seq: int) -> MQTTMessageInfo:
        if not self.by_avro:
            said: Any = {"packets": [packet(self.name, self.session, seq)]}
            return self.publish("packets", json.dumps(said).encode())
        lead = Channel(mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE, 200.0, samples(seq * RATE))
        at = self.session + seq * NS
        one = codec.encode(Packet(self.name, self.session, seq, seq * RATE, at, 0, [lead]))
        return self.publish("packets", len(one).to_bytes(4, "big") + one, content_type=AVRO_TYPE)

    def _on_publish(self, _client: Client, _data: object, mid: int, why: object, _properties: object) -> None:
        with self._changed:
            self.reasons.append(str(why))
            self._acknowledged.add(mid)
            self._changed.notify_all()

    def has(self, sent: MQTTMessageInfo, patience_s: float) -> bool:
        """Whether the broker has a message; what is published without a line, paho sends with the next."""
        with self._changed:
            there = self._changed.wait_for(lambda: sent.mid in self._acknowledged, patience_s)
            self._acknowledged.discard(sent.mid)
        return there

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self) -> None:
        """Be gone without a farewell."""
        self.client.reconnect_delay_set(300, 300)
        sock = self.client.socket()
        assert sock is not None
        sock.shutdown(socket.SHUT_RDWR)


class Sender(threading.Thread):
    """Lets a device send until it is told to stop, and until the broker has all of it."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device
        self.over = threading.Event()

    def run(self) -> None:
        sent: list[MQTTMessageInfo] = []
        while not self.over.wait(0.002):  # some hundred seconds a second are enough
            sent.append(self.device.send(self.device.answered + len(sent)))
            while sent and self.device.has(sent[0], 120 if len(sent) >= AT_ONCE else 0):
                sent.pop(0)
                self.device.answered += 1
        for one in sent:
            assert self.device.has(one, 120)
            self.device.answered += 1


def whole(packets: dict[tuple[int, int], Packet], device: Device) -> bool:
    """Whether all seconds of a device are there that were answered, each as it was."""
    ours = {seq: one for (session, seq), one in packets.items() if session == device.session}
    return sorted(ours) == list(range(device.answered)) and all(
        np.array_equal(one.channels[0].samples, samples(seq * RATE)) for seq, one in ours.items()
    )
