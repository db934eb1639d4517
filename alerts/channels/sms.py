"""Pages as text messages (SMPP 3.4).

The address is apprise's (``smpp://user:password@host/from/to``); the conversation is our own, since apprise
hangs up without having heard whether the message centre took a message, and speaks no TLS where ``smpps``
asks for it. Neither do we: the line to a message centre is a private one, or a tunnel.
"""

import logging
from contextlib import suppress

from apprise.plugins.smpp import NotifySMPP
from smpplib import consts, exceptions, gsm
from smpplib.client import Client
from smpplib.smpp import make_pdu

from alerts.channels.addresses import plugin_of
from alerts.channels.attempt import Attempts
from alerts.channels.wording import short
from alerts.notify import NotifyError, Page, Reason

_MAY_PASS = {
    consts.SMPP_ESME_RTHROTTLED: Reason.TOO_MANY,
    consts.SMPP_ESME_RMSGQFUL: Reason.TOO_MANY,
    consts.SMPP_ESME_RSYSERR: Reason.SERVER_ERROR,
    consts.SMPP_ESME_RSUBMITFAIL: Reason.SERVER_ERROR,
    consts.SMPP_ESME_RALYBND: Reason.SERVER_ERROR,
}
"""Refusals that may pass (SMPP 3.4, 5.1.3); RALYBND: our last connection has not ended there yet."""

logging.getLogger("smpp").setLevel(logging.CRITICAL + 1)  # it logs the message centre's address


class Sms:
    """Sends pages to one telephone; one thread at a time.

    Args:
        url: ``smpp:``, as apprise writes it.
        timeout_s: of an attempt as a whole.

    Raises:
        ValueError: it is no such address, or has more than one recipient.
    """

    takes_pictures = False

    def __init__(self, url: str, *, timeout_s: float = 15.0) -> None:
        plugin = plugin_of(url, timeout_s)
        if not isinstance(plugin, NotifySMPP) or plugin.secure:
            raise ValueError("a text message's address has the form smpp://user:password@host/from/to")
        if len(plugin.targets) != 1:
            raise ValueError(
                "a text message's address has one recipient, so that it is known who has the page"
            )
        self._centre = plugin
        self._attempts = Attempts(timeout_s)

    def send(self, page: Page) -> None:
        """Send a page in as many parts as it needs; return when the message centre has taken them all.

        Raises:
            NotifyError: it has not.
        """
        self._attempts.run(lambda: self._try(short(page)))

    def close(self) -> None:
        """Do nothing: each attempt has a connection of its own."""

    def _try(self, text: str) -> None:
        at = self._centre
        client = Client(
            at.host,
            at.port or at.default_port,
            timeout=self._attempts.patience_s,
            logger_name="smpp",
            allow_unknown_opt_params=True,
        )
        try:
            client.connect()
            client.bind_transmitter(system_id=at.user, password=at.password)
            self._submit(client, text)
            # A farewell that nobody waits to hear answered: the page is taken, whatever becomes of it.
            with suppress(exceptions.ConnectionError):
                client.send_pdu(make_pdu("unbind", client=client))
        except exceptions.PDUError as error:
            raise _refused(error) from None
        except exceptions.ConnectionError:
            open_ = client.state != consts.SMPP_CLIENT_STATE_CLOSED
            raise NotifyError(Reason.BROKEN_OFF if open_ else Reason.UNREACHABLE, retryable=True) from None
        except TimeoutError:
            raise NotifyError(Reason.TIMEOUT, retryable=True) from None
        finally:
            client.disconnect()

    def _submit(self, client: Client, text: str) -> None:
        parts, coding, esm_class = gsm.make_parts(text)
        taken: list[int] = []
        client.set_message_sent_handler(lambda pdu: taken.append(pdu.sequence))
        for part in parts:
            sent = client.send_message(
                source_addr_ton=consts.SMPP_TON_INTL,
                source_addr=self._centre.source,
                dest_addr_ton=consts.SMPP_TON_INTL,
                destination_addr=self._centre.targets[0],
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
            )
            while sent.sequence not in taken:  # it may ask something of its own in between
                client.read_once(auto_send_enquire_link=False)


def _refused(error: exceptions.PDUError) -> NotifyError:
    status = error.args[1] if len(error.args) > 1 else None
    if status is None:  # what it said is no SMPP
        return NotifyError(Reason.OTHER, retryable=True)
    if status in _MAY_PASS:
        return NotifyError(_MAY_PASS[status], retryable=True)
    return NotifyError(Reason.REFUSED, retryable=False)
