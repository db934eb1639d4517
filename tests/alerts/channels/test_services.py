"""Services by apprise against a real receiver: what counts is what the service has answered."""

from __future__ import annotations

import logging
import threading
import traceback
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace

import pytest
import requests
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

from alerts.channels.services import Service
from alerts.notify import NotifyError, Reason
from tests.alerts.channels.pages import KEY_LINE, PAGE, PICTURE
from tests.alerts.receiver import Answer, Receiver, drip, hang_up, say_nothing, slow, status

WHERE = "secrettoken"
ROBOTS = {
    "dingtalk": NotifyDingTalk,
    "wecombot": NotifyWeComBot,
    "feishu": NotifyFeishu,
}
OK = b'{"errcode": 0, "errmsg": "ok", "code": 0}'

Robot = Callable[..., Service]


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Robot:
    """A robot of a service, which stands here instead."""

    def made(kind: str, receiver: Receiver, timeout_s: float = 5.0) -> Service:
        monkeypatch.setattr(ROBOTS[kind], "notify_url", receiver.url)
        return Service(f"{kind}://{WHERE}", timeout_s=timeout_s)

    return made


def json_service(receiver: Receiver, timeout_s: float = 5.0) -> Service:
    return Service(receiver.url.replace("http://", "json://"), timeout_s=timeout_s)


def failure(service: Service) -> tuple[Reason, bool]:
    with pytest.raises(NotifyError) as found:
        service.send(PAGE)
    return found.value.reason, found.value.retryable


@pytest.mark.parametrize(
    ("kind", "text_of"),
    [
        ("dingtalk", lambda told: told["text"]["content"]),
        ("wecombot", lambda told: told["text"]["content"]),
        ("feishu", lambda told: told["content"]["text"]),
    ],
)
def test_a_message_begins_with_priority_condition_and_place_and_ends_with_its_key(
    robot: Robot, kind: str, text_of: Callable[[dict[str, dict[str, str]]], str]
) -> None:
    with Receiver(status(200, OK)) as receiver:
        robot(kind, receiver).send(PAGE)
    ((key, told),) = receiver.raw
    lines = text_of(told).splitlines()
    assert lines[0] == "!!! Asystole, St. Elsewhere"
    assert lines[1:] == [
        "device mon-17, patient P-1",
        "since 2023-11-14T22:13:20.250Z",
        "pause 4.2 s, SpO2 < 80 %",
        "https://centre.example/alerts/1",
        KEY_LINE,
    ]
    assert key == PAGE.key


@pytest.mark.parametrize(
    ("kind", "answer", "reason", "retryable"),
    [
        ("dingtalk", b'{"errcode": 130101, "errmsg": "send too fast"}', Reason.TOO_MANY, True),
        ("dingtalk", b'{"errcode": -1, "errmsg": "system busy"}', Reason.SERVER_ERROR, True),
        ("dingtalk", b'{"errcode": 310000, "errmsg": "keywords not in content"}', Reason.REFUSED, False),
        ("wecombot", b'{"errcode": 45009, "errmsg": "api freq out of limit"}', Reason.TOO_MANY, True),
        ("wecombot", b'{"errcode": 93000, "errmsg": "invalid webhook url"}', Reason.REFUSED, False),
        ("feishu", b'{"code": 11232, "msg": "frequency limited"}', Reason.TOO_MANY, True),
        ("feishu", b'{"code": 19001, "msg": "param invalid"}', Reason.REFUSED, False),
        ("dingtalk", b"<html>Sign in to the hotel's network</html>", Reason.OTHER, True),
        ("wecombot", b"[]", Reason.OTHER, True),
        ("feishu", b'{"welcome": 0}', Reason.OTHER, True),
    ],
)
def test_a_service_that_says_200_and_refuses_is_not_believed(
    robot: Robot, kind: str, answer: bytes, reason: Reason, retryable: bool
) -> None:
    with Receiver(status(200, answer), status(200, OK)) as receiver:
        service = robot(kind, receiver)
        assert failure(service) == (reason, retryable)
        service.send(PAGE)


def test_feishu_may_answer_in_its_older_way(robot: Robot) -> None:
    with Receiver(status(200, b'{"StatusCode": 0, "StatusMessage": "success"}')) as receiver:
        robot("feishu", receiver).send(PAGE)


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (status(500), Reason.SERVER_ERROR, True),
        (status(429), Reason.TOO_MANY, True),
        (status(404), Reason.REFUSED, False),
        (status(302), Reason.REDIRECTED, False),
        (hang_up, Reason.BROKEN_OFF, True),
        (say_nothing, Reason.TIMEOUT, True),
        (drip, Reason.TIMEOUT, True),
    ],
)
def test_every_other_end_says_why_and_whether_a_retry_helps(
    answer: Answer, reason: Reason, retryable: bool
) -> None:
    with Receiver(answer) as receiver:
        service = json_service(receiver, timeout_s=0.5)
        assert failure(service) == (reason, retryable)
        service.send(PAGE)  # the next attempt is another
        assert [key for key, _ in receiver.raw] == [PAGE.key] * 2


def test_what_others_ask_the_web_is_not_touched() -> None:
    with Receiver(status(302)) as receiver:
        assert requests.post(receiver.url, json={}, timeout=5, allow_redirects=False).status_code == 302
    assert [key for key, _ in receiver.raw] == [None]


def test_a_slow_service_is_waited_for() -> None:
    with Receiver(slow) as receiver:
        json_service(receiver).send(PAGE)


def test_what_hangs_is_left_to_itself_but_no_more_than_two() -> None:
    before = set(threading.enumerate())
    with Receiver(drip, drip) as receiver:
        service = json_service(receiver, timeout_s=0.3)
        for _ in range(4):
            assert failure(service) == (Reason.TIMEOUT, True)
        left = [t for t in threading.enumerate() if t.name == "attempt" and t not in before]
        assert len(left) == len(receiver.raw) == 2
        receiver.over.set()
        for thread in left:
            thread.join(10)
        service.send(PAGE)


def test_the_strip_goes_with_it_where_the_service_takes_pictures(robot: Robot) -> None:
    with Receiver() as receiver:
        json_service(receiver).send(PAGE)
    ((_, told),) = receiver.raw
    (picture,) = told["attachments"]
    assert (picture["filename"], picture["mimetype"]) == ("strip.png", "image/png")
    assert b64decode(picture["base64"]) == PICTURE
    assert told["type"] == "failure"


def test_a_long_text_loses_its_end_but_neither_link_nor_key(robot: Robot) -> None:
    long = "\n".join(["!!! Asystole", *("心" * 30 for _ in range(40))])
    with Receiver(status(200, OK)) as receiver:
        robot("wecombot", receiver).send(replace(PAGE, text=long))
    ((_, told),) = receiver.raw
    content = told["text"]["content"]
    assert 1500 < len(content.encode()) <= 2048
    assert content.splitlines()[-2:] == [PAGE.link, KEY_LINE]


@pytest.mark.parametrize("url", ["", "dingtalk://", "nosuch://token", "not an address"])
def test_what_apprise_does_not_know_is_refused_at_once_and_not_shown(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^not an address that apprise knows: see its page on this service$"
    ):
        Service(url)


def test_certificates_are_checked() -> None:
    with pytest.raises(ValueError, match="verify=no"):
        Service(f"dingtalk://{WHERE}/?verify=no")


@pytest.mark.parametrize("answer", [status(500), status(200, b'{"errcode": 1}'), hang_up, say_nothing])
def test_no_address_is_in_an_error_or_in_a_log(
    robot: Robot, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Receiver(answer, status(200, OK)) as receiver:
        service = robot("dingtalk", receiver, timeout_s=0.3)
        with pytest.raises(NotifyError) as found:
            service.send(PAGE)
        service.send(PAGE)
    said = caplog.text + "".join(traceback.format_exception(found.value)) + repr(found.value)
    assert "secret" not in said
    assert "127.0.0.1" not in said
