"""The way that a protocol and an address name."""

from collections.abc import Callable
from urllib.parse import urlsplit

from ecgstream.addresses import broker_of, place_of
from ecgstream.speaking.http import HttpLink
from ecgstream.speaking.link import Access, AccessError, Link
from ecgstream.speaking.mllp import Line, MllpLink
from ecgstream.speaking.mqtt import Line as MqttLine
from ecgstream.speaking.mqtt import MqttLink

_NO_SHARD = "by MQTT a device says its shard, which `ecgstream device enrol` has told: --shard"


def http_url(address: str) -> str:
    """Return the address of a gateway by HTTP.

    Raises:
        AccessError: it is none.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AccessError(f"{address}: give an address as https://gateway.example:8095")
    return address


def mllp_lines(address: str, access: Access, *, plain: bool) -> Callable[[], Line]:
    """Return what makes lines of MLLP to an address."""
    try:
        place = place_of(address)
    except ValueError as error:
        raise AccessError(f"{address}: {error}") from None
    if not plain:
        access.tls()  # what is wrong with a file is said before the first line
    return lambda: Line(place.host, place.port, access, plain=plain)


def mqtt_lines(address: str, shard: int | None) -> Callable[[Access], MqttLine]:
    """Return what makes lines to a broker of MQTT, for devices of this shard."""
    try:
        broker = broker_of(address)
    except ValueError as error:
        raise AccessError(f"{error}; the password is --device-key") from None
    if shard is None:
        raise AccessError(_NO_SHARD)
    return lambda access: MqttLine(broker, access, shard)


def link_of(protocol: str, address: str, access: Access, *, plain: bool, shard: int | None = None) -> Link:
    """Return a device's way by ``mllp``, ``http`` or ``mqtt``.

    Args:
        protocol: one of these.
        address: ``host:port``, or a URL.
        access: by what the device is known.
        plain: MLLP without TLS.
        shard: of the device, for MQTT.

    Raises:
        AccessError: the address or a file cannot be used.
    """
    if protocol == "http":
        return HttpLink(http_url(address), access)
    if protocol == "mqtt":
        lines = mqtt_lines(address, shard)
        return MqttLink(lambda: lines(access))
    return MllpLink(mllp_lines(address, access, plain=plain), access.device)
