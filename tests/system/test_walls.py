"""Screens that stand unattended: what they open and what not, how long they live, and who ends them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from ecgstream.monitor.app import make_app
from ecgstream.monitor.live import frames
from ecgstream.monitor.live import socket as socket_module
from ecgstream.monitor.service import routes
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.workshop import Workshop
from ecgstream.registry import people
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, PASSWORD, PATIENTS, House, csrf_of, log_in, made_house

CLOSED = (
    "/overview",
    "/alarms",
    "/alarms/history",
    "/clinic",
    "/duty",
    "/state",
    "/walls",
    f"/patient/{quote(PATIENTS['A'], safe='')}",
)
NAME = "<b>Room</b> 3 🛏"


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client], monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    for name, seconds in {"CHECK_S": 0.05, "ACCESS_S": 0.1}.items():
        monkeypatch.setattr(socket_module, name, seconds)
    made[1].cookies.clear()
    return made[1]


def leave(client: httpx.Client, account: str, facility: str, **more: Any) -> httpx.Response:
    csrf = csrf_of(log_in(client, account).get("/walls"))
    form = {"csrf": csrf, "name": NAME, "facility": facility, "sectors": "8", "days": "90"} | more
    return client.post("/walls", data=form)


def screen(client: httpx.Client) -> ClientConnection:
    base = str(client.base_url).rstrip("/")
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return open_socket(
        base.replace("http", "ws") + "/live",
        origin=base,  # type: ignore[arg-type]
        proxy=None,
        additional_headers={"Cookie": cookies},
    )


def beds(screen: ClientConnection) -> set[str]:
    while True:
        message = screen.recv(30)
        assert isinstance(message, bytes)
        for frame in frames.decode(message):
            if isinstance(frame, frames.Told) and frame.kind is frames.Kind.DEVICES:
                return set(frame.content["devices"])


def ended(screen: ClientConnection) -> int | None:
    """Wait until it is closed, and return by which code."""
    try:
        while True:
            screen.recv(30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def changes(house: House, account: str) -> list[tuple[str, dict[str, Any] | None, dict[str, Any]]]:
    with connect(house.url) as owner:
        return owner.execute(
            "SELECT account, before, after FROM ecg.change WHERE object = 'wall' AND key LIKE %s ORDER BY id",
            (f"{account} %",),
        ).fetchall()


def new_person(house: House, name: str, kind: Kind, facility: str) -> str:
    account = house.account(name)
    with connect(house.url, role="ecg_registry") as registry:
        people.add(registry, [Person(account, "One", (Position(kind, facility),))], "test")
        people.set_password(registry, account, PASSWORD, "test")
    return account


def test_a_wall_opens_its_page_and_its_signals_and_nothing_else(house: House, client: httpx.Client) -> None:
    account = house.account("cardiologist")
    done = leave(client, account, "A")
    assert (done.status_code, done.headers["location"]) == (303, "/wall")
    flags = next(f for f in done.headers.get_list("set-cookie") if f.startswith("wall="))
    assert all(flag in flags for flag in ("HttpOnly", "SameSite=strict", "Max-Age=7776000"))
    assert set(client.cookies) & {"session", "wall"} == {"wall"}  # nobody is logged in here any more
    page = client.get("/wall?at=B&sectors=64")
    assert 'data-at="A" data-sectors="8"' in page.text
    assert NAME not in page.text
    assert "&lt;b&gt;Room" in page.text
    for path in CLOSED:
        assert client.get(path).headers["location"].startswith("/login"), path
    assert client.get("/alive").status_code == 401
    alert = house.open_alert("A")
    form = {"act": "ACKNOWLEDGE", "reason": "x", "csrf": client.cookies["wall"]}
    assert client.post(f"/alarms/{alert.id}", data=form).headers["location"] == "/login"
    assert house.said == []
    with screen(client) as live:
        assert beds(live) == {DEVICES["A"], "d-empty"}  # of A alone, though its account sees both


def test_a_wall_lives_through_a_restart_and_is_kept_as_a_digest(house: House, client: httpx.Client) -> None:
    leave(client, house.account("clinic_a"), "A")
    cookie = client.cookies["wall"]
    stored = Stored(house.login)
    try:
        with served(make_app(routes("", stored, house.sources, Workshop(house.login)))) as anew:
            anew.cookies.update({"wall": cookie})
            assert 'data-left="&lt;b&gt;Room' in anew.get("/wall").text
            anew.cookies.update({"wall": "x"})
            assert anew.get("/wall").headers["location"].startswith("/login")
    finally:
        stored.close()
    with connect(house.url) as owner:
        newest = owner.execute("SELECT key_digest FROM ecg.wall ORDER BY said_at DESC LIMIT 1").fetchone()
        assert newest is not None
        assert bytes(newest[0]) == hashlib.sha256(cookie.encode()).digest()
        told = owner.execute("SELECT before, after FROM ecg.change WHERE object = 'wall'").fetchall()
    assert "key_digest" not in str(told)


def test_a_wall_ends_on_the_screen_when_whoever_may_ends_it(house: House, client: httpx.Client) -> None:
    mine = new_person(house, "wall_owner", Kind.CLINIC, "A")
    above = house.account("operator_a")
    leave(client, mine, "A")
    with screen(client) as live, httpx.Client(base_url=client.base_url, trust_env=False, timeout=60) as other:
        beds(live)
        for sees, name in ((False, "clinic_b"), (False, "expert"), (True, "auditor_a"), (True, "operator_a")):
            page = log_in(other, house.account(name)).get("/walls")
            assert (f"<bdi>{mine}</bdi>" in page.text) is sees, name
        (id_,) = re.findall(rf"<bdi>{mine}</bdi>.*?/walls/([^/]+)/end", page.text, re.DOTALL)
        for name in ("clinic_b", "auditor_a", "clinic_a"):
            csrf = csrf_of(log_in(other, house.account(name)).get("/walls"))
            assert other.post(f"/walls/{id_}/end", data={"csrf": csrf}).status_code == 404, name
        csrf = csrf_of(log_in(other, above).get("/walls"))
        assert other.post(f"/walls/{id_}/end", data={"csrf": "x"}).status_code == 403
        assert other.post("/walls/x/end", data={"csrf": csrf}).status_code == 404
        assert other.post(f"/walls/{id_}/end", data={"csrf": csrf}).headers["location"] == "/walls"
        assert ended(live) == socket_module.NOT_LOGGED_IN
        assert other.post(f"/walls/{id_}/end", data={"csrf": csrf}).status_code == 404
    assert client.get("/wall").headers["location"].startswith("/login")
    begun, over = changes(house, mine)
    assert (begun[0], begun[1], begun[2]["name"], begun[2]["facility"]) == (mine, None, NAME, "A")
    assert (over[0], over[2]["revoked_by"]) == (above, above)


@pytest.mark.parametrize("how", ["disabled", "displaced", "expired"])
def test_a_wall_ends_with_what_it_stands_on(house: House, client: httpx.Client, how: str) -> None:
    account = new_person(house, f"wall_{how}", Kind.CLINIC, "A")
    leave(client, account, "A")
    with screen(client) as live:
        beds(live)
        with connect(house.url, role="ecg_registry" if how != "expired" else None) as registry:
            if how == "disabled":
                people.disable(registry, account, house.account("operator_a"))
            elif how == "displaced":
                position = Position(Kind.CLINIC, "A")
                people.displace(registry, account, position, house.account("operator_a"))
            else:
                registry.execute(
                    "UPDATE ecg.wall SET said_at = said_at - interval '91 days',"
                    " until = until - interval '91 days' WHERE account = %s",
                    (account,),
                )
        assert ended(live) == socket_module.NOT_LOGGED_IN
    if how != "expired":
        assert changes(house, account)[-1][0] == house.account("operator_a")
        with connect(house.url, role="ecg_registry") as registry:  # given back, it does not come back
            if how == "disabled":
                people.enable(registry, account, house.account("operator_a"))
            else:
                people.place(registry, [(account, Position(Kind.CLINIC, "A"))], house.account("operator_a"))
    assert client.get("/wall").headers["location"].startswith("/login")


def test_nobody_leaves_a_wall_of_what_they_do_not_watch(house: House, client: httpx.Client) -> None:
    for name, facility in (("clinic_a", "B"), ("clinic_a", "R"), ("operator_a", "A"), ("service_a", "A")):
        assert leave(client, house.account(name), facility).status_code == 403, name
        assert "wall" not in client.cookies
    for wrong in ({"days": "91"}, {"sectors": "7"}, {"name": " "}, {"name": "x" * 61}, {"name": "a\x00"}):
        assert leave(client, house.account("clinic_a"), "A", **wrong).status_code == 400, wrong
    assert leave(client, house.account("clinic_a"), "A", csrf="x").status_code == 403


def test_a_wall_that_loses_the_database_keeps_what_it_shows_and_says_so(
    house: House, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(client, house.account("clinic_a"), "A")

    def away(*_: object) -> None:
        raise psycopg.OperationalError("away")

    def told(live: ClientConnection) -> bool:
        message = live.recv(30)
        assert isinstance(message, bytes)
        return any(isinstance(f, frames.State) and f.is_away for f in frames.decode(message))

    with screen(client) as live:
        beds(live)
        with monkeypatch.context() as without:
            without.setattr(Stored, "as_web", away)
            while not told(live):
                pass
            refused = client.get("/wall")
            assert (refused.status_code, refused.headers["refresh"]) == (503, "10")
        while told(live):
            pass


@pytest.mark.parametrize("language", ["en", "zh"])
def test_somebody_leaves_a_screen_and_ends_it_from_elsewhere(
    made: tuple[House, httpx.Client], chromium: Browser, tmp_path: Path, language: str
) -> None:
    house, client = made
    shots = Path(os.environ.get("ECGSTREAM_SCREENSHOTS", tmp_path))
    account = house.account("cardiologist")
    room, desk = (_context(client, chromium) for _ in range(2))
    try:
        page = _log_in(room, account, language)
        page.goto("/walls?at=A")
        page.screenshot(path=shots / f"walls-{language}.png", full_page=True)
        page.locator("input[name=name]").fill(f"Corridor {language}")
        page.get_by_role("button", name=re.compile("Leave this screen|留作监护墙")).click()
        page.wait_for_url("**/wall")
        expect(page.get_by_role("heading", level=1)).to_contain_text(f"Corridor {language}")
        expect(page.locator(".sector", has_text="d-empty")).to_be_visible()
        page.screenshot(path=shots / f"wall-left-{language}.png")
        other = _log_in(desk, account, language)
        other.goto("/walls")
        faults = Axe().run(other).response["violations"]
        assert [one["id"] for one in faults if one["impact"] in ("serious", "critical")] == []
        other.screenshot(path=shots / f"walls-list-{language}.png", full_page=True)
        other.get_by_role("button", name=re.compile(f"(End|终止) Corridor {language}")).click()
        lost = page.locator("#lost")
        expect(lost).to_contain_text(re.compile("no wall any more|不再是监护墙"), timeout=30_000)
        expect(page.locator(".sector").filter(visible=True)).to_have_count(0)
        page.screenshot(path=shots / f"wall-ended-{language}.png")
    finally:
        room.close()
        desk.close()


def _context(client: httpx.Client, chromium: Browser) -> BrowserContext:
    base = str(client.base_url).rstrip("/")
    found = chromium.new_context(base_url=base, viewport={"width": 1366, "height": 768}, locale="en-GB")
    found.set_default_timeout(60_000)
    return found


def _log_in(context: BrowserContext, account: str, language: str) -> Page:
    page = context.new_page()
    page.goto(f"/language/{language}?to=/login")
    page.get_by_label(re.compile("Account|账号")).fill(account)
    page.get_by_label(re.compile("Password|密码")).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview")
    return page
