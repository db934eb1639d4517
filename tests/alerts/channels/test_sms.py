"""Text messages to a real message centre on loopback."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace

import pytest
import smpp34

from alerts.channels.sms import Sms
from alerts.notify import NotifyError, Reason
from tests.alerts.channels.message_centre import MessageCentre
from tests.alerts.channels.pages import PAGE

TO = "20000000000"  # nobody's


def sms(port: int, timeout_s: float = 5.0) -> Sms:
    return Sms(f"smpp://user:secret@127.0.0.1:{port}/10000000000/{TO}", timeout_s=timeout_s)


def failure(channel: Sms) -> tuple[Reason, bool]:
    with pytest.raises(NotifyError) as found:
        channel.send(PAGE)
    return found.value.reason, found.value.retryable


def test_one_part_that_begins_with_priority_and_condition_and_ends_with_the_key() -> None:
    with MessageCentre() as centre:
        sms(centre.port).send(PAGE)
    ((to, text),) = centre.taken
    assert to == TO
    assert len(text) <= 160
    assert text.startswith(b"!!! Asystole, St. Elsewhere, 2023-11-14T22:13:20.250Z, mon-17")
    assert text.endswith(f"; key {PAGE.key}".encode())


def test_what_is_not_in_the_telephones_alphabet_goes_in_parts_and_all_of_them() -> None:
    with MessageCentre() as centre:
        sms(centre.port).send(replace(PAGE, facility="三号病房"))
    parts = [text[6:].decode("utf-16-be") for _, text in centre.taken]  # behind the header of each part
    assert len(parts) > 1
    assert "".join(parts).startswith("!!! Asystole, 三号病房, ")
    assert "".join(parts).endswith(PAGE.key)


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (smpp34.ESME_RTHROTTLED, Reason.TOO_MANY, True),
        (smpp34.ESME_RMSGQFUL, Reason.TOO_MANY, True),
        (smpp34.ESME_RSYSERR, Reason.SERVER_ERROR, True),
        (smpp34.ESME_RINVDSTADR, Reason.REFUSED, False),
    ],
)
def test_a_refusal_is_heard(status: int, reason: Reason, retryable: bool) -> None:
    with MessageCentre(status) as centre:
        channel = sms(centre.port)
        assert failure(channel) == (reason, retryable)
        assert centre.taken == []
        channel.send(PAGE)
        assert len(centre.taken) == 1


def test_a_part_that_is_refused_is_no_page_taken() -> None:
    with MessageCentre(smpp34.ESME_ROK, smpp34.ESME_RTHROTTLED) as centre, pytest.raises(NotifyError):
        sms(centre.port).send(replace(PAGE, facility="三号病房"))


def test_a_centre_that_never_answers_ends_in_time() -> None:
    with MessageCentre(None) as centre:
        assert failure(sms(centre.port, timeout_s=0.5)) == (Reason.TIMEOUT, True)


def test_a_centre_that_does_not_speak_ends_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        assert failure(sms(silent.getsockname()[1], timeout_s=0.3)) == (Reason.TIMEOUT, True)


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert failure(sms(unused.getsockname()[1])) == (Reason.UNREACHABLE, True)


def test_nothing_of_an_address_is_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with MessageCentre(smpp34.ESME_RINVDSTADR) as centre:
        failure(sms(centre.port))
        sms(centre.port).send(PAGE)
    assert not {"secret", TO, "127.0.0.1"} & set(caplog.text.replace(":", " ").split())


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://secret",
        "smpps://user:secret@centre.example/10000000000/20000000000",
        "smpp://user:secret@centre.example/10000000000/20000000000/30000000000",
    ],
)
def test_an_address_is_of_one_telephone(url: str) -> None:
    with pytest.raises(ValueError, match=r"^a text message's address has ") as found:
        Sms(url)
    assert "secret" not in str(found.value)
