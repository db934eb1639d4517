"""A page's link: it shows, and only a POST with a personal code says anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from kafka.errors import KafkaTimeoutError

from alerts import link
from alerts.link import Links
from alerts.notify import Strip
from ecgstream.tries import TRIES
from ecgstream.web.app import HEADERS, make_app, templates
from ecgstream.web.codes import Codes, Doorkeeper
from ecgstream.web.page import AlertPage
from ecgstream.web.reads import Reads
from schemas.audit import AuditEntry
from schemas.records import Act, Alert, Phase
from tests.alerts.timeline import Timeline, id_of
from tests.ecgstream.web.served import served

LINKS = Links("k" * 32, "")
CHEAP = PasswordHasher.from_parameters(CHEAPEST)
CODES = {"li": "428617", "wang": "735190"}
ID = id_of()


class World:
    """An open asystole, and a pager that hears what is said of it; `heard`: by whom, and what."""

    client: httpx.Client

    def __init__(self, tmp_path: Path) -> None:
        self.timeline = Timeline()
        self.timeline.at(4, Phase.ONSET)
        self.heard: list[tuple[str, Act, str]] = []
        self.answers = True
        self.broker_is_away = False
        self.is_current = True
        self.shown: dict[str, Alert] = {}
        self.see()
        file = tmp_path / "codes"
        file.touch(mode=0o600)
        file.write_text("".join(f"{account} {CHEAP.hash(code)}\n" for account, code in CODES.items()))
        self.noted: list[AuditEntry] = []
        reads = Reads(self.note)
        page = AlertPage(templates(), LINKS, Doorkeeper(Codes(file)), self, self.say, self.draw, reads)  # type: ignore[arg-type]
        self.app = make_app([*page.routes])
        self.link = LINKS.to(ID, "li")

    def note(self, entries: list[AuditEntry]) -> None:
        if self.broker_is_away:
            raise KafkaTimeoutError("away")
        self.noted += entries

    def alert(self, id_: str) -> Alert | None:
        """What the board shows."""
        return self.shown.get(id_)

    def see(self) -> None:
        """The board takes in what the pager has written."""
        self.shown = dict(self.timeline.pipeline.state.alerts)

    def say(self, alert: Alert, by: str, reason: str, act: Act) -> Alert | None:
        if self.broker_is_away:
            raise KafkaTimeoutError("away")
        self.heard.append((by, act, reason))
        if not self.answers:
            return None
        self.timeline.acknowledge(8, by, reason, act=act)
        self.see()
        return self.shown[alert.id]

    def draw(self, alert: Alert, _by_s: float) -> Strip | None:
        return Strip(b"a picture", b"a paper", "words") if alert.device == "dev-1" else None

    def post(self, link_: str = "", **form: str) -> tuple[int, str]:
        fields = {"act": "ACKNOWLEDGE", "code": CODES["li"]} | form
        found = self.client.post(link_ or self.link, data=fields)
        return found.status_code, words_of(found.text)


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src", "action") and value]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with served(made.app) as client:
        made.client = client
        yield made


def test_the_page_shows_what_was_paged_and_who_may_answer(world: World) -> None:
    found = world.client.get(world.link)
    words = words_of(found.text)
    assert found.status_code == 200
    for told in ("!!! Asystole", "High priority", "dev-1", "p-1", "pause 4 s", "You answer as li", "called"):
        assert told in words, (told, words)
    assert "unassigned" not in words


def test_fetching_as_mail_scanners_and_chats_do_acknowledges_nothing(world: World) -> None:
    found = world.client.get(world.link)
    parser = _Links()
    parser.feed(found.text)
    assert parser.found
    for url in [world.link, *parser.found]:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
            world.client.request(method, url)
    # Some scanners send the forms that they find, as they are.
    for form in ({}, {"act": "ACKNOWLEDGE"}, {"act": "ACKNOWLEDGE", "code": ""}):
        assert world.client.post(world.link, data=form).status_code in (403, 415)
    world.client.get(f"{world.link}?act=ACKNOWLEDGE&code={CODES['li']}")
    assert world.heard == []


def test_somebody_takes_it_on_with_a_code_and_all_who_look_see_who_it_was(world: World) -> None:
    sent = world.client.post(world.link, data={"act": "ACKNOWLEDGE", "code": CODES["li"], "reason": "I go"})
    assert (sent.status_code, sent.headers["location"]) == (303, world.link)
    assert world.heard == [("li", Act.ACKNOWLEDGE, "I go")]
    for account in ("li", "wang", ""):
        found = world.client.get(LINKS.to(ID, account)).text
        assert "Taken on by li" in words_of(found)
        assert "<form" not in found


def test_of_two_who_acknowledge_the_second_sees_who_was_first(world: World) -> None:
    world.post()
    status, words = world.post(LINKS.to(ID, "wang"), code=CODES["wang"])
    assert status == 409
    assert "li was first" in words
    assert world.heard == [("li", Act.ACKNOWLEDGE, "by the link of the page")]
    assert world.post()[0] == 303  # used again, a link says nothing again
    assert len(world.heard) == 1


def test_two_at_one_time_are_told_apart_by_what_the_pager_says(world: World) -> None:
    before = dict(world.shown)
    world.post()
    world.shown = before  # the other's page was not up to date yet
    status, words = world.post(LINKS.to(ID, "wang"), code=CODES["wang"])
    assert (status, len(world.heard)) == (409, 2)
    assert "li was first" in words
    assert "Taken on by li" in words


def test_who_cannot_come_says_so_and_it_stays_open(world: World) -> None:
    assert world.post(act="REJECT")[0] == 303
    assert world.heard[-1][:2] == ("li", Act.REJECT)
    assert "I take it on" in words_of(world.client.get(world.link).text)


@pytest.mark.parametrize(("account", "code"), [("li", "000000"), ("wang", CODES["li"]), ("zhao", "428617")])
def test_a_wrong_code_does_nothing(world: World, account: str, code: str) -> None:
    status, words = world.post(LINKS.to(ID, account), code=code)
    assert status == 403
    assert "Nothing was done" in words
    assert world.heard == []


def test_the_account_of_the_link_cannot_be_another(world: World) -> None:
    assert world.post(account="wang", code=CODES["wang"])[0] == 403
    assert world.post(LINKS.to(ID, ""), account="wang", code=CODES["wang"])[0] == 303
    assert world.heard[-1][0] == "wang"


def test_after_many_wrong_codes_the_right_one_is_not_looked_at_either(world: World) -> None:
    assert [world.post(code="000000")[0] for _ in range(TRIES)] == [403] * TRIES
    assert world.post()[0] == 429
    assert world.heard == []
    assert world.post(LINKS.to(ID, "wang"), code=CODES["wang"])[0] == 303


def test_forged_expired_and_forgotten_links(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = Links("x" * 32, "").to(ID, "li")
    for method in ("GET", "POST"):
        assert world.client.request(method, forged).status_code == 404
    gone = LINKS.to(id_of("VT"), "li")
    assert world.client.get(gone).status_code == 410
    world.is_current = False
    assert world.client.get(gone).status_code == 503  # it may be that we do not know it yet
    monkeypatch.setattr(link, "LIVES_S", -1)
    expired = world.client.post(world.link, data={"code": CODES["li"], "act": "ACKNOWLEDGE"})
    assert expired.status_code == 410
    assert "expired" in words_of(expired.text)
    assert world.heard == []


def test_while_kafka_is_away_the_page_says_that_nobody_was_told(world: World) -> None:
    world.broker_is_away, world.is_current = True, False
    status, words = world.post()
    assert status == 503
    assert "NOBODY HAS BEEN TOLD" in words
    assert "Not up to date" in words


def test_while_the_pager_is_away_it_is_written_down(world: World) -> None:
    world.answers = False
    status, words = world.post()
    assert status == 202
    assert "Written down" in words


def test_what_has_ended_by_itself_is_not_taken_on(world: World) -> None:
    ended = Timeline()
    ended.at(4, Phase.ONSET, "SPO2_LOW")
    ended.at(9, Phase.END, "SPO2_LOW")
    world.timeline = ended
    world.see()
    status, words = world.post(LINKS.to(id_of("SPO2_LOW"), "li"))
    assert (status, world.heard) == (409, [])
    assert "ended by itself" in words


@pytest.mark.parametrize("form", [{"act": "SILENCE"}, {"act": "DELETE"}, {"reason": "x" * 501}])
def test_what_is_not_on_the_form_is_refused(world: World, form: dict[str, str]) -> None:
    assert world.post(**form)[0] == 422
    assert world.heard == []


def test_bodies_are_bounded_and_of_one_kind(world: World) -> None:
    assert world.post(reason="x" * 5000)[0] == 413
    assert world.client.post(world.link, json={"code": CODES["li"]}).status_code == 415
    garbage = {"Content-Type": "application/x-www-form-urlencoded"}
    assert world.client.post(world.link, content=b"\xff=&&%zz", headers=garbage).status_code == 403
    assert world.heard == []


def test_text_that_came_from_anywhere_stays_text(world: World) -> None:
    evil = "<script>alert(1)</script>"
    shown = replace(world.shown[ID], facility=evil, device=evil, patient=evil)
    world.shown[ID] = shown
    world.post(reason="x")
    world.shown[ID] = replace(world.shown[ID], reason=evil, facility=evil)
    found = world.client.get(world.link).text
    assert evil not in found
    assert "&lt;script&gt;" in found


def test_the_strip_comes_to_who_has_the_link(world: World) -> None:
    page = world.client.get(world.link).text
    assert f'src="{world.link}/strip.png"' in page
    for form, kind, content in (("png", "image/png", b"a picture"), ("pdf", "application/pdf", b"a paper")):
        found = world.client.get(f"{world.link}/strip.{form}")
        assert (found.status_code, found.headers["content-type"], found.content) == (200, kind, content)
    assert world.client.get(f"{world.link}/strip.exe").status_code == 404
    assert world.client.get(f"{Links('x' * 32, '').to(ID, 'li')}/strip.png").status_code == 404
    world.shown[ID] = replace(world.shown[ID], device="dev-2")
    assert world.client.get(f"{world.link}/strip.png").status_code == 404
    assert world.client.get(world.link).status_code == 200  # a page without its strip is a page


def test_what_host_a_request_names_is_nowhere_in_an_answer(world: World) -> None:
    for url in (world.link, f"{world.link}/", "/static", "/static/", "//evil.example/page/x"):
        for name in ("Host", "X-Forwarded-Host"):
            found = world.client.get(url, headers={name: "evil.example"})
            assert "evil.example" not in found.text + str(found.headers)
    sent = world.client.post(
        world.link, data={"code": CODES["li"], "act": "ACKNOWLEDGE"}, headers={"Host": "evil.example"}
    )
    assert sent.headers["location"] == world.link


def test_every_answer_carries_the_headers_that_keep_the_link_to_itself(world: World) -> None:
    for url in (world.link, "/static/page.css", "/none"):
        found = world.client.get(url)
        assert {name: found.headers[name] for name in HEADERS} == HEADERS
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
    assert "script-src" not in HEADERS["Content-Security-Policy"]


def test_who_opens_a_link_is_told_to_the_audit_log_once_a_minute(world: World) -> None:
    for _ in range(3):
        assert world.client.get(world.link).status_code == 200
    assert world.client.get(f"{world.link}/strip.png").status_code == 200
    (page, strip) = world.noted
    assert (page.service, page.who, page.action, page.kind, page.object) == (
        "web",
        "link of li",
        "read",
        "alert",
        ID,
    )
    assert '"strip"' in strip.detail


def test_a_page_is_shown_though_the_audit_log_cannot_be_told(world: World) -> None:
    world.broker_is_away = True
    assert world.client.get(world.link).status_code == 200
    assert world.noted == []
