"""Logging in by a real OpenID Connect provider, in a process of its own, in a real browser."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ecgstream.monitor.app import make_app
from ecgstream.monitor.provider import Provider
from ecgstream.monitor.service import routes
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.workshop import Workshop
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import House, made_house

SUBJECT = "s-1"


@pytest.fixture(scope="module", params=["plain"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (house, _app):
        yield house


@pytest.fixture(scope="module")
def issuer(house: House) -> Iterator[str]:
    """On localhost, which to a browser is another site than 127.0.0.1, where the monitor is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = json.dumps({"sub": SUBJECT, "preferred_username": house.account("clinic_a")})
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    running = subprocess.Popen([*command, "--user-claims", told], stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        for line in running.stderr:
            if "running on" in line:
                break
        yield f"http://localhost:{port}"
    finally:
        running.kill()
        running.communicate()


@pytest.fixture
def context(house: House, issuer: str, chromium: Browser) -> Iterator[BrowserContext]:
    provider = Provider(issuer, "monitor", "secret", "preferred_username")
    stored = Stored(house.login)
    app = make_app(routes("", stored, house.sources._replace(provider=provider), Workshop(house.login)))
    with served(app) as client:
        base = str(client.base_url).rstrip("/")
        found = chromium.new_context(base_url=base, viewport={"width": 1366, "height": 768}, locale="en-GB")
        found.set_default_timeout(60_000)
        yield found
        found.close()
    stored.close()


def sign_on(page: Page, subject: str = SUBJECT) -> None:
    page.get_by_role("link", name=re.compile("^(Log in with|通过) ?localhost")).click()
    page.get_by_role("textbox", name="sub").fill(subject)
    page.get_by_role("button", name="Authorize").click()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_browser_goes_there_and_comes_back_logged_in(
    house: House, context: BrowserContext, tmp_path: Path, language: str
) -> None:
    shots = Path(os.environ.get("ECGSTREAM_SCREENSHOTS", tmp_path))
    page = context.new_page()
    said: list[str] = []
    # The provider's own page asks for a style from elsewhere.
    page.on("console", lambda m: said.append(m.text) if "127.0.0.1" in m.location["url"] else None)
    page.goto(f"/language/{language}?to=/clinic")
    page.screenshot(path=shots / f"sign-on-{language}.png")
    sign_on(page)
    page.wait_for_url("**/clinic")
    expect(page.locator(".who")).to_have_text(house.account("clinic_a"))
    assert said == []
    page.get_by_role("button", name=re.compile("Log out|退出")).click()
    page.wait_for_url("**/login")
    sign_on(page, "stranger")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(
        re.compile("cannot be believed|不可信")
    )
    page.screenshot(path=shots / f"sign-on-refused-{language}.png")
    page.goto("/clinic")
    page.wait_for_url("**/login?to=%2Fclinic")


def test_the_database_says_which_account_a_name_may_open(house: House, context: BrowserContext) -> None:
    there, other = "https://login.example", "https://other.example"
    mine, yours = house.account("clinic_a"), house.account("clinic_b")
    stored = Stored(house.login)
    try:
        assert stored.is_at(mine, there, "1")
        assert not stored.is_at("nobody", there, "1")
        assert not stored.is_at("x'; --", there, "1")
        with connect(house.url, role="ecg_registry") as registry:
            registry.execute(
                "UPDATE ecg.person SET oidc_issuer = %s, oidc_subject = '1', password_hash = NULL,"
                " changed_by = account WHERE account = %s",
                (there, mine),
            )
        assert stored.is_at(mine, there, "1")
        assert not stored.is_at(mine, there, "2")  # somebody else who has got the name
        assert not stored.is_at(mine, other, "1")
        assert not stored.is_at(yours, there, "1")  # the same one, under another name
        assert stored.is_at(yours, there, "2")
        assert not stored.check_password(mine, "")  # an account without password has none that is right
        with connect(house.url, role="ecg_registry") as registry:
            registry.execute("UPDATE ecg.person SET disabled = true WHERE account = %s", (yours,))
        assert not stored.is_at(yours, there, "2")
    finally:
        stored.close()
