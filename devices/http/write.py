"""The other way: packets and numbers as bodies of HTTP, in JSON and in Avro, for devices that are simulated.

>>> from schemas import mdc
>>> vitals([Vital("dev-1", 1, 1_700_000_000_000_000_000, mdc.SPO2, 97.0)])[:35]
b'{"vitals":[{"device":"dev-1","sessi'
"""

import math
from collections.abc import Sequence

import msgspec

from devices.http.forms import ChannelForm, FiltersForm, PacketForm, VitalForm
from devices.http.records import LENGTH_BYTES
from schemas import mdc
from schemas.codec import encode
from schemas.records import Channel, Packet, Vital
from schemas.units import UNITS

_JSON = msgspec.json.Encoder()


def packets(given: Sequence[Packet]) -> bytes:
    """Return the body of a request with these packets; samples in base64."""
    return _JSON.encode({"packets": [_packet(packet) for packet in given]})


def vitals(given: Sequence[Vital]) -> bytes:
    """Return the body of a request with these numbers."""
    return _JSON.encode({"vitals": [_vital(vital) for vital in given]})


def records(given: Sequence[Packet] | Sequence[Vital]) -> bytes:
    """Return the body of a request with these in Avro, as ``devices.http.records`` reads it."""
    encoded = [encode(one) for one in given]
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "big") + one for one in encoded)


def _packet(packet: Packet) -> PacketForm:
    return PacketForm(
        packet.device,
        packet.session,
        packet.seq,
        packet.first_sample,
        packet.start_ns,
        [_channel(channel) for channel in packet.channels],
        list(packet.pace_marks),
    )


def _channel(channel: Channel) -> ChannelForm:
    filters = (channel.high_pass, channel.low_pass, channel.notch)
    return ChannelForm(
        channel.rate,
        channel.gain,
        UNITS[channel.unit],
        channel.samples.astype("<i2").tobytes(),
        code=channel.code,
        offset=channel.offset,
        lead_off=channel.lead_off,
        filters=FiltersForm(*(None if math.isnan(hertz) else hertz for hertz in filters)),
    )


def _vital(vital: Vital) -> VitalForm:
    value = None if math.isnan(vital.value) else vital.value
    return VitalForm(vital.device, vital.session, vital.time_ns, vital.code, value, mdc.UNITS[vital.code])
