"""What is noted is told, however the watch ends; and when the dead man's switch is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.channels.webhook import Webhook
from alerts.notify import NotifyError, Page, Reason
from ecgstream.watch.alarms import Alarms
from ecgstream.watch.book import Book
from ecgstream.watch.clock import AwakeClock
from ecgstream.watch.finding import Finding, Verdict
from ecgstream.watch.tell import MAX_BACKOFF_S, Heartbeat, Teller
from schemas.conditions import Code
from tests.ecgstream.watch.receiver import Receiver, until

NS = 1_000_000_000
AWAY = Finding(Code.DATABASE_AWAY, "database", "", 9.0, "The database does not answer.")
THIN = Finding(Code.BROKER_DEGRADED, "copies", "", 9.0, "A copy lacks.")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


class Watch:
    """A watch without eyes: what is wrong is said by the test."""

    def __init__(self, folder: Path) -> None:
        self.book = Book(folder / "book.json")
        self.alarms = Alarms(self.book.alarms())

    def step(self, now_s: float, *findings: Finding) -> list[str]:
        pages = self.alarms.step(Verdict(findings), now_s, round(now_s * NS))
        self.book.note(self.alarms.open.values(), pages)
        return [f"{page.what} {page.condition}" for page in pages]

    def tell(self, receiver: Receiver) -> None:
        """Send until nothing is left."""
        stop = threading.Event()
        teller = Teller(self.book, Webhook(receiver.url()).send, lambda: 0.0)
        thread = threading.Thread(target=teller.run, args=(stop,))
        thread.start()
        until(lambda: not self.book.pages())
        stop.set()
        thread.join()


# -- a watch that is started again


def test_a_watch_that_is_started_again_neither_forgets_nor_repeats(
    receiver: Receiver, tmp_path: Path
) -> None:
    first = Watch(tmp_path)
    assert first.step(100, AWAY) == ["RAISED DATABASE_AWAY"]
    first.tell(receiver)
    second = Watch(tmp_path)
    assert second.step(500, AWAY) == []
    assert second.step(501) == []
    assert second.step(521) == ["ENDED DATABASE_AWAY"]
    second.tell(receiver)
    raised, ended = receiver.pages()
    assert (raised.page["alert"], raised.page["what"]) == (ended.page["alert"], "RAISED")
    assert ended.page["text"].startswith("Over after 430 s. It was: The database")
    third = Watch(tmp_path)
    assert third.alarms.open == {}
    assert third.step(600, AWAY) == ["RAISED DATABASE_AWAY"]
    assert {page.key for page in third.book.pages()}.isdisjoint({raised.key, ended.key})


def test_what_a_killed_watch_had_not_told_is_told_by_the_next_under_the_same_key(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Whether it was killed before the attempt or after: the receiver knows it by the key."""
    killed = Watch(tmp_path)
    killed.step(100, AWAY)
    (page,) = killed.book.pages()
    Webhook(receiver.url()).send(page)
    again = Watch(tmp_path)
    assert again.step(101, AWAY) == []
    again.tell(receiver)
    assert [request.key for request in receiver.requests] == [page.key, page.key]
    assert Watch(tmp_path).book.pages() == ()


def test_what_is_urgent_is_told_first(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.step(100, THIN)
    watch.step(101, THIN, AWAY)
    first = watch.book.next(0)
    assert first is not None
    assert first.condition == "DATABASE_AWAY"


def test_a_full_disk_stops_no_page(receiver: Receiver, tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    (tmp_path / "book.part").mkdir()  # nothing can be written there
    with capture_logs() as logs:
        watch.step(100, AWAY)
    assert [line["event"] for line in logs] == ["book_not_saved"]
    watch.tell(receiver)
    assert len(receiver.pages("DATABASE_AWAY")) == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"alarms": [{}], "pages": []}', '{"alarms": []}', "\x00"]
)
def test_a_damaged_book_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "book.json").write_text(content)
    with capture_logs() as logs:
        watch = Watch(tmp_path)
    assert [line["event"] for line in logs] == ["book_unreadable"]
    assert watch.step(100, AWAY) == ["RAISED DATABASE_AWAY"]
    assert len(Watch(tmp_path).alarms.open) == 1


# -- the webhook


class Failing:
    """Fails as often as it is told, and notes when it was asked."""

    def __init__(self, times: int, *, retryable: bool) -> None:
        self.left = times
        self.retryable = retryable

    def __call__(self, page: Page) -> None:
        if self.left:
            self.left -= 1
            raise NotifyError(Reason.SERVER_ERROR, retryable=self.retryable)


def waits(teller: Teller, page: Page, times: int) -> list[float]:
    found = [0.0]
    for _ in range(times):
        found.append(teller._attempt(page, found[-1]))
    return found[1:]


def test_what_is_not_taken_is_told_again_and_again(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.step(100, AWAY)
    (page,) = watch.book.pages()
    now_s = [0.0]
    teller = Teller(watch.book, Failing(7, retryable=True), lambda: now_s[0])
    assert waits(teller, page, 6) == [1, 2, 4, 8, MAX_BACKOFF_S, MAX_BACKOFF_S]
    now_s[0] = 45.0
    assert teller.failing_s == 45.0
    assert waits(teller, page, 2) == [1, 0]
    assert (teller.failing_s, watch.book.pages()) == (0.0, ())


def test_what_is_refused_is_kept_until_somebody_mends_the_receiver(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.step(100, AWAY)
    (page,) = watch.book.pages()
    teller = Teller(watch.book, Failing(1, retryable=False), lambda: 0.0)
    with capture_logs() as logs:
        assert waits(teller, page, 2) == [MAX_BACKOFF_S, 0]
    assert [line["event"] for line in logs] == ["page_not_taken", "page_taken"]


# -- the dead man's switch


def test_the_switch_is_called_while_the_watch_sees_and_not_otherwise(receiver: Receiver) -> None:
    blind: list[str] = []
    heartbeat = Heartbeat(receiver.url("/ping/secret"), 30.0, lambda: list(blind))
    heartbeat.beat()
    assert [(r.method, r.path) for r in receiver.beats()] == [("GET", "/ping/secret")]
    blind.append("log hangs")
    with capture_logs() as logs:
        heartbeat.beat()
        heartbeat.beat()
    assert [(line["event"], line["reasons"]) for line in logs] == [("watch_is_blind", ["log hangs"])]
    blind.clear()
    heartbeat.beat()
    assert len(receiver.beats()) == 2


def test_the_switch_is_first_called_when_all_has_been_looked_at(receiver: Receiver) -> None:
    blind = ["log is not seen"]
    heartbeat = Heartbeat(receiver.url(), 0.05, lambda: list(blind))
    stop = threading.Event()
    thread = threading.Thread(target=heartbeat.run, args=(stop,))
    with capture_logs() as logs:
        thread.start()
        assert not stop.wait(0.3)
        assert receiver.beats() == []
        blind.clear()
        until(lambda: len(receiver.beats()) > 2)
        stop.set()
        thread.join()
    assert logs == []


def test_a_switch_that_does_not_answer_is_said_without_its_address(receiver: Receiver) -> None:
    receiver.status = 500
    with Receiver() as gone:
        nobody = gone.url("/ping/secret")
    with capture_logs() as logs:
        for url in (receiver.url("/ping/secret"), nobody):
            Heartbeat(url, 30.0, list).beat()
    assert [line["reason"] for line in logs] == ["status 500", "ConnectError"]
    assert "secret" not in str(logs)


# -- the clock


def test_the_watchs_own_sleep_is_not_the_silence_of_others() -> None:
    now_s = [100.0]
    clock = AwakeClock(lambda: now_s[0])
    began_s = clock()
    for _ in range(10):
        now_s[0] += 0.5
        clock()
    now_s[0] += 20.0  # SIGSTOP
    assert clock() - began_s == 5.0
    now_s[0] += 2.0
    assert clock() - began_s == 7.0
