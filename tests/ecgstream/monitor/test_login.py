"""Who is let in, and who is not: logging in, forms of other sites, sessions that have ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import psycopg
import pytest
from starlette.responses import PlainTextResponse, Response

from ecgstream.monitor.app import HEADERS, make_app
from ecgstream.monitor.guard import BY_ITSELF, Asked, RefusedError
from ecgstream.monitor.login import Login
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.sessions import IDLE_S, Sessions
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import GoneError
from ecgstream.tries import TRIES, TRIES_S, Tries
from tests.ecgstream.web.served import served

PASSWORD = "correct horse battery staple"  # noqa: S105


class World:
    """A monitor with one page and one form, before a database that a test makes fail."""

    client: httpx.Client

    def __init__(self, address: str = "") -> None:
        self.now_s = 1000.0
        self.fails: Exception | None = None
        self.noted: list[tuple[object, ...]] = []
        self.said: list[str] = []
        self.sessions = Sessions(lambda: self.now_s)
        shell = Shell(self.sessions, address, ("/clinic",), Reads(self.note))
        login = Login(shell, self, "/clinic", Tries(lambda: self.now_s))  # type: ignore[arg-type]
        guard = shell.guard
        self.app = make_app(
            [*login.routes, guard.page("/clinic", self.show), guard.act("/clinic", self.take)]
        )

    def check_password(self, account: str, password: str) -> bool:
        if isinstance(self.fails, psycopg.Error):
            raise self.fails
        return (account, password) == ("li", PASSWORD)

    def knows(self, account: str) -> bool:
        return account == "li"

    def zone_of(self, account: str) -> str:
        return "Asia/Shanghai"

    def note(self, *entry: object) -> None:
        self.noted.append(entry)

    def show(self, asked: Asked) -> Response:
        if self.fails is not None:
            raise self.fails
        return PlainTextResponse(f"{asked.viewer.account} {asked.viewer.zone} {asked.viewer.language}")

    def take(self, asked: Asked) -> Response:
        self.said.append(asked.form["what"])
        return PlainTextResponse("done")

    def log_in(self, account: str = "li", password: str = PASSWORD, to: str = "/clinic") -> httpx.Response:
        token = (
            found[0]
            if (found := re.findall(r'"token" value="([^"]+)"', self.client.get("/login").text))
            else ""
        )
        form = {"account": account, "password": password, "to": to, "token": token}
        return self.client.post("/login", data=form)

    @property
    def csrf(self) -> str:
        (session,) = self.sessions._kept.values()
        return session.csrf


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with served(made.app) as client:
        made.client = client
        yield made


def test_who_logs_in_sees_the_page_that_was_asked_for(world: World) -> None:
    asked = world.client.get("/clinic?day=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?to=%2Fclinic%3Fday%3D1")
    done = world.log_in(to="/clinic?day=1")
    assert (done.status_code, done.headers["location"]) == (303, "/clinic?day=1")
    assert world.client.get("/clinic").text == "li Asia/Shanghai en"
    assert world.client.get("/login?to=/clinic").headers["location"] == "/clinic"


def test_the_cookie_is_for_this_site_alone_and_for_no_script(world: World) -> None:
    flags = world.log_in().headers["set-cookie"]
    for flag in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert flag in flags
    assert "Secure" not in flags  # on loopback, without TLS


def test_behind_tls_the_cookie_is_sent_over_tls_alone() -> None:
    world = World("https://ward.example")
    with served(world.app) as world.client:
        form = world.client.get("/login")
        assert all("Secure" in flags for flags in form.headers.get_list("set-cookie"))
        # A client over plain HTTP keeps no such cookie, so it is handed over by hand.
        token = re.findall(r'"token" value="([^"]+)"', form.text)[0]
        fields = {"account": "li", "password": PASSWORD, "to": "/clinic", "token": token}
        done = world.client.post("/login", data=fields, headers={"cookie": f"login={token}"})
        assert done.status_code == 303
        assert re.search(r"__Host-session=\S+; HttpOnly; .*Secure", done.headers["set-cookie"])
        foreign = {"cookie": f"login={token}", "origin": "https://ward.example.evil.example"}
        assert world.client.post("/login", data=fields, headers=foreign).status_code == 403


def test_an_unknown_account_and_a_wrong_password_are_told_the_same(world: World) -> None:
    unknown, wrong = world.log_in("nobody"), world.log_in("li", "wrong")
    assert unknown.status_code == wrong.status_code == 403
    strip = re.compile(r'value="[^"]*"')
    assert strip.sub("", unknown.text) == strip.sub("", wrong.text)
    assert "session" not in world.client.cookies


def test_after_some_wrong_passwords_none_is_looked_at_for_a_while(world: World) -> None:
    assert [world.log_in("li", "x").status_code for _ in range(TRIES)] == [403] * TRIES
    assert world.log_in().status_code == 429
    world.now_s += TRIES_S
    assert world.log_in().status_code == 303


def test_no_other_site_logs_anybody_in(world: World) -> None:
    form = {"account": "li", "password": PASSWORD, "to": "/clinic"}
    assert world.client.post("/login", data=form).status_code == 403
    assert world.client.post("/login", data=form | {"token": "x"}).status_code == 403
    assert world.client.post("/login", content=b"{}").status_code == 403
    assert "session" not in world.client.cookies


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x"]
)
def test_a_login_leads_nowhere_else(world: World, to: str) -> None:
    assert world.log_in(to=to).headers["location"] == "/"
    assert world.client.get("/language/zh", params={"to": to}).headers["location"] == "/"


def test_a_form_needs_the_number_of_its_session(world: World) -> None:
    world.log_in()
    for wrong in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": "\udcff".encode("utf-8", "surrogatepass")}):
        assert world.client.post("/clinic", data={"what": "x"} | wrong).status_code == 403
    foreign = {"origin": "https://evil.example"}
    right = {"what": "mine", "csrf": world.csrf}
    assert world.client.post("/clinic", data=right, headers=foreign).status_code == 403
    assert world.client.post("/clinic", data=right, headers={"host": "evil.example"}).status_code == 403
    assert world.said == []
    assert world.client.post("/clinic", data=right).text == "done"
    assert world.said == ["mine"]


def test_a_form_that_is_none_or_endless_is_refused(world: World) -> None:
    world.log_in()
    assert world.client.post("/clinic", json={"what": "x"}).status_code == 400
    assert world.client.post("/clinic", data={"what": "x" * 100_000, "csrf": world.csrf}).status_code == 400


def test_a_session_that_has_ended_leads_to_the_login_and_says_nothing(world: World) -> None:
    world.log_in()
    right = {"what": "late", "csrf": world.csrf}
    world.now_s += IDLE_S
    assert world.client.get("/clinic").headers["location"] == "/login?to=%2Fclinic"
    assert world.client.get("/clinic", headers={BY_ITSELF: "1"}).status_code == 401
    assert world.client.get("/alive").status_code == 401
    assert world.client.post("/clinic", data=right).headers["location"] == "/login"
    assert world.said == []


def test_what_a_page_fetches_by_itself_does_not_keep_a_session(world: World) -> None:
    world.log_in()
    world.now_s += IDLE_S - 1
    assert world.client.get("/alive", headers={BY_ITSELF: "1"}).status_code == 204
    assert world.client.get("/clinic", headers={BY_ITSELF: "1"}).status_code == 200
    world.now_s += 1
    assert world.client.get("/alive").status_code == 401


def test_logging_out_ends_the_session_here_and_in_a_copied_cookie(world: World) -> None:
    world.log_in()
    copied = world.client.cookies["session"]
    assert world.client.get("/logout").status_code == 405
    assert world.client.post("/logout", data={"csrf": world.csrf}).headers["location"] == "/login"
    assert "session" not in world.client.cookies
    assert world.client.get("/clinic", headers={"cookie": f"session={copied}"}).status_code == 303


def test_an_account_that_is_disabled_is_out_at_once(world: World) -> None:
    world.log_in()
    world.fails = GoneError()
    assert world.client.get("/clinic").headers["location"] == "/login?to=%2Fclinic"
    world.fails = None
    assert world.client.get("/clinic").status_code == 303


@pytest.mark.parametrize(
    ("fails", "status", "words"),
    [
        (psycopg.OperationalError("away"), 503, "The database cannot be reached"),
        (psycopg.errors.InsufficientPrivilege("no"), 403, "Your positions do not let you see this"),
        (RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown"), 404, "There is no such thing"),
    ],
)
def test_what_is_refused_is_said(world: World, fails: Exception, status: int, words: str) -> None:
    world.log_in()
    world.fails = fails
    found = world.client.get("/clinic")
    assert (found.status_code, words in found.text) == (status, True)
    world.fails = None
    assert world.client.get("/clinic").status_code == 200


def test_a_login_while_the_database_is_away_says_so(world: World) -> None:
    world.fails = psycopg.OperationalError("away")
    found = world.log_in()
    assert (found.status_code, "The database cannot be reached" in found.text) == (503, True)


def test_the_language_is_the_browser_s_until_another_is_chosen(world: World) -> None:
    chinese = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    assert 'lang="zh-Hans"' in world.client.get("/login", headers=chinese).text
    assert 'html lang="en"' in world.client.get("/login", headers={"accept-language": "fr, en"}).text
    assert world.client.get("/language/zh?to=/login").headers["location"] == "/login"
    assert 'html lang="zh-Hans"' in world.client.get("/login").text
    world.client.get("/language/xx")
    assert 'html lang="zh-Hans"' in world.client.get("/login").text


def test_every_answer_forbids_what_is_not_ours(world: World) -> None:
    paths = ("/login", "/clinic", "/nowhere", "/static/shell.css", "/static/nothing", "/alive")
    for path in paths:
        found = world.client.get(path)
        assert {name: found.headers[name] for name in HEADERS} == HEADERS, path
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    page = world.client.get("/login").text
    assert re.findall(r"\son\w+=|style=|<script(?! type=\"module\" src=\"/static/)", page) == []
    assert re.findall(r"(?:src|href|action)=\"(?!/|#)", page) == []
