"""Pages by e-mail (SMTP, RFC 5321).

The address is apprise's (``mailtos://user:password@host?from=…&to=…``); the delivery is our own, since
apprise neither says which refusals may pass nor keeps a Message-ID.
"""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate

from apprise.plugins.email import NotifyEmail

from alerts.channels.addresses import plugin_of
from alerts.channels.attempt import Attempts
from alerts.channels.http import IDEMPOTENCY_KEY
from alerts.channels.wording import details, title
from alerts.notify import NotifyError, Page, Reason
from schemas.records import Priority

_IMPORTANCE = {Priority.HIGH: "high", Priority.MEDIUM: "normal", Priority.LOW: "low"}
_ROOM = 100_000


class Mail:
    """Sends pages to one person's mailbox; one thread at a time.

    Args:
        url: ``mailto:`` (plain) or ``mailtos:`` (TLS), as apprise writes it.
        timeout_s: of an attempt as a whole.

    Raises:
        ValueError: it is no such address, or has more than one recipient.
    """

    takes_pictures = True

    def __init__(self, url: str, *, timeout_s: float = 15.0) -> None:
        plugin = plugin_of(url, timeout_s)
        if not isinstance(plugin, NotifyEmail):
            form = "an e-mail address has the form mailtos://user:password@host?from=…&to=…"
            raise ValueError(form)  # noqa: TRY004
        if len(plugin.targets) != 1 or plugin.cc or plugin.bcc:
            raise ValueError("an e-mail address has one recipient, so that it is known who has the page")
        self._server = plugin
        self._sender = str(plugin.from_addr[1])
        self._recipient = str(plugin.targets[0][1])
        self._attempts = Attempts(timeout_s)

    def send(self, page: Page) -> None:
        """Send a page; return when the server has taken it for this recipient.

        Raises:
            NotifyError: it has not. A reply of 4xx may pass, one of 5xx does not (RFC 5321, 4.2.1).
        """
        self._attempts.run(lambda: self._try(self._message(page)))

    def close(self) -> None:
        """Do nothing: each attempt has a connection of its own."""

    def _message(self, page: Page) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = self._recipient
        message["Subject"] = title(page)
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{page.key}@{self._sender.rpartition('@')[2]}>"
        message["Importance"] = _IMPORTANCE[page.priority]
        message[IDEMPOTENCY_KEY] = page.key
        message.set_content(f"{title(page)}\n{details(page, _ROOM)}\n")
        if page.strip is not None:
            message.add_attachment(
                page.strip.png, maintype="image", subtype="png", filename="strip.png", disposition="inline"
            )
            message.add_attachment(
                page.strip.pdf, maintype="application", subtype="pdf", filename="strip.pdf"
            )
        return message

    def _try(self, message: EmailMessage) -> None:
        try:
            server = self._connected()
            try:
                server.send_message(message)
                # A farewell that nobody waits to hear answered: the page is taken, whatever becomes of it.
                with suppress(OSError):
                    server.putcmd("QUIT")
            finally:
                server.close()
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(next(iter(error.recipients.values()))[0]) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except smtplib.SMTPServerDisconnected:
            raise NotifyError(Reason.BROKEN_OFF, retryable=True) from None
        except smtplib.SMTPException:  # the server lacks what we need: TLS, a way to log in, UTF-8
            raise NotifyError(Reason.REFUSED, retryable=False) from None
        except TimeoutError:
            raise NotifyError(Reason.TIMEOUT, retryable=True) from None
        except OSError:
            raise NotifyError(Reason.UNREACHABLE, retryable=True) from None

    def _connected(self) -> smtplib.SMTP:
        at = self._server
        host, port = str(at.smtp_host), int(at.port or smtplib.SMTP_PORT)
        context, patience_s = ssl.create_default_context(), self._attempts.patience_s
        if at.secure_mode == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=patience_s, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=patience_s)
        try:
            if at.secure_mode == "starttls":
                server.starttls(context=context)
            if at.user and at.password:
                server.login(at.user, at.password)
        except BaseException:
            server.close()
            raise
        return server


def _refused(code: int) -> NotifyError:
    if 400 <= code < 500:
        return NotifyError(Reason.SERVER_ERROR, retryable=True)
    return NotifyError(Reason.REFUSED, retryable=False)
