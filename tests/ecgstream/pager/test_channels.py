"""By which channels an account is reached, and that somebody always is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alerts.contacts import ChannelSetting, Contacts
from alerts.notify import NotifyError, Page, Reason, key_of
from ecgstream.pager import channels
from ecgstream.pager.channels import WEBHOOK, Channels, channels_of
from ecgstream.settings import Settings
from schemas.records import Priority

PAGE = Page(
    key_of("a", "RAISED", "x"), "RAISED", "a", "d", "", "ASYSTOLE", Priority.HIGH, "!!! Asystole", 0, 0
)
CONTACTS = Contacts(
    {"ding": ChannelSetting("dingtalk", 20), "mail": ChannelSetting("mailtos", 60)},
    {"li": {"ding": "li-ding", "mail": "li-mail"}, "wang": {"ding": "wang-ding"}},
)


class Taker:
    def __init__(self, address: str) -> None:
        self.address = address
        self.takes_pictures = "ding" not in address
        self.fails: NotifyError | None = None
        self.taken: list[str] = []

    def send(self, page: Page) -> None:
        if self.fails:
            raise self.fails
        self.taken.append(page.account)

    def close(self) -> None:
        pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Taker]:
    found: dict[str, Taker] = {}
    monkeypatch.setattr(channels, "open_channel", lambda address: found.setdefault(address, Taker(address)))
    return found


def page(account: str, channel: str) -> Page:
    return replace(PAGE, account=account, channel=channel)


def test_a_person_is_reached_by_all_of_their_channels(opened: dict[str, Taker]) -> None:
    found = Channels(CONTACTS, Taker("hook"))
    assert (found.of("li"), found.of("wang")) == (["ding", "mail"], ["ding"])
    found.send(page("li", "mail"))
    assert {address for address, taker in opened.items() if taker.taken} == {"li-mail"}


@pytest.mark.parametrize("account", ["", "nobody_knows"])
def test_whoever_the_file_does_not_know_is_the_webhook_s(account: str, opened: dict[str, Taker]) -> None:
    hook = Taker("hook")
    found = Channels(CONTACTS, hook)
    assert found.of(account) == [WEBHOOK]
    found.send(page(account, WEBHOOK))
    assert hook.taken == [account]


def test_without_a_webhook_everybody_is_told(opened: dict[str, Taker]) -> None:
    found = Channels(CONTACTS, None)
    assert found.of("nobody_knows") == ["ding", "mail"]
    opened["li-ding"].fails = NotifyError(Reason.REFUSED, retryable=False)
    found.send(page("nobody_knows", "ding"))  # one has taken it
    assert opened["wang-ding"].taken == ["nobody_knows"]
    opened["wang-ding"].fails = NotifyError(Reason.TIMEOUT, retryable=True)
    with pytest.raises(NotifyError):
        found.send(page("nobody_knows", "ding"))


def test_the_budget_of_each_channel_is_that_of_the_file(opened: dict[str, Taker]) -> None:
    assert set(Channels(CONTACTS, None).budgets) == {"ding", "mail"}
    assert not Channels(Contacts({}, {}), None)


def test_a_channel_that_reaches_nobody_is_none(opened: dict[str, Taker]) -> None:
    assert not Channels(Contacts(CONTACTS.channels, {}), None)
    found = Channels(CONTACTS, None)
    with pytest.raises(NotifyError):
        found.send(page("li", "telegraph"))


def test_only_channels_that_show_pictures_are_drawn_for(opened: dict[str, Taker]) -> None:
    assert Channels(CONTACTS, Taker("hook")).illustrated == {"mail", WEBHOOK}
    assert Channels(CONTACTS, Taker("ding")).illustrated == {"mail"}


@pytest.mark.parametrize(("name", "says"), [("NOTIFY_URL", "NOTIFY_URL"), ("CONTACTS", "contacts file")])
def test_what_is_wrong_ends_the_program_with_its_name(
    name: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"ECGSTREAM_{name}", str(tmp_path / "secret-token"))
    with pytest.raises(SystemExit, match=says):
        channels_of(Settings())
