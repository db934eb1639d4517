"""Where something is, as people write it; what is written otherwise is a ``ValueError`` that says how."""

from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

_BROKER_PORTS = {"mqtts": 8883, "mqtt": 1883}
_MOST_PORT = 65_535


class Place(NamedTuple):
    """A host and a port; ``is_secure``: TLS is spoken there."""

    host: str
    port: int
    is_secure: bool = False


def place_of(text: str) -> Place:
    """Return what ``host:port`` says.

    >>> place_of("[::1]:2575")
    Place(host='::1', port=2575, is_secure=False)
    >>> place_of("gateway")
    Traceback (most recent call last):
        ...
    ValueError: give host:port, as 127.0.0.1:2575
    """
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or int(port) > _MOST_PORT:
        raise ValueError("give host:port, as 127.0.0.1:2575")
    return Place(host.strip("[]"), int(port))


def broker_of(url: str) -> Place:
    """Return what ``mqtts://host:port`` says; nothing of it is in the error, since it may hold a password.

    >>> broker_of("mqtts://broker.example")
    Place(host='broker.example', port=8883, is_secure=True)
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _BROKER_PORTS[parts.scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host or "@" in url or parts.path or parts.query or parts.fragment:
        raise ValueError("give mqtts://host:port, and nothing of a user")
    return Place(host, port, parts.scheme == "mqtts")


def zone_of(name: str) -> ZoneInfo | None:
    """Return a time zone; where none is named, none.

    >>> zone_of("Asia")
    Traceback (most recent call last):
        ...
    ValueError: Asia is no time zone, as Asia/Shanghai is
    """
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # the name of a folder of zones is an OSError
        raise ValueError(f"{name} is no time zone, as Asia/Shanghai is") from None
