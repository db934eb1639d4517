"""The fixtures' messages come out as they must; damaged ones are refused or read, and nobody is named."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.hl7.pcd import reading_of
from schemas.records import MISSING
from tests.devices.hl7.readings import FIXTURES, MESSAGES, NAMES, plain

BEIJING = timezone(timedelta(hours=8))


def test_there_are_fixtures() -> None:
    assert len(MESSAGES) == 3


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_says_what_it_must(name: str) -> None:
    assert plain(reading_of(MESSAGES[name], BEIJING)) == json.loads((FIXTURES / f"{name}.json").read_text())


def test_the_r_wave_is_as_high_in_every_lead_as_it_was_made() -> None:
    heights = {}
    for channel in reading_of(MESSAGES["monitor"], BEIJING).stretches[0].channels[:4]:
        measured = channel.samples[channel.samples != MISSING]
        values = (measured - channel.offset) / channel.gain
        heights[channel.code] = max(values, key=abs)
    assert heights == pytest.approx({131329: 0.6, 131330: 1.0, 131331: -0.4, 131335: 0.8}, abs=0.0013)


@pytest.mark.parametrize("name", ["monitor", "gb18030"])
def test_the_names_are_there_to_be_passed_over(name: str) -> None:
    text = MESSAGES[name].decode("gb18030" if name == "gb18030" else "utf-8")
    assert any(made_up in text for made_up in NAMES)
    assert not any(made_up in repr(reading_of(MESSAGES[name], BEIJING)) for made_up in NAMES)


def read(frame: bytes) -> None:
    """Read a message that may be damaged: a reading or a refusal, and nobody's name in either."""
    try:
        said = repr(reading_of(frame, UTC))
    except MessageError as error:
        said = "".join(traceback.format_exception(error)) + repr((error, error.args, error.__context__))
    assert not any(name in said for name in NAMES)


HEAD = b"MSH|^~\\&|dev-1||||||ORU^R01|7|P|2.6\rOBR|1||||||20260301120000\r"
RATE = b"OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|250|/s\r"


@pytest.mark.parametrize(
    "body",
    [
        b"OBX|1|NM|0^MDC_ATTR_SAMP_RATE^MDC|" + b"1." * 400_000,
        b"OBX|1|NA|131330^^MDC|1.1.1.1|" + b"1^" * 200_000 + b"1|mV\r" + RATE
        + b"OBX|3|NM|0^MDC_EVT_INOP^MDC|1.1.1.1.2|7\r" * 10_000,
        b"OBX|1|NA|131330^^MDC|1.1.1.1|" + b"9" * 800_000 + b"|mV\r" + RATE,
        b"OBX|1|NM|" + b"\\" * 800_000, b"OBX|1|NM|" + b"^" * 800_000, b"OBX|" * 200_000,
        b"OBX|1|NM|147842^^MDC|1.1.1.1|72|/min||" + b"~" * 800_000, b"\r" * 800_000, b"OBX\r" * 200_000,
        b"OBX|1|NM|147842^^MDC|1.1.1.1|" + b"7" * 800_000 + b"|/min", b"PID|" + b"\xff" * 800_000,
    ],
    ids=range(11),
)  # fmt: skip
def test_a_megabyte_of_one_thing_is_a_reading_or_refused(body: bytes) -> None:
    read(HEAD + body)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_reading_or_refused(data: bytes) -> None:
    read(data)
    read(HEAD + data)


tricky = (b"|", b"^", b"~", b"\\", b"\r", b"\x00", b"\xff", b"9" * 20, b"-", b".", b"||", b"OBX|", b"NA|")
edits = st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=6) | st.sampled_from(tricky))


@given(st.sampled_from(sorted(MESSAGES)), st.lists(edits, min_size=1, max_size=8))
def test_a_mutated_message_is_a_reading_or_refused(name: str, made: list[tuple[int, int, bytes]]) -> None:
    frame = MESSAGES[name]
    for at, length, new in made:
        at %= len(frame) + 1
        frame = frame[:at] + new + frame[at + length :]
    read(frame)


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_lines_in_any_order_are_a_reading_or_refused(name: str, data: st.DataObject) -> None:
    head, *lines = MESSAGES[name].split(b"\r")
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=60))
    read(b"\r".join([head, *chosen]))
