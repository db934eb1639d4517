"""A page, and what a channel that takes it to people promises.

A channel has ``send(page)``, which returns only when its peer has taken the page and raises ``NotifyError``
otherwise; each attempt has a deadline as a whole. The error says whether a retry can help and why, as in
Prometheus Alertmanager's ``notify`` package. A channel may take a page and fail to say so, and a process may
end before it has written down that a page was taken: then the page is sent again, with the same idempotency
key, by which the receiver drops the repeat.

Neither an address nor anything else that an address holds is ever part of an error or a log line: addresses
of hooks hold tokens, and those of people are theirs.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol
from uuid import UUID

from schemas.records import Priority


class Reason(StrEnum):
    """Why an attempt failed; a label of metrics."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BROKEN_OFF = "broken_off"
    TOO_MANY = "too_many_requests"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    REDIRECTED = "redirected"
    NO_HTTP = "no_http"
    OTHER = "other"


class NotifyError(Exception):
    """An attempt failed.

    Args:
        reason: why.
        retryable: whether a retry can help.
    """

    def __init__(self, reason: Reason, *, retryable: bool) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Strip:
    """The strip of a page (``alerts.strip``).

    Attributes:
        png: as a picture.
        pdf: to print, true to scale.
        alt: in words, for who cannot see it.
    """

    png: bytes
    pdf: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is told; never a patient's name.

    Attributes:
        key: idempotency key (``key_of``).
        what: RAISED, LATE, TEST, CONSULTATION, CALL 2, …, CLEARED.
        alert: its id.
        patient: pseudonym; empty: unassigned.
        condition: name in the catalogue of ``schemas.conditions``.
        text: all of it for a person.
        onset_ns, decided_ns: device time, UTC ns.
        ended_ns: likewise; None: its condition lasts.
        facility: codes of the facilities from the root on, joined by dots; empty: not known.
        account, channel: who is told, and over which channel, by name; no account: whoever it reaches.
        evidence: what was measured, names with unit.
        link: address of the page's alert for a browser; empty: there is none.
        strip: the signal around the onset; None: it could not be had, or the channel takes no pictures.
    """

    key: str
    what: str
    alert: str
    device: str
    patient: str
    condition: str
    priority: Priority
    text: str
    onset_ns: int
    decided_ns: int
    ended_ns: int | None = None
    facility: str = ""
    account: str = ""
    channel: str = ""
    evidence: dict[str, float] = field(default_factory=dict)
    link: str = ""
    strip: Strip | None = None


class Channel(Protocol):
    """Takes pages to one address.

    Attributes:
        takes_pictures: whether it shows a page's strip; one that does not need not wait for it.
    """

    takes_pictures: bool

    def send(self, page: Page) -> None:
        """Hand a page over; return when the peer has taken it.

        Raises:
            NotifyError: it has not, or not said so.
        """

    def close(self) -> None:
        """Close connections."""


def key_of(alert: str, what: str, channel: str, account: str = "") -> str:
    """Return the idempotency key of what somebody is told over a channel: each repeat has the same.

    >>> key_of("f7cccd15-398d-9263-f452-554e2cbfbcb9", "RAISED", "webhook")
    'c907ba9a-7b83-7608-163c-54b8ca0ecbf9'
    """
    text = "\n".join([alert, what, channel, *([account] if account else [])])
    return str(UUID(bytes=blake2b(text.encode(), digest_size=16).digest()))


def iso(time_ns: int) -> str:
    """Return a time as people read it, in UTC.

    >>> iso(1_700_000_000_250_000_000)
    '2023-11-14T22:13:20.250Z'
    """
    seconds, ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=ns // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
