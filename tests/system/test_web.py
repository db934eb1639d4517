"""The link of a page: from the pager's webhook to a browser, to who has taken it on, over a real broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from ecgstream.settings import Settings
from schemas.records import AlertState, Phase
from tests.alerts.receiver import Receiver
from tests.system.pager_ward import PATIENCE_S, PagerProcess, Ward, condition, until

CHEAP = PasswordHasher.from_parameters(CHEAPEST)


@contextmanager
def web(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`ecgstream web`, with no database."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    environment = given | settings.environment() | {"ECGSTREAM_DATABASE": ""}
    with log.open("ab") as out:
        argv = [sys.executable, "-m", "ecgstream", "web"]
        process = subprocess.Popen(argv, env=environment, stderr=out)
    try:
        until(lambda: "alerts_known" in log.read_text(), log.read_text)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_page_s_link_shows_it_and_with_a_code_it_is_taken_on(kafka: str, tmp_path: Path) -> None:
    codes = tmp_path / "codes"
    codes.touch(mode=0o600)
    codes.write_text(f"li {CHEAP.hash('428617')}\nwang {CHEAP.hash('735190')}\n")
    ward = Ward(kafka)
    more = {"web_port": 0, "link_key": "k" * 32, "codes": codes, "web_url": "http://127.0.0.1"}
    settings = Settings(**ward.settings.model_dump() | more)
    with Receiver() as receiver, web(settings, tmp_path / "web.log"):
        port = re.findall(r"web_started .*port=(\d+)", (tmp_path / "web.log").read_text())[0]
        pager = PagerProcess(settings, receiver.url, tmp_path / "pager.log")
        try:
            ward.send(condition(ward.device(), Phase.ONSET, 4))
            until(lambda: ward.paged(receiver) != {}, (tmp_path / "pager.log").read_text)
            (page,) = [p for p in receiver.pages.values() if p["device"] == ward.device()]
            link = page["link"].replace("http://127.0.0.1", f"http://127.0.0.1:{port}")
            with httpx.Client(trust_env=False) as browser:
                until(lambda: browser.get(link).status_code == 200)
                for _ in range(3):  # whatever fetches it
                    shown = browser.get(link)
                assert "Asystole" in shown.text
                assert ward.alerts() == {ward.device(): AlertState.ACTIVE}
                assert browser.post(link, data=_form("zhao", "428617")).status_code == 403
                assert ward.alerts() == {ward.device(): AlertState.ACTIVE}
                assert browser.post(link, data=_form("li", "428617")).status_code == 303
                assert ward.alerts() == {ward.device(): AlertState.ACKNOWLEDGED}
                second = browser.post(link, data=_form("wang", "735190"))
                assert second.status_code == 409
                assert "li was first" in second.text
                assert "Taken on by <strong>li</strong>" in browser.get(link).text
        finally:
            assert pager.end() == 0
    (alert,) = ward.newest().values()
    assert (alert.acknowledged_by, alert.reason) == ("li", "I go")
    told = (tmp_path / "web.log").read_text() + (tmp_path / "pager.log").read_text()
    assert link.rpartition("/")[2] not in told
    assert "428617" not in told


def _form(account: str, code: str) -> dict[str, str]:
    return {"act": "ACKNOWLEDGE", "account": account, "code": code, "reason": "I go"}
