"""Whom a connection of MLLP may speak for, by the certificate that it has shown.

A device speaks for itself, by a certificate that is enrolled with it. A central station is enrolled as well,
as a device whose kind begins with ``central``: it speaks for the devices of its facility and below that have
no certificate of their own. Without TLS, where that is allowed, anybody speaks for devices that have none.
"""

import asyncio
import ssl
from collections.abc import Callable

from cryptography import x509

from devices.enrolment import Enrolments
from devices.errors import NotAdmittedError
from schemas.records import Enrolment

CENTRAL = "central"


def subject_of(writer: asyncio.StreamWriter) -> str:
    """Return the subject of a connection's certificate (RFC 4514); empty: it has shown none."""
    tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    shown = None if tls is None else tls.getpeercert(binary_form=True)
    return "" if shown is None else x509.load_der_x509_certificate(shown).subject.rfc4514_string()


class Speaks:
    """Raises ``NotAdmittedError`` where a connection may not speak for a device.

    Args:
        enrolments: what is known of devices now.
        plain: whether connections without a certificate may speak.
    """

    def __init__(self, enrolments: Callable[[], Enrolments], *, plain: bool) -> None:
        self._enrolments = enrolments
        self._plain = plain

    def __call__(self, device: str, writer: asyncio.StreamWriter) -> None:
        """Decide for a message's device."""
        self.decide(device, subject_of(writer))

    def decide(self, device: str, subject: str) -> None:
        """Raise unless a connection with this certificate may speak for a device."""
        known = self._enrolments()
        wanted = known.admitted(device)
        if not subject:
            if not self._plain or wanted.certificate_subject:
                raise NotAdmittedError(f"{device} must show its certificate")
            return
        if subject == wanted.certificate_subject:
            return
        station = known.with_certificate(subject)
        if station is None or not _is_central(station) or not _is_below(wanted, station):
            raise NotAdmittedError(f"this certificate may not speak for {device}")


def _is_central(station: Enrolment) -> bool:
    return station.kind.lower().startswith(CENTRAL) and not station.disabled


def _is_below(device: Enrolment, station: Enrolment) -> bool:
    return not device.certificate_subject and f"{device.facility}.".startswith(f"{station.facility}.")
