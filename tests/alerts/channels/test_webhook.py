"""The webhook against a real receiver: what is a success, what may be tried again, and what is never said."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from dataclasses import replace

import pytest

from alerts.channels.webhook import Webhook, body
from alerts.notify import NotifyError, Page, Reason, Strip, key_of
from schemas.records import Priority
from tests.alerts.receiver import Answer, Receiver, drip, hang_up, say_nothing, slow, status, twice

PAGE = Page(
    key=key_of("an alert", "RAISED", "webhook"),
    what="RAISED",
    alert="an alert",
    device="mon-17",
    patient="P-1",
    condition="ASYSTOLE",
    priority=Priority.HIGH,
    text="!!! Asystole\nTemperatur 37 °C",
    onset_ns=1_700_000_000_250_000_000,
    decided_ns=1_700_000_004_250_000_000,
    evidence={"pause_s": 4.2, "hr_bpm": float("nan")},
)


def failure(webhook: Webhook) -> NotifyError:
    with pytest.raises(NotifyError) as found:
        webhook.send(PAGE)
    return found.value


def test_a_page_is_posted_as_json_with_its_key() -> None:
    with Receiver() as receiver:
        webhook = Webhook(receiver.url)
        webhook.send(PAGE)
        webhook.send(replace(PAGE, evidence={"pause_s": 5.0}))
        webhook.close()
    (first, told), (second, _) = receiver.raw
    assert first == second == PAGE.key
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert told == {
        "key": PAGE.key,
        "what": "RAISED",
        "alert": "an alert",
        "device": "mon-17",
        "patient": "P-1",
        "condition": "ASYSTOLE",
        "priority": "HIGH",
        "text": "!!! Asystole\nTemperatur 37 °C",
        "onset_ns": 1_700_000_000_250_000_000,
        "decided_ns": 1_700_000_004_250_000_000,
        "ended_ns": None,
        "onset": "2023-11-14T22:13:20.250Z",
        "decided": "2023-11-14T22:13:24.250Z",
        "ended": None,
        "facility": "",
        "account": "",
        "channel": "",
        "evidence": {"pause_s": 4.2, "hr_bpm": None},
        "link": "",
        "strip": None,
    }


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_only_a_status_of_2xx_says_that_it_was_taken(code: int) -> None:
    with Receiver(status(code, b"" if code == 204 else b"x" * 200_000)) as receiver:
        Webhook(receiver.url).send(PAGE)


@pytest.mark.parametrize("answer", [slow, twice])
def test_a_receiver_that_is_slow_or_answers_twice_has_taken_it_once(answer: Answer) -> None:
    with Receiver(answer) as receiver:
        webhook = Webhook(receiver.url)
        webhook.send(PAGE)
        webhook.send(replace(PAGE, key="another"))
    assert [key for key, _ in receiver.raw] == [PAGE.key, "another"]


def test_a_receiver_that_takes_a_page_and_says_that_it_has_not_gets_it_again_under_its_key() -> None:
    with Receiver(status(500)) as receiver:
        webhook = Webhook(receiver.url)
        assert failure(webhook).retryable
        webhook.send(PAGE)
    assert [key for key, _ in receiver.raw] == [PAGE.key] * 2
    assert len(receiver.pages) == 1


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (status(500), Reason.SERVER_ERROR, True),
        (status(503), Reason.SERVER_ERROR, True),
        (status(408), Reason.SERVER_ERROR, True),
        (status(429), Reason.TOO_MANY, True),
        (status(400), Reason.REFUSED, False),
        (status(401), Reason.REFUSED, False),
        (status(404), Reason.REFUSED, False),
        (status(302), Reason.REDIRECTED, False),
        (hang_up, Reason.NO_HTTP, True),
        (say_nothing, Reason.TIMEOUT, True),
        (drip, Reason.TIMEOUT, True),
    ],
)
def test_every_other_end_says_why_and_whether_a_retry_helps(
    answer: Answer, reason: Reason, retryable: bool
) -> None:
    with Receiver(answer) as receiver:
        error = failure(Webhook(receiver.url, timeout_s=0.5))
        assert (error.reason, error.retryable) == (reason, retryable)
        Webhook(receiver.url).send(PAGE)  # the next attempt is another


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = failure(Webhook(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert (error.reason, error.retryable) == (Reason.UNREACHABLE, True)


def test_a_connection_that_nobody_accepts_ends_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        error = failure(Webhook(url, timeout_s=0.3))
    assert (error.reason, error.retryable) == (Reason.TIMEOUT, True)


def test_a_receiver_that_speaks_no_tls_is_none() -> None:
    with Receiver() as receiver:
        error = failure(Webhook(receiver.url.replace("http://", "https://"), timeout_s=2.0))
    assert (error.reason, error.retryable) == (Reason.UNREACHABLE, True)


@pytest.mark.parametrize(
    "url", ["", "hook", "ftp://host/", "http://", "http://h:port/", "https:///path", "host:80/x"]
)
def test_what_is_no_address_is_refused_at_once_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^a webhook's address has the form https://host/path$"):
        Webhook(url)


@pytest.mark.parametrize("answer", [status(500), status(404), hang_up, say_nothing])
def test_no_address_is_in_an_error_or_in_a_log(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Receiver(answer) as receiver:
        error = failure(Webhook(receiver.url, timeout_s=0.3))
        Webhook(receiver.url).send(PAGE)
    said = caplog.text + "".join(traceback.format_exception(error)) + repr(error)
    assert "secret-token" not in said
    assert "127.0.0.1" not in said


def test_a_key_is_made_of_alert_what_and_channel_alone() -> None:
    keys = [key_of(a, w, c) for a in ("1", "2") for w in ("RAISED", "LATE") for c in ("webhook", "sms")]
    assert len(set(keys)) == 8
    assert keys[0] == key_of("1", "RAISED", "webhook")


def test_the_strip_is_in_it_as_base64() -> None:
    page = replace(PAGE, strip=Strip(b"a picture", b"to print", "ECG of lead II"))
    assert json.loads(body(page))["strip"] == {"alt": "ECG of lead II", "png": "YSBwaWN0dXJl"}


def test_a_number_that_json_does_not_have_is_null() -> None:
    page = replace(PAGE, evidence={"a": float("inf"), "b": float("-inf"), "c": float("nan"), "d": 1.0})
    assert json.loads(body(page))["evidence"] == {"a": None, "b": None, "c": None, "d": 1.0}
