"""The sender's thread: order, bounds, and what it does with whatever a channel does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from alerts.notify import NotifyError, Page, Reason
from ecgstream.pager.sender import ROOM, Sender, Tried
from schemas.records import Priority

PATIENCE_S = 20.0


def page(key: str, priority: Priority = Priority.HIGH) -> Page:
    return Page(key, "RAISED", f"alert {key}", "dev-1", "P-1", "ASYSTOLE", priority, "text", 0, 0)


class Channel:
    """Takes pages one by one, each when it is let through."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.arrived = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.fails: dict[str, Exception] = {}

    def send(self, page: Page) -> None:
        self.arrived.release()
        assert self.let.acquire(timeout=PATIENCE_S)
        if error := self.fails.pop(page.key, None):
            raise error
        self.taken.append(page.key)


@contextmanager
def sending(channel: Channel) -> Iterator[Sender]:
    sender = Sender(channel.send)
    try:
        yield sender
    finally:
        channel.let.release(1000)
        sender.stop()


def results(sender: Sender, n: int) -> list[Tried]:
    found: list[Tried] = []
    until(lambda: len(found.__iadd__(sender.tried())) >= n)
    return found


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_higher_priority_goes_first_then_what_is_due_for_longer() -> None:
    channel = Channel()
    with sending(channel) as sender:
        sender.offer(page("first"), 5, 0)
        assert channel.arrived.acquire(timeout=PATIENCE_S)  # it is being tried; the others wait behind it
        sender.offer(page("medium", Priority.MEDIUM), 1, 0)
        sender.offer(page("later"), 3, 0)
        sender.offer(page("sooner"), 2, 0)
        channel.let.release(4)
        assert [tried.page.key for tried in results(sender, 4)] == ["first", "sooner", "later", "medium"]
    assert channel.taken == ["first", "sooner", "later", "medium"]


def test_while_a_channel_hangs_nobody_waits_and_what_waits_is_bounded() -> None:
    channel = Channel()
    with sending(channel) as sender:
        began = time.monotonic()
        sender.offer(page("hangs"), 0, 0)
        assert channel.arrived.acquire(timeout=PATIENCE_S)
        for n in range(ROOM):
            assert sender.room() > 0
            sender.offer(page(f"p-{n}"), n, 0)
        assert sender.room() == 0
        assert sender.tried() == []
        assert sender.holds("hangs")
        assert sender.holds("p-3")
        assert time.monotonic() - began < PATIENCE_S / 2


def test_a_key_is_held_until_its_attempt_is_reported() -> None:
    channel = Channel()
    with sending(channel) as sender:
        channel.let.release()
        sender.offer(page("a"), 0, 3)
        until(lambda: channel.taken == ["a"])
        assert sender.holds("a")
        assert results(sender, 1) == [Tried(page("a"), 3, None)]
        assert not sender.holds("a")


def test_an_error_is_reported_and_the_next_page_is_sent() -> None:
    channel = Channel()
    error = NotifyError(Reason.TIMEOUT, retryable=True)
    channel.fails = {"a": error, "b": RuntimeError("http://secret")}
    with sending(channel) as sender:
        channel.let.release(3)
        for n, key in enumerate("abc"):
            sender.offer(page(key), n, 0)
        first, second, third = results(sender, 3)
    assert first.error is error
    assert second.error is not None
    assert (second.error.reason, second.error.retryable) == (Reason.OTHER, True)
    assert third.error is None


def test_nothing_of_what_a_broken_channel_says_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    channel = Channel()
    channel.fails = {"a": RuntimeError("http://secret")}
    with sending(channel) as sender:
        channel.let.release()
        sender.offer(page("a"), 0, 0)
        results(sender, 1)
    said = "".join(capsys.readouterr())
    assert "channel_broken" in said
    assert "secret" not in said


def test_pages_of_partitions_that_are_another_s_are_left_to_it() -> None:
    channel = Channel()
    with sending(channel) as sender:
        sender.offer(page("tried"), 0, 1)
        assert channel.arrived.acquire(timeout=PATIENCE_S)
        sender.offer(page("lost"), 1, 1)
        sender.offer(page("kept"), 2, 2)
        sender.keep_only({2})
        assert not sender.holds("lost")
        channel.let.release(2)
        assert [tried.page.key for tried in results(sender, 2)] == ["tried", "kept"]


def test_it_ends_behind_what_it_is_trying_and_reports_that() -> None:
    channel = Channel()
    sender = Sender(channel.send)
    sender.offer(page("under way"), 0, 0)
    assert channel.arrived.acquire(timeout=PATIENCE_S)
    sender.offer(page("waits"), 1, 0)
    ended = threading.Thread(target=sender.stop)
    ended.start()
    channel.let.release()
    ended.join(PATIENCE_S)
    assert channel.taken == ["under way"]
    assert [tried.page.key for tried in sender.tried()] == ["under way"]
    assert not sender._thread.is_alive()
