"""Which pages are given a strip, and how long each may wait for it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from alerts.channels.budget import Budget
from alerts.link import Links
from alerts.notify import Page, Strip
from ecgstream.pager.pages import STRIP_PATIENCE_S, Pages
from ecgstream.pager.sender import Draw
from schemas.records import Alert, Notification, NotificationState
from tests.ecgstream.strips.published import ALERT, SECOND

STRIP = Strip(b"png", b"pdf", "in words")
NOW_NS = ALERT.raised_ns


class Due(NamedTuple):
    """A partition with a page for each channel."""

    channels: tuple[str, ...]
    due_ns: int
    alert: Alert = ALERT

    def to_send(self, now_ns: int) -> list[tuple[Notification, Alert]]:
        state, at = NotificationState.DUE, (self.due_ns, None, 0)
        of = self.alert.id
        return [
            (Notification(f"{of} {channel}", of, "RAISED", channel, state, 0, "", *at), self.alert)
            for channel in self.channels
        ]


class Taker:
    """Takes pages, and asks for their strips when it is told to."""

    def __init__(self) -> None:
        self.draws: list[Draw] = []
        self.pages: list[Page] = []

    def room(self) -> int:
        return 16

    def holds(self, key: str) -> bool:
        return False

    def offer(self, page: Page, due_ns: int, partition: int, draw: Draw) -> None:
        self.draws.append(draw)
        self.pages.append(page)


def offered(due_ns: int) -> tuple[dict[str, Taker], list[tuple[Alert, float]]]:
    """Offer a page to a channel with pictures and to one without; return them, and what is drawn for them."""
    takers = {"mail": Taker(), "sms": Taker()}
    asked: list[tuple[Alert, float]] = []

    def strip_of(alert: Alert, until_s: float) -> Strip:
        asked.append((alert, until_s))
        return STRIP

    senders: Any = takers
    pages = Pages(senders, {name: Budget(1000) for name in takers}, {"mail": strip_of})
    partitions: Any = {0: Due(("mail", "sms"), due_ns)}
    pages.send(partitions, NOW_NS)
    return takers, asked


def test_only_a_channel_that_shows_pictures_has_one_and_the_loop_draws_none() -> None:
    takers, asked = offered(NOW_NS)
    assert asked == []
    assert [draw() for draw in takers["sms"].draws] == [None]
    assert asked == []
    assert [draw() for draw in takers["mail"].draws] == [STRIP]
    assert [alert for alert, _ in asked] == [ALERT]


@pytest.mark.parametrize(("waited_s", "left_s"), [(0.0, 1.5), (1.0, 0.5), (60.0, -58.5), (-3600.0, 1.5)])
def test_a_page_waits_for_its_strip_from_when_it_was_due_however_long_it_stood_in_line(
    waited_s: float, left_s: float
) -> None:
    """A clock that was set back makes nobody wait longer."""
    assert STRIP_PATIENCE_S == 1.5
    before_s = time.monotonic()
    takers, asked = offered(NOW_NS - round(waited_s * SECOND))
    after_s = time.monotonic()
    takers["mail"].draws[0]()
    ((_, until_s),) = asked
    assert before_s + left_s - 0.001 <= until_s <= after_s + left_s + 0.001


def test_an_alert_of_which_no_link_can_be_made_is_paged_without_and_disturbs_no_other() -> None:
    taker = Taker()
    senders: Any = {"sms": taker}
    pages = Pages(senders, {"sms": Budget(1000)}, link=Links("k" * 32, "https://monitor.example").to)
    ours = replace(ALERT, id="f7cccd15-398d-9263-f452-554e2cbfbcb9")
    partitions: Any = {0: Due(("sms",), NOW_NS), 1: Due(("sms",), NOW_NS + 1, ours)}
    pages.send(partitions, NOW_NS)
    assert [(page.alert, bool(page.link)) for page in taker.pages] == [(ALERT.id, False), (ours.id, True)]
