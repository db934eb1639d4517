"""What `ecgstream conform` and `ecgstream simulate-device` are told of who speaks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ecgstream.speaking.link import Access, AccessError, key_of

_KEY = "file with the key that `ecgstream device key` has printed: for HTTP, and the password by MQTT."
_SHARD = "of the device, as `ecgstream device enrol` has told; MQTT wants it."
_PLAIN = "speak MLLP without TLS, to a gateway that hears so."


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Speaker:
    """Flags."""

    device: Annotated[str, Parameter(help="id of the device, as it is enrolled.")]
    device_key: Annotated[Path | None, Parameter(help=_KEY)] = None
    shard: Annotated[int | None, Parameter(help=_SHARD)] = None
    certificate: Annotated[Path | None, Parameter(help="certificate that the device shows (PEM).")] = None
    key: Annotated[Path | None, Parameter(help="of the certificate (PEM).")] = None
    authorities: Annotated[Path | None, Parameter(help="who has signed the gateway's (PEM).")] = None
    plain: Annotated[bool, Parameter(negative="", help=_PLAIN)] = False

    def access(self) -> Access:
        """Return what it is known by.

        Raises:
            AccessError: a file cannot be used.
        """
        return Access(self.device, key_of(self.device_key), self.certificate, self.key, self.authorities)


@contextmanager
def one_line(command: str) -> Iterator[None]:
    """What cannot be used ends the program with one line."""
    try:
        yield
    except AccessError as error:
        sys.exit(f"ecgstream {command}: {error}")
