"""Logging in by a provider that is away, slow or lies, and by answers that were not asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import structlog
from joserfc.jwk import OctKey, RSAKey
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from ecgstream.monitor import provider as providing
from ecgstream.monitor import sign_on
from ecgstream.monitor.app import HEADERS, make_app
from ecgstream.monitor.guard import Asked
from ecgstream.monitor.login import Login
from ecgstream.monitor.provider import Provider
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.sessions import Sessions
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.sign_on import BEGUN_S, Begun, SignOn
from tests.ecgstream.monitor.forger import CLIENT, CODE, SECRET, Forger
from tests.ecgstream.web.served import served

UNTRUE = "cannot be believed"
AGAIN = "was not begun in this browser"
AWAY = "does not answer"
UNKNOWN = "no open account of that name"


class World:
    """A monitor with one page, before a provider that says what it is told to."""

    client: httpx.Client

    def __init__(self, forger: Forger) -> None:
        self.forger = forger
        self.now_s = 1000.0
        self.fails: Exception | None = None
        self.noted: list[tuple[object, ...]] = []
        shell = Shell(Sessions(), "", ("/clinic",), Reads(self.note))
        self.provider = Provider(forger.issuer, CLIENT, SECRET, "preferred_username")
        login = Login(shell, self, "/clinic", provider=self.provider.host)  # type: ignore[arg-type]
        begun = Begun(lambda: self.now_s)
        way = SignOn(shell, self, login, self.provider, begun)  # type: ignore[arg-type]
        self.app = make_app([*login.routes, *way.routes, shell.guard.page("/clinic", self.show)])

    def is_at(self, account: str, issuer: str, subject: str) -> bool:
        if self.fails is not None:
            raise self.fails
        return (account, issuer, subject) == ("li", self.forger.issuer, "s-1")

    def zone_of(self, account: str) -> str:
        return "Asia/Shanghai"

    def note(self, *entry: object) -> None:
        self.noted.append(entry)

    def show(self, asked: Asked) -> Response:
        return PlainTextResponse(f"{asked.viewer.account} {asked.viewer.zone}")

    def begin(self, to: str = "/clinic") -> dict[str, str]:
        """Let the browser be sent to the provider, and return with what."""
        sent = self.client.get("/login/provider", params={"to": to})
        assert sent.status_code == 303
        assert sent.headers["location"].startswith(f"{self.forger.issuer}/authorize?")
        return self.forger.asked(sent.headers["location"])

    def come_back(self, **query: str) -> httpx.Response:
        return self.client.get(sign_on.BACK, params=query)

    def log_in(self) -> httpx.Response:
        return self.come_back(code=CODE, state=self.begin()["state"])

    @property
    def is_in(self) -> bool:
        return self.client.get("/clinic").status_code == 200


@pytest.fixture
def world() -> Iterator[World]:
    forger = Forger()
    with served(forger.app) as provider:
        forger.issuer = str(provider.base_url).rstrip("/")
        made = World(forger)
        with served(made.app) as made.client:
            yield made


def test_whom_the_provider_names_is_let_in_and_led_on(world: World) -> None:
    host = urlsplit(world.forger.issuer).netloc
    assert f"Log in with {host}</a>" in world.client.get("/login?to=/clinic").text
    asked = world.begin(to="/clinic?day=1")
    assert asked.keys() >= {"nonce", "state", "code_challenge"}
    assert (asked["code_challenge_method"], asked["prompt"]) == ("S256", "login")
    assert asked["redirect_uri"] == str(world.client.base_url).rstrip("/") + sign_on.BACK
    arrived = world.come_back(code=CODE, state=asked["state"])
    # A page of ours, not a redirect: browsers send a strict cookie only where one of our own pages leads.
    assert (arrived.status_code, 'content="0;url=/clinic?day=1"' in arrived.text) == (200, True)
    assert "SameSite=strict" in arrived.headers["set-cookie"]
    assert world.client.get("/clinic").text == "li Asia/Shanghai"
    (exchange,) = world.forger.exchanged
    assert (exchange["code"], "code_verifier" in exchange) == (CODE, True)
    assert exchange["authorization"].startswith("Basic ")
    assert SECRET not in str(exchange)


def test_the_policy_for_browsers_opens_nothing_for_it(world: World) -> None:
    found = world.log_in()
    assert found.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert "form-action 'self';" in HEADERS["Content-Security-Policy"]


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(world: World) -> None:
    world.forger.published = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    world.log_in()
    (exchange,) = world.forger.exchanged
    assert (exchange["client_secret"], exchange["authorization"], world.is_in) == (SECRET, "", True)


FORGED: dict[str, dict[str, Any]] = {
    "another login's nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "another's audience": {"aud": "another"},
    "shared audience without party": {"aud": [CLIENT, "another"]},
    "another party": {"azp": "another"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "expiry that is none": {"exp": "soon"},
    "not yet": {"nbf": 2**40},
    "of the future": {"iat": 2**40},
    "another access token": {"at_hash": "x"},
    "no subject": {"sub": None},
    "subject that is none": {"sub": {"$ne": 1}},
    "no name": {"preferred_username": None},
    "name that is none": {"preferred_username": ["li"]},
    "endless name": {"preferred_username": "l" * 300},
}


@pytest.mark.parametrize("claims", FORGED.values(), ids=FORGED)
def test_a_token_that_says_something_else_lets_nobody_in(world: World, claims: dict[str, Any]) -> None:
    world.forger.claims = claims
    found = world.log_in()
    assert (found.status_code, UNTRUE in found.text, world.is_in) == (403, True, False)


def test_a_small_difference_of_clocks_is_borne(world: World) -> None:
    world.forger.claims = {"exp": _now_s() - providing.SKEW_S // 2, "iat": _now_s() - 60}
    world.log_in()
    assert world.is_in


def _now_s() -> int:
    return int(time.time())


@pytest.mark.parametrize("how", ["none", "stranger's key", "public key as secret", "cut", "no token"])
def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(world: World, how: str) -> None:
    forger = world.forger
    if how == "none":
        forger.signs = None
    elif how == "stranger's key":
        forger.signs = RSAKey.generate_key(2048, {"kid": "1"})
    elif how == "public key as secret":
        forger.signs = OctKey.import_key(str(forger.keys[0].as_dict(private=False)))
        forger.header = {"alg": "HS256", "kid": "1"}
    elif how == "cut":
        forger.answers["token"] = JSONResponse({"id_token": "a.b.c"})
    else:
        forger.answers["token"] = JSONResponse({"access_token": "a"})
    found = world.log_in()
    assert (found.status_code, UNTRUE in found.text, world.is_in) == (403, True, False)


def test_keys_that_the_provider_changes_are_taken_at_once_and_old_ones_no_more(world: World) -> None:
    world.log_in()
    old, new = world.forger.keys[0], RSAKey.generate_key(2048, {"kid": "2"})
    world.forger.keys = [new]
    world.client.cookies.clear()
    assert world.log_in().status_code == 403  # signed by the old one still
    world.forger.signs, world.forger.header = new, {"alg": "RS256", "kid": "2"}
    world.log_in()
    assert (old.kid, world.is_in) == ("1", True)


def test_an_account_that_is_not_open_here_is_told_so(world: World) -> None:
    for claims in ({"preferred_username": "nobody"}, {"sub": "s-2"}):
        world.forger.claims = claims
        found = world.log_in()
        assert (found.status_code, UNKNOWN in found.text, world.is_in) == (403, True, False)


def test_an_answer_is_good_once_and_in_the_browser_that_asked(world: World) -> None:
    state = world.begin()["state"]
    with httpx.Client(base_url=world.client.base_url, trust_env=False) as elsewhere:
        found = elsewhere.get(sign_on.BACK, params={"code": CODE, "state": state})
        assert (found.status_code, AGAIN in found.text) == (403, True)
    copied = dict(world.client.cookies)
    assert world.come_back(code=CODE, state=state).status_code == 200
    world.client.cookies.clear()
    world.client.cookies.update(copied)
    assert (world.come_back(code=CODE, state=state).status_code, world.is_in) == (403, False)
    assert len(world.forger.exchanged) == 1  # the code went to the provider once


def test_an_answer_of_another_login_or_too_late_is_none(world: World) -> None:
    assert world.come_back(code=CODE, state="").status_code == 403
    world.begin()
    assert world.come_back(code=CODE, state="another").status_code == 403
    assert world.come_back(code=CODE, state="\udcff".encode("utf-8", "replace").decode()).status_code == 403
    state = world.begin()["state"]
    world.now_s += BEGUN_S
    assert AGAIN in world.come_back(code=CODE, state=state).text
    assert world.forger.exchanged == []


@pytest.mark.parametrize(
    "query", [{"error": "access_denied"}, {"code": CODE, "iss": "https://evil.example"}, {"code": ""}]
)
def test_who_is_refused_there_is_refused_here(world: World, query: dict[str, str]) -> None:
    found = world.come_back(state=world.begin()["state"], **query)
    assert (found.status_code, UNTRUE in found.text, world.is_in) == (403, True, False)
    assert world.forger.exchanged == []


@pytest.mark.parametrize(
    ("name", "answer", "status"),
    [
        ("token", JSONResponse({"error": "invalid_grant"}, 400), 403),
        ("token", PlainTextResponse("down", 500), 503),
        ("token", RedirectResponse("https://evil.example/"), 503),
        ("token", PlainTextResponse("[" * 100_000), 503),
        ("token", JSONResponse(["x"]), 503),
        ("keys", PlainTextResponse("gone", 404), 503),
        ("keys", JSONResponse({"keys": [{"kty": "x"}]}), 403),
        ("keys", JSONResponse({}), 403),
    ],
)
def test_a_provider_that_fails_half_way_lets_nobody_in(
    world: World, name: str, answer: Response, status: int
) -> None:
    world.forger.answers[name] = answer
    assert (world.log_in().status_code, world.is_in) == (status, False)


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://evil.example/"},
        {"token_endpoint": "http://evil.example/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "https://[x"},
        {"jwks_uri": None},
    ],
)
def test_what_is_published_leads_nowhere_that_others_can_read(
    world: World, published: dict[str, Any]
) -> None:
    world.forger.published = published
    found = world.client.get("/login/provider")
    assert (found.status_code, AWAY in found.text) == (503, True)


def test_a_provider_that_is_slow_or_away_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = world.begin()["state"]
    monkeypatch.setattr(providing, "PATIENCE_S", 0.2)
    world.forger.hangs = True
    assert AWAY in world.come_back(code=CODE, state=state).text
    assert AWAY in world.client.get("/login/provider").text
    world.provider.issuer = "http://127.0.0.1:1"
    found = world.client.get("/login/provider", headers={"accept-language": "zh"})
    assert (found.status_code, "没有响应" in found.text, world.is_in) == (503, True, False)


def test_a_login_while_the_database_is_away_says_so(world: World) -> None:
    world.fails = psycopg.OperationalError("away")
    found = world.log_in()
    assert (found.status_code, "The database cannot be reached" in found.text) == (503, True)


def test_no_other_address_of_this_machine_is_sent_there(world: World) -> None:
    assert world.client.get("/login/provider", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_login_leads_nowhere_else(world: World, to: str) -> None:
    asked = world.begin(to=to)
    assert 'content="0;url=/"' in world.come_back(code=CODE, state=asked["state"]).text


def test_where_it_leads_is_no_markup(world: World) -> None:
    asked = world.begin(to="/clinic\"><script>alert(1)</script>'")
    page = world.come_back(code=CODE, state=asked["state"]).text
    assert re.findall(r"<script>", page) == []


def test_what_is_logged_holds_nothing_that_came(world: World) -> None:
    with structlog.testing.capture_logs() as logs:
        world.log_in()
        world.forger.claims = {"aud": "secret-audience", "preferred_username": "mallory"}
        world.log_in()
        world.forger.claims = {"preferred_username": "mallory"}
        world.log_in()
        world.come_back(code=CODE, state="x")
    told = [one["event"] for one in logs]
    assert told == ["logged_in", "provider_not_believed", "unknown_at_provider", "login_not_begun"]
    assert logs[1]["why"] == "InvalidClaimError aud"
    for never in (world.forger.token, CODE, SECRET, "secret-audience", "mallory", world.forger.nonce):
        assert never not in str(logs)


def test_only_so_many_logins_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_on, "MOST_BEGUN", 2)
    state = world.begin()["state"]
    first = dict(world.client.cookies)
    world.begin()
    world.begin()
    world.client.cookies.clear()
    world.client.cookies.update(first)
    assert AGAIN in world.come_back(code=CODE, state=state).text
