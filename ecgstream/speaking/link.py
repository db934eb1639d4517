"""What all ways to a gateway have in common: who speaks, by which certificates, and what becomes of it."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.records import Packet, Vital

PATIENCE_S = 30.0
"""s that a gateway is given to answer."""


class LinkDownError(Exception):
    """Nothing is known of what was sent: it must be sent again."""


class SilentError(LinkDownError):
    """The line is open, and nothing came."""


class AccessError(Exception):
    """A file that a device shows who it is by cannot be used; says which, and why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway has answered. ``refused``: for each item that it will never take, why."""

    taken: int
    refused: tuple[str, ...] = ()


class Link(Protocol):
    """A device's way to a gateway. ``most``: packets, and numbers, that go at once."""

    most: int

    def send(self, packets: Sequence[Packet], vitals: Sequence[Vital]) -> Told:
        """Send, and return what was answered.

        Raises:
            LinkDownError: it was not answered, or was told to come again.
        """

    def close(self) -> None:
        """Let go of the line."""


@dataclass(frozen=True, slots=True)
class Access:
    """By what a device shows who it is.

    Attributes:
        device: its id, as enrolled.
        device_key: as ``ecgstream device key`` has printed it; empty: none.
        certificate, key: its own (PEM); None: none.
        authorities: who has signed the gateway's certificate (PEM); None: those of this machine.
    """

    device: str
    device_key: str = ""
    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def tls(self) -> ssl.SSLContext:
        """Return what a line is secured by.

        Raises:
            AccessError: a file is not there, or not what it is given as.
        """
        try:
            context = ssl.create_default_context(cafile=self.authorities)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # an SSLError is one
            raise AccessError(f"the certificates cannot be used: {error}") from None
        return context


def key_of(path: Path | None) -> str:
    """Return the device's key that a file holds; of no file, none.

    Raises:
        AccessError: it cannot be read, or holds none.
    """
    if path is None:
        return ""
    try:
        found = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"{path}: {getattr(error, 'strerror', None) or 'no key'}") from None
    if not found:
        raise AccessError(f"{path}: no key in it")
    return found
