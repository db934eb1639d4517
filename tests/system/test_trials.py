"""A test page, from a terminal and from the page of those on duty, over a real broker, pager and channel."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ecgstream import desk
from ecgstream.commands import roster as roster_command
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import topics
from tests.alerts.receiver import Receiver
from tests.system.command import Command
from tests.system.ecg_screen import log_in
from tests.system.monitor_house import House, made_house
from tests.system.pager_ward import PagerProcess, Ward, until
from tests.system.test_duty import ROSTER
from tests.system.test_monitor_kafka import monitor

SEEN_MS = 60_000


@pytest.fixture(scope="module", params=["plain"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (made, _):
        yield made


@pytest.fixture
def ward(kafka: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    made = Ward(kafka)
    monkeypatch.setenv("ECGSTREAM_KAFKA", kafka)
    yield made
    # Other tests' pagers follow the same topic.
    made.producer.send(topics.ROSTER.name, None, key=b"roster", partition=0).get(10)
    made.producer.close()


def publish(ward: Ward, file: Path, said: Command, first: str = "li", second: str = "wang") -> str:
    """Publish a roster with a team of this test's own, of the monitor's root; return the team's name."""
    team = f"centre {ward.name}"
    text = ROSTER.replace('"centre"', f'"{team}"').replace('"cn"', '"R"')
    file.write_text(text.replace('"li"', f'"{first}"').replace('"wang"', f'"{second}"'))
    said("publish", file, "--by", "planner")
    return team


def pages_to(receiver: Receiver, team: str) -> list[tuple[str, str]]:
    """What was told to whom of a team's test pages; repeats by key are left out."""
    found = list(receiver.pages.values())
    return [(page["what"], page["account"]) for page in found if page["device"] == team]


def test_whoever_sends_one_sees_how_far_it_comes(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Command(roster_command.app, "", capsys)
    team = publish(ward, tmp_path / "roster.toml", said)
    with Receiver() as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")

        def answer() -> None:
            until(lambda: pages_to(receiver, team))
            known = desk.alerts(ward.settings)
            (test,) = (alert for alert in known.values() if alert.device == team)
            desk.say_of(ward.settings, test, "li", "received")

        answering = threading.Thread(target=answer)
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            assert "there is no team" in said.refused("test", "nobody's", "--by", "wang")
            answering.start()
            _, told = said("test", team, "--by", "wang")
            answering.join()
            refused = said.refused("test", team, "--by", "wang")
        finally:
            ended = pager.end()
    assert ended == 0, (tmp_path / "log").read_text()
    assert pages_to(receiver, team) == [("TEST", "li")]
    steps = [line.split(" s  ", 1)[1] for line in told.splitlines() if " s  " in line]
    assert steps[0] == "the pager has it by wang"
    assert {"called: li", "taken by a channel: li, webhook", "acknowledged by li: received"} <= {*steps}
    assert "wang has sent a test page" in refused


def test_without_a_pager_nobody_is_said_to_have_it(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Command(roster_command.app, "", capsys)
    team = publish(ward, tmp_path / "roster.toml", said)
    assert "is it running?" in said.refused("test", team, "--by", "wang", "--wait", 1)


def test_it_is_sent_and_answered_on_the_page_of_those_on_duty(
    ward: Ward,
    house: House,
    chromium: Browser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, other = house.account("clinic_a"), house.account("cardiologist")
    team = publish(ward, tmp_path / "roster.toml", Command(roster_command.app, "", capsys), first, other)
    settings = Settings(**ward.settings.model_dump() | {"monitor_database": house.login, "monitor_port": 0})
    with Receiver() as receiver, monitor(settings, tmp_path / "monitor.log") as client:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            context = chromium.new_context(base_url=str(client.base_url).rstrip("/"), locale="en-GB")
            desk_page = context.new_page()
            log_in(desk_page, other, "/duty")
            desk_page.get_by_role("button", name=f"Send a test page to team {team}").click()
            expect(desk_page.get_by_role("status")).to_contain_text("The test page is sent")
            expect(desk_page.locator(".turns")).to_contain_text(f"{first}, webhook", timeout=SEEN_MS)
            # While it lasts there is no other, and only who was called has it.
            expect(desk_page.get_by_role("button", name="Send a test page")).to_have_count(0)
            expect(desk_page.get_by_role("button", name="I have received it")).to_have_count(0)
            shot(desk_page, "test-page-sent")
            theirs = chromium.new_context(base_url=str(client.base_url).rstrip("/"), locale="zh-CN")
            called = theirs.new_page()
            log_in(called, first, "/duty")
            shot(called, "test-page-called-zh")
            called.get_by_role("button", name="我已收到").click()
            expect(called.get_by_role("status")).to_contain_text("谢谢")
            # Who stands at a clinic below answers no alarms of the whole network: they send none.
            expect(called.get_by_role("button", name="发出测试呼叫")).to_have_count(0)
            expect(desk_page.locator(".turns")).to_contain_text(f"Acknowledged by {first}", timeout=SEEN_MS)
            shot(desk_page, "test-page-answered")
            desk_page.goto("/alarms")
            expect(desk_page.locator("main")).not_to_contain_text(team)
            theirs.close()
            context.close()
        finally:
            ended = pager.end()
    assert ended == 0, (tmp_path / "log").read_text()
    assert pages_to(receiver, team) == [("TEST", first)]
    with connect(house.url) as database:
        found = database.execute("SELECT count(*) FROM ecg.alert WHERE condition = 'TEST_PAGE'").fetchone()
    assert found == (0,)


def shot(page: Page, name: str) -> None:
    """Write a screenshot where somebody wants to look at it."""
    if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
