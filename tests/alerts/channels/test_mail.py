"""E-mail to a real SMTP server on loopback that takes, refuses, puts off, and hangs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from alerts.channels.mail import Mail
from alerts.notify import NotifyError, Reason
from tests.alerts.channels.conftest import Identity
from tests.alerts.channels.mailbox import Mailbox, address, listening
from tests.alerts.channels.pages import KEY_LINE, PAGE, PAPER, PICTURE


@contextmanager
def served(mailbox: Mailbox, mode: str = "insecure", **how: Any) -> Iterator[Mail]:
    with listening(mailbox, **how) as port:
        yield Mail(address(port, mode))


def failure(mail: Mail) -> tuple[Reason, bool]:
    with pytest.raises(NotifyError) as found:
        mail.send(PAGE)
    return found.value.reason, found.value.retryable


def test_a_message_holds_text_picture_paper_and_key() -> None:
    mailbox = Mailbox()
    with served(mailbox) as mail:
        mail.send(PAGE)
        mail.send(PAGE)
    one, again = mailbox.taken
    assert one["Message-ID"] == again["Message-ID"] == f"<{PAGE.key}@centre.example>"
    assert one["Idempotency-Key"] == PAGE.key
    assert one["Subject"] == "!!! Asystole, St. Elsewhere"
    assert (one["To"], one["Importance"]) == ("li@ward.example", "high")
    text, picture, paper = one.iter_parts()
    assert text.get_content().splitlines()[0] == one["Subject"]
    assert text.get_content().splitlines()[-1] == KEY_LINE
    assert (picture.get_content_type(), picture.get_content()) == ("image/png", PICTURE)
    assert picture.get_content_disposition() == "inline"
    assert (paper.get_content_type(), paper.get_content()) == ("application/pdf", PAPER)
    assert (paper.get_content_disposition(), paper.get_filename()) == ("attachment", "strip.pdf")


@pytest.mark.parametrize(
    ("mailbox", "reason", "retryable"),
    [
        (Mailbox(at_recipient="550 no such user"), Reason.REFUSED, False),
        (Mailbox(at_recipient="451 greylisted, come again"), Reason.SERVER_ERROR, True),
        (Mailbox(at_message="552 too much"), Reason.REFUSED, False),
        (Mailbox(at_message="452 no room just now"), Reason.SERVER_ERROR, True),
        (Mailbox(at_message="421 going down"), Reason.SERVER_ERROR, True),
    ],
)
def test_a_refusal_of_4xx_may_pass_and_one_of_5xx_does_not(
    mailbox: Mailbox, reason: Reason, retryable: bool
) -> None:
    with served(mailbox) as mail:
        assert failure(mail) == (reason, retryable)
        assert mailbox.taken == []


def test_who_is_greylisted_comes_again_with_the_same_message() -> None:
    mailbox = Mailbox(at_recipient="451 greylisted, come again")
    with served(mailbox) as mail:
        assert failure(mail) == (Reason.SERVER_ERROR, True)
        mailbox.at_recipient = "250 OK"
        mail.send(PAGE)
    assert [message["Idempotency-Key"] for message in mailbox.taken] == [PAGE.key]


def test_a_server_that_does_not_greet_ends_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        mail = Mail(address(silent.getsockname()[1]), timeout_s=0.3)
        assert failure(mail) == (Reason.TIMEOUT, True)


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert failure(Mail(address(unused.getsockname()[1]))) == (Reason.UNREACHABLE, True)


@pytest.mark.parametrize(("mode", "how"), [("starttls", "tls_context"), ("ssl", "ssl_context")])
def test_with_tls_only_a_server_that_is_trusted_gets_a_page(
    mode: str, how: str, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    with served(mailbox, mode, **{how: identity.context}) as mail:
        assert failure(mail) == (Reason.UNREACHABLE, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(identity.trusted))
        mail.send(PAGE)
    assert len(mailbox.taken) == 1


def test_a_server_without_tls_gets_no_page_where_tls_is_asked_for() -> None:
    mailbox = Mailbox()
    with served(mailbox, "starttls") as mail:
        assert failure(mail) == (Reason.REFUSED, False)
    assert mailbox.taken == []


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://secret",
        "mailto://127.0.0.1?from=a@b.example&to=secret@b.example,wang@b.example",
        "mailto://127.0.0.1?from=a@b.example&to=secret@b.example&cc=wang@b.example",
    ],
)
def test_an_address_is_of_one_mailbox(url: str) -> None:
    with pytest.raises(ValueError, match=r"^an e-mail address has ") as found:
        Mail(url)
    assert "secret" not in str(found.value)
