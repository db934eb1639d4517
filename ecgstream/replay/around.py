"""The ECG around an alert, from what is stored."""

from base64 import b64encode

import psycopg

from alerts.page import condition_text
from alerts.strip import Caption, draw
from ecgstream.replay import stored
from ecgstream.replay.findings import Values
from ecgstream.replay.packets import packets
from ecgstream.strips.excerpt import excerpt
from ecgstream.strips.strips import AFTER_S, BEFORE_S
from schemas.records import Alert, AlertState, Priority

_AROUND_NS = 20_000_000_000


def strip(connection: psycopg.Connection, device: str, values: Values) -> str:
    """Return the strip of an alert as a PNG in a URL of its own (``data:``); empty: nothing is stored.

    Args:
        connection: of a person.
        device: the alert's.
        values: the alert's, as ``findings`` have them.
    """
    alert = _alert(device, values)
    slices = stored.blocks(
        connection, device, alert.session, alert.onset_ns - _AROUND_NS, alert.onset_ns + _AROUND_NS
    )
    near = [
        one.packet
        for come in packets(slices)
        for one in come
        if abs(one.packet.start_ns - alert.onset_ns) < _AROUND_NS
    ]
    signal = excerpt(near, alert, BEFORE_S, AFTER_S)
    if signal is None:
        return ""
    caption = Caption(condition_text(alert.condition), f"device {device}", alert.onset_ns)
    png = draw(signal, caption, before_s=BEFORE_S, after_s=AFTER_S).png
    return "data:image/png;base64," + b64encode(png).decode("ascii")


def _alert(device: str, values: Values) -> Alert:
    """Return an alert with what a strip goes by."""
    return Alert(
        id="",
        device=device,
        patient=values["patient"],
        session=values["session"],
        condition=values["condition"],
        priority=Priority(values["priority"]),
        state=AlertState.ACTIVE,
        onset_sample=values["onset_sample"],
        onset_ns=values["onset_ns"],
        decided_sample=values["decided_sample"],
        decided_ns=values["decided_ns"],
        delay_s=values["delay_s"],
        end_ns=values["end_ns"],
        evidence={},
        published_ns=0,
        raised_ns=0,
        updated_ns=0,
        partition=0,
        offset=0,
    )
