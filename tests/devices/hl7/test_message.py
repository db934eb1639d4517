"""The syntax of HL7 v2: separators, escapes, character sets, times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.hl7.errors import Condition, Hl7Error
from devices.hl7.message import CHARSETS, STANDARD, Segment, header, read, stamp, time_ns

BEIJING = timezone(timedelta(hours=8))


def head(charset: str = "ASCII", place: str = "") -> str:
    return f"MSH|^~\\&|app|{place}|||20260301||ORU^R01|7|P|2.6||||||{charset}"


def test_a_field_is_found_by_its_number() -> None:
    found = header(b"MSH|^~\\&|app^1^EUI-64|here\rOBX|1")
    assert (found[1], found[2], found[4], found[99]) == ("|", "^~\\&", "here", "")
    assert found.components(3) == ["app", "1", "EUI-64"]


def test_a_message_says_its_separators() -> None:
    message = read(b"MSH#*!?%#app#a?F?b\rOBX#1#NM#5*text##7!8\rPID#1\n")
    assert message.header.text(4) == "a#b"
    (obx,) = message.segments()
    assert isinstance(obx, Segment)
    assert (obx.components(3), obx.text(5), obx.repeated(5)) == (["5", "text"], "7", [["7"], ["8"]])
    assert message.patients == 1


@pytest.mark.parametrize(
    "frame",
    [b"", b"MSH", b"MSH|", b"MSH|^~", b"MSH|^~\\\\|", b"MSH|^^\\&|", b"MSH1^~\\&1", b"PID|1", b"MSH|^~\\.|a"],
)
def test_what_does_not_begin_as_a_message_is_none(frame: bytes) -> None:
    with pytest.raises(Hl7Error) as error:
        read(frame)
    assert error.value.rejected


@given(st.text(max_size=30), st.sampled_from(("utf-8", "gb18030")))
def test_what_is_escaped_comes_back(text: str, codec: str) -> None:
    escaped = "".join(f"\\X{c.encode(codec).hex().upper()}\\" if c in "|^~\\&" else c for c in text)
    assert Segment([], STANDARD, codec).unescaped(escaped) == text


@given(st.text("\\FSTREX09.", max_size=12))
def test_an_escape_that_is_none_stays(text: str) -> None:
    found = Segment([], STANDARD, "ascii").unescaped(text)
    assert found == text if not any(f"\\{c}" in text for c in "FSTREX") else isinstance(found, str)


@pytest.mark.parametrize("charset", ["", "ASCII", "UNICODE UTF-8", "GB 18030-2000"])
def test_every_character_set_is_decoded_before_it_is_split(charset: str) -> None:
    # The second byte of the first two is "|" in GB 18030.
    place = "" if CHARSETS[charset] == "ascii" else "億倈室"
    found = header(head(charset, place).encode(CHARSETS[charset]))
    assert (found.codec, found[4], found[10]) == (CHARSETS[charset], place, "7")


LATIN = {
    "8859/1": "Zürich Ænø",
    "8859/2": "Łódź Žižkov",
    "8859/3": "Ħaż-Żebbuġ",
    "8859/4": "Ķekava ŋ",
    "8859/5": "Ярославль",
    "8859/6": "القاهرة",
    "8859/7": "Θεσσαλονίκη",
    "8859/8": "ירושלים",
    "8859/9": "İzmir Şişli",
    "8859/15": "Œuvre €",
}


@pytest.mark.parametrize("charset", LATIN)
def test_a_character_set_of_a_byte_each_is_decoded_by_its_own_table(charset: str) -> None:
    place = LATIN[charset]
    raw = head(charset, place).encode(CHARSETS[charset])
    assert (header(raw)[4], header(raw).codec) == (place, CHARSETS[charset])
    obx = f"OBX|1|ST|1^{place}||x".encode(CHARSETS[charset])
    (segment,) = read(raw + b"\rPID|\x80\xff\r" + obx).segments()
    assert isinstance(segment, Segment)
    assert segment.components(3) == ["1", place]


def test_a_header_with_a_byte_that_its_character_set_does_not_have_is_refused() -> None:
    raw = head("8859/3").encode().replace(b"app", b"app\xa5")  # a hole in the table of 8859/3
    with pytest.raises(Hl7Error, match="not in the one that it names"):
        read(raw)
    assert header(raw)[10] == "7"


@pytest.mark.parametrize(
    "frame",
    [
        head("ISO IR87").encode(),
        head("BIG-5", "\xe9").encode("latin-1"),
        head("8859/10").encode(),
        head("ASCII~UNICODE UTF-8").encode(),
        head("ASCII", "室").encode(),
        head("UNICODE UTF-8", "室").encode("gb18030"),
    ],
)
def test_another_character_set_is_refused_and_still_answered(frame: bytes) -> None:
    with pytest.raises(Hl7Error, match="GB 18030-2000") as error:
        read(frame)
    assert (error.value.condition, error.value.at) == (Condition.TABLE_VALUE_NOT_FOUND, "MSH^1^18")
    assert header(frame)[10] == "7"


def test_a_segment_that_its_character_set_does_not_hold_is_named() -> None:
    message = read(head().encode() + b"\rPID|\xff\rOBX|1|\xff\rOBX|2|NM")
    first, second = message.segments()
    assert first == ("OBX", 1)
    assert isinstance(second, Segment)
    assert second.position == 2


def test_two_messages_in_a_frame_are_refused() -> None:
    with pytest.raises(Hl7Error, match="more than one message"):
        read(f"{head()}\r{head()}".encode())


def test_nothing_of_the_patient_is_in_a_message() -> None:
    message = read(f"{head()}\rPID|||1||Testname\rPV1|||bed\rOBX|1".encode())
    assert [s.fields for s in message.segments() if isinstance(s, Segment)] == [["OBX", "1"]]
    assert "Testname" not in repr(message) + repr(list(message.segments())) + repr(message._lines)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("20260301120000+0800", "2026-03-01T04:00:00"),
        ("20260301120000", "2026-03-01T04:00:00"),
        ("202603011200", "2026-03-01T04:00:00"),
        ("20260301120000.25-0330", "2026-03-01T15:30:00.250"),
        ("20260301120000250", "2026-03-01T04:00:00.250"),
        ("20260301120000250+0000", "2026-03-01T12:00:00.250"),
    ],
)
def test_times(text: str, wanted: str) -> None:
    assert (
        time_ns(text, BEIJING) == round(datetime.fromisoformat(wanted + "+00:00").timestamp() * 1000) * 10**6
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260301",
        "20261301120000",
        "20260301126000",
        "20260301120060",
        "20260301120000.",
        "00010101000000",
        "19700101000000",
        "20260301120000.100-400",
        "20260301120000+2400",
        "20260301120000+0860",
        "\uff12\uff10260301120000",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert time_ns(text, BEIJING) is None


@given(st.text("0123456789.+-", max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = time_ns(text, BEIJING)
    assert found is None or 0 <= found < 2**62


@given(st.integers(10**18, 4 * 10**18))
def test_a_time_comes_back_to_a_tenth_of_a_millisecond(ns: int) -> None:
    assert time_ns(stamp(ns), UTC) == ns // 100_000 * 100_000
