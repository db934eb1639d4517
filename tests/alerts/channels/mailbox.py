"""A real SMTP server on loopback that takes, refuses and puts off."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """Answers what it is told to: at a recipient, then at a message; keeps what it took."""

    def __init__(self, at_recipient: str = "250 OK", at_message: str = "250 OK") -> None:
        self.at_recipient, self.at_message = at_recipient, at_message
        self.taken: list[EmailMessage] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.at_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_recipient

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return "500 what a farewell is answered matters to nobody"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.at_message.startswith("250"):
            self.taken.append(email.message_from_bytes(envelope.content, policy=default))
        return self.at_message


@contextmanager
def listening(mailbox: Mailbox, **how: Any) -> Iterator[int]:
    """Serve a mailbox; give its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **how)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def address(port: int, mode: str = "insecure") -> str:
    return f"mailtos://127.0.0.1:{port}?mode={mode}&from=centre@centre.example&to=li@ward.example"
