"""The link of a page: the address at which its alert is seen, and taken on with a personal code.

A link is signed (HMAC-SHA-256), so that nobody can make one for another alert or another account, and it
expires. Who has it sees one alert with its pseudonym, and can do nothing: that takes the code.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, unquote
from uuid import UUID

from itsdangerous import BadSignature, BadTimeSignature, SignatureExpired, TimestampSigner

PATH = "/page/"
LIVES_S = 24 * 3600
"""An alert that is open for longer has been called for again, with a new link."""
_SALT = "ecgstream.page"


class LinkError(ValueError):
    """A link is none of ours, or none any more; ``expired`` tells which."""

    def __init__(self, words: str, *, expired: bool) -> None:
        super().__init__(words)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a link is for; ``account``: who was paged, empty: nobody in particular."""

    alert: str
    account: str


class Links:
    """Makes and reads links.

    Args:
        key: secret text, the same for the pager and the web.
        url: where the web is reached, as ``https://monitor.example``.
    """

    def __init__(self, key: str, url: str) -> None:
        self._url = url.rstrip("/")
        self._signer = TimestampSigner(key, salt=_SALT, key_derivation="hmac", digest_method=sha256)

    def to(self, alert: str, account: str) -> str:
        """Return the address of an alert for an account, from now on.

        Raises:
            ValueError: the alert's id is no UUID.
        """
        id_ = base64.urlsafe_b64encode(UUID(alert).bytes).decode().rstrip("=")
        told = f"{id_}~{quote(account, safe='')}"
        return f"{self._url}{PATH}{self._signer.sign(told).decode()}"

    def read(self, ticket: str) -> Ticket:
        """Return what the last part of a link is for.

        Raises:
            LinkError: it was not made with this key, or long ago.
        """
        try:
            told = self._signer.unsign(ticket, max_age=LIVES_S).decode()
            id_, _, account = told.partition("~")
            return Ticket(str(UUID(bytes=base64.urlsafe_b64decode(f"{id_}=="))), unquote(account))
        except SignatureExpired:
            raise LinkError("the link has expired", expired=True) from None
        except (BadTimeSignature, BadSignature, ValueError, binascii.Error):
            raise LinkError("the link is not valid", expired=False) from None
