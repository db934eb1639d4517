"""The strip of an alert: drawn once, in time or not at all, and never at the cost of a page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError
from prometheus_client import REGISTRY

from alerts.ecg import Signal
from alerts.notify import Page, Strip
from alerts.page import page_of
from ecgstream.clock import SignalClock
from ecgstream.pager.sender import Sender
from ecgstream.strips import strips as module
from ecgstream.strips.strips import KEPT, Lack, Strips
from schemas.records import Alert, Notification, NotificationState
from tests.ecgstream.strips.published import ALERT, FakeReader, packets

PATIENCE_S = 20.0


@pytest.fixture
def reader() -> FakeReader:
    made = FakeReader()
    made.send(packets(range(60)))
    return made


@pytest.fixture
def strips(reader: FakeReader) -> Iterator[Strips]:
    made = Strips(reader, SignalClock(1.0, None))
    yield made
    reader.let.set()
    made.close()
    assert reader.closed


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Signal, str, str, int]]:
    """What is drawn, without drawing it."""
    found: list[Any] = []

    def draw(*what: Any) -> Strip:
        found.append(what)
        return Strip(b"png", b"pdf", f"strip {len(found)}")

    monkeypatch.setattr(module, "_warm_up", lambda: None)
    monkeypatch.setattr(module, "_drawn", draw)
    return found


def soon() -> float:
    return time.monotonic() + PATIENCE_S


def lacking(lack: Lack) -> float:
    name = "ecgstream_strips_lacking_total"
    return REGISTRY.get_sample_value(name, {"reason": str(lack)}) or 0.0


def test_an_alert_has_a_picture_and_a_paper_of_its_leads(strips: Strips) -> None:
    strip = strips.of(ALERT, soon())
    assert strip is not None
    assert (strip.png[:4], strip.pdf[:4]) == (b"\x89PNG", b"%PDF")
    assert strip.alt == "ECG, leads I, II, 10 s around 2023-11-14T22:13:40.000Z, 25 mm/s, 10 mm/mV"


def test_the_caption_names_condition_device_place_and_pseudonym(drawn: list[Any], strips: Strips) -> None:
    strips.of(ALERT, soon())
    (what,) = drawn
    assert what[1:] == (
        "!!! Asystole",
        "device mon-17 at centre.ward_3, patient P-7F3A",
        ALERT.onset_ns,
    )


def test_many_who_ask_at_once_get_what_is_drawn_once(
    drawn: list[Any], strips: Strips, reader: FakeReader
) -> None:
    reader.let.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(strips.of, ALERT, soon()) for _ in range(8)]
        reader.let.set()
        found = {one.result() for one in asked}
    assert found == {Strip(b"png", b"pdf", "strip 1")}
    assert strips.of(ALERT, soon()) in found
    assert (len(drawn), len(reader.asked)) == (1, 1)


def test_what_was_not_whole_is_drawn_anew_later(
    drawn: list[Any], strips: Strips, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reader.log.copy()
    reader.log.clear()
    reader.send(packets(range(22)))
    first = strips.of(ALERT, soon())
    assert strips.of(ALERT, soon()) is first
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    reader.log.update(whole)
    second = strips.of(ALERT, soon())
    assert (first, second) == (Strip(b"png", b"pdf", "strip 1"), Strip(b"png", b"pdf", "strip 2"))
    assert strips.of(ALERT, soon()) is second


def test_what_could_not_be_had_is_tried_anew_later_but_not_at_once(
    drawn: list[Any], strips: Strips, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.fails = TopicAuthorizationFailedError("ecg.ingest")
    assert strips.of(ALERT, soon()) is None
    reader.fails = None
    assert strips.of(ALERT, soon()) is None
    assert len(reader.asked) == 1
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    assert strips.of(ALERT, soon()) is not None


def test_nobody_waits_longer_than_it_said_and_what_is_ready_later_is_for_the_next(
    drawn: list[Any], strips: Strips, reader: FakeReader
) -> None:
    before = lacking(Lack.LATE)
    reader.let.clear()
    began = time.monotonic()
    assert strips.of(ALERT, began + 0.2) is None
    assert time.monotonic() - began > 0.15
    assert lacking(Lack.LATE) == before + 1
    reader.let.set()
    assert strips.of(ALERT, soon()) == Strip(b"png", b"pdf", "strip 1")
    assert strips.of(ALERT, time.monotonic() - 1) == Strip(b"png", b"pdf", "strip 1")


def test_for_who_cannot_wait_nothing_is_begun(drawn: list[Any], strips: Strips, reader: FakeReader) -> None:
    assert strips.of(ALERT, time.monotonic() - 1) is None
    reader.let.clear()
    waiting = threading.Thread(target=strips.of, args=(ALERT, soon()))
    waiting.start()
    other = replace(ALERT, id="another")
    assert strips.of(other, time.monotonic() + 0.1) is None  # it waits behind the first until nobody does
    time.sleep(0.1)
    reader.let.set()
    waiting.join(PATIENCE_S)
    assert strips.of(replace(ALERT, id="a third"), soon()) is not None
    assert len(reader.asked) == len(drawn) == 2


@pytest.mark.parametrize("lack", [Lack.NO_SIGNAL, Lack.UNREADABLE, Lack.BROKEN])
def test_why_there_is_none_is_counted_and_said_without_a_secret(
    lack: Lack,
    drawn: list[Any],
    strips: Strips,
    reader: FakeReader,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alert = ALERT
    if lack is Lack.NO_SIGNAL:
        alert = replace(ALERT, device="mon-18")
    elif lack is Lack.UNREADABLE:
        reader.fails = TopicAuthorizationFailedError("secret")
    else:
        monkeypatch.setattr(module, "_drawn", lambda *_: 1 / 0)
    before = lacking(lack)
    assert strips.of(alert, soon()) is None
    assert lacking(lack) == before + 1
    said = "".join(capsys.readouterr())
    assert "strip_lacking" in said
    assert str(lack) in said
    assert alert.id in said
    assert "secret" not in said


def test_few_strips_are_kept(drawn: list[Any], strips: Strips, reader: FakeReader) -> None:
    for n in range(KEPT + 1):
        strips.of(replace(ALERT, id=f"alert-{n}"), soon())
    assert len(strips._asked) == KEPT
    strips.of(replace(ALERT, id=f"alert-{KEPT}"), soon())
    assert len(drawn) == KEPT + 1
    strips.of(replace(ALERT, id="alert-0"), soon())
    assert len(drawn) == KEPT + 2


def entry(alert: Alert) -> Notification:
    return Notification("key", alert.id, "RAISED", "mail", NotificationState.DUE, 0, "", 0, None, 0)


@pytest.mark.parametrize("trouble", ["", "hangs", "fails", "closed"])
def test_a_page_is_sent_with_its_strip_or_without(
    trouble: str, drawn: list[Any], strips: Strips, reader: FakeReader
) -> None:
    if trouble == "hangs":
        reader.let.clear()
    elif trouble == "fails":
        reader.fails = RuntimeError("whatever")
    elif trouble == "closed":
        strips.close()
    sent: list[Page] = []
    sender = Sender(sent.append)
    page = page_of(ALERT, entry(ALERT))
    until_s = time.monotonic() + (0.2 if trouble == "hangs" else PATIENCE_S)
    sender.offer(page, 0, 0, lambda: strips.of(ALERT, until_s))
    deadline = time.monotonic() + PATIENCE_S
    while not (tried := sender.tried()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sender.stop()
    assert [(one.page, one.error) for one in tried] == [(page, None)]
    (told,) = sent
    assert replace(told, strip=None) == page
    assert told.strip == (None if trouble else Strip(b"png", b"pdf", "strip 1"))
