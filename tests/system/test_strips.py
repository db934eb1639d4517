"""A page by e-mail that shows the ECG, read from a closed broker; one that cannot comes all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
)
from matplotlib.image import imread

from alerts.paper import PIXELS_PER_MM
from ecgstream import clients
from ecgstream.broker.access import Service
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import ECG_KIND, Channel, Packet, Phase
from schemas.units import MILLIVOLT
from tests.alerts.channels.mailbox import Mailbox, address, listening
from tests.system.closed_kafka import ADMIN, Closed, closed_kafka
from tests.system.conftest import started
from tests.system.pager_ward import SECOND, SESSION, PagerProcess, condition, until

RATE, GAIN = 250, 200.0
PARTITION = 1
BEFORE_S, AFTER_S = 7, 3
TRIES = 6
"""A machine may be too busy to draw in time; then a page goes without its strip, as it should."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    broker = closed_kafka(folder)
    address = started(broker)
    try:
        yield Closed(folder, address)
    finally:
        broker.stop()


class Clinic:
    """A pager that pages by e-mail, and devices whose conditions it is told of."""

    def __init__(self, closed: Closed, mailbox: Mailbox, port: int, folder: Path) -> None:
        contacts = folder / "contacts.toml"
        contacts.write_text(f'[channels.mail]\nkind = "mailtos"\n\n[people.li]\nmail = "{address(port)}"\n')
        contacts.chmod(0o600)
        self.log = folder / "log"
        self.mailbox = mailbox
        self.gateway = clients.producer(closed.of(Service.GATEWAY))
        self.worker = clients.producer(closed.of(Service.WORKER))
        self.pager = PagerProcess(closed.of(Service.PAGER, contacts=contacts), "", self.log)

    def said(self) -> str:
        return self.log.read_text()

    def end(self) -> int:
        for producer in (self.gateway, self.worker):
            producer.close(timeout=10)
        return self.pager.end()

    def page(self, device: str) -> EmailMessage:
        """Let a device send its ECG and fall into a condition; return the page of it."""
        for second in range(-10, 5):
            send(self.gateway, topics.INGEST.name, bundle(device, second))
        self.gateway.flush(10)
        evidence = {"quality_lead_1": 0.0, "quality_lead_2": 0.9}
        told = replace(condition(device, Phase.ONSET, 4), partition=PARTITION, evidence=evidence)
        send(self.worker, topics.CONDITIONS.name, encode(told))
        self.worker.flush(10)
        found: list[EmailMessage] = []
        until(lambda: bool(found.__iadd__(m for m in self.mailbox.taken if device in text(m))), self.said)
        return found[0]


@pytest.fixture
def clinic(closed: Closed, tmp_path: Path) -> Iterator[Clinic]:
    mailbox = Mailbox()
    with listening(mailbox) as port:
        made = Clinic(closed, mailbox, port, tmp_path)
        try:
            until(lambda: "alerts_rebuilt" in made.said() and "strips_ready" in made.said(), made.said)
            yield made
        finally:
            ended = made.end()
    assert ended == 0, made.said()


def send(producer: KafkaProducer, topic: str, value: bytes) -> None:
    producer.send(topic, value, partition=PARTITION)


def bundle(device: str, second: int) -> bytes:
    """A second of noise in lead I, and in lead II of nothing but 1 mV for 40 ms in its middle."""
    packets = []
    for name in (device, f"{device}-neighbour"):
        noise = np.random.default_rng(second + 100).integers(-300, 300, RATE).astype(np.int16)
        beat = np.zeros(RATE, np.int16)
        beat[RATE // 2 : RATE // 2 + 10] = GAIN if name == device else -GAIN
        channels = [
            Channel(mdc.LEADS[lead], ECG_KIND, MILLIVOLT, RATE, GAIN, samples)
            for lead, samples in (("I", noise), ("II", beat))
        ]
        begin_ns = SESSION + second * SECOND
        packets.append(Packet(name, SESSION, 10 + second, (10 + second) * RATE, begin_ns, begin_ns, channels))
    return encode(Bundle.of("gw-1", PARTITION, time.time_ns(), packets, []))


def text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def attached(message: EmailMessage, kind: str) -> list[bytes]:
    return [part.get_content() for part in message.walk() if part.get_content_type() == kind]


def heights_mm(picture: bytes, at_s: list[float]) -> list[float]:
    """How high the trace of a strip of one lead reaches, at seconds of it; from its lower edge."""
    pixels = imread(BytesIO(picture))
    black = (pixels[..., :3] < 0.4).all(axis=-1)
    black[: 15 * PIXELS_PER_MM] = False  # the words above the paper
    found = []
    for second in at_s:
        x = round((4 + 20 + 25 * second) * PIXELS_PER_MM)
        rows = np.flatnonzero(black[:, x - 1 : x + 2].any(axis=1))
        found.append((black.shape[0] - rows[0]) / PIXELS_PER_MM)
    return found


@pytest.mark.timeout(240)
def test_a_page_by_mail_shows_the_signal_of_its_device(clinic: Clinic) -> None:
    pictures: list[bytes] = []
    for n in range(TRIES):
        page = clinic.page(f"shown-{n}")
        if pictures := attached(page, "image/png"):
            break
    (picture,) = pictures
    (paper,) = attached(page, "application/pdf")
    assert paper.startswith(b"%PDF")
    beats = [second + 0.52 for second in range(BEFORE_S + AFTER_S)]
    between = [second + 0.9 for second in range(BEFORE_S + AFTER_S)]
    over = np.array(heights_mm(picture, beats)) - heights_mm(picture, between)
    np.testing.assert_allclose(over, 10.0, atol=0.6)


@pytest.mark.timeout(240)
def test_a_pager_that_may_not_read_the_signal_any_more_pages_without_it(
    clinic: Clinic, closed: Closed
) -> None:
    ingest = ResourcePatternFilter(ResourceType.TOPIC, topics.INGEST.name, ACLResourcePatternType.LITERAL)
    right = ACLFilter(
        f"User:{closed.user(Service.PAGER)}", None, ACLOperation.READ, ACLPermissionType.ALLOW, ingest
    )
    with closed.somebody(ADMIN) as admin:
        admin.admin.delete_acls([right])
    page = clinic.page("not-shown")
    assert attached(page, "image/png") == attached(page, "application/pdf") == []
    until(lambda: "strip_lacking" in clinic.said(), clinic.said)
    assert "AuthorizationFailedError" in clinic.said()
