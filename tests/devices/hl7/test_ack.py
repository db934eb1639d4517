"""What a monitor is answered: as it asks, also where its message cannot be read."""

from __future__ import annotations

from datetime import UTC

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.hl7.ack import answers
from devices.hl7.errors import Condition, Hl7Error
from devices.hl7.pcd import reading_of
from tests.devices.hl7.readings import MESSAGES, NAMES

AT_NS = 1_772_366_400 * 10**9
CONTENT = Hl7Error("no device is named", Condition.REQUIRED_FIELD_MISSING, "MSH^1^3")
KIND = Hl7Error("not an ORU message", Condition.UNSUPPORTED_MESSAGE_TYPE, "MSH^1^9", rejected=True)


def message(accept: str = "", application: str = "", control: str = "7", charset: str = "ASCII") -> bytes:
    asked = f"{accept}|{application}||{charset}"
    head = f"MSH|^~\\&|app^1^EUI-64|there|ours|here|||ORU^R01|{control}|P|2.6|||{asked}"
    return f"{head}\rPID|||T-0001||Testname".encode()


def answered(frame: bytes, refused: Hl7Error | None = None) -> list[str]:
    return [a.decode("latin-1") for a in answers(frame, refused, control_id="A1", at_ns=AT_NS)]


@pytest.mark.parametrize(
    ("accept", "application", "taken", "erroneous", "rejected"),
    [
        ("", "", ["AA"], ["AE"], ["AR"]),
        ("AL", "NE", ["CA"], ["CE"], ["CR"]),
        ("AL", "", ["CA"], ["CE"], ["CR"]),
        ("NE", "AL", ["AA"], ["AE"], ["AR"]),
        ("AL", "AL", ["CA", "AA"], ["CE"], ["CR"]),
        ("ER", "NE", [], ["CE"], ["CR"]),
        ("SU", "ER", ["CA"], ["AE"], ["AR"]),
        ("NE", "NE", [], [], []),
        ("??", "NE", ["CA"], ["CE"], ["CR"]),
    ],
)
def test_answers_are_those_that_are_asked_for(
    accept: str, application: str, taken: list[str], erroneous: list[str], rejected: list[str]
) -> None:
    for refused, wanted in ((None, taken), (CONTENT, erroneous), (KIND, rejected)):
        found = [hl7.parse(a) for a in answered(message(accept, application), refused)]
        assert [str(a.segment("MSA")[1]) for a in found] == wanted
        assert [str(a.segment("MSA")[2]) for a in found] == ["7"] * len(wanted)
        assert [str(a.segment("MSH")[10]) for a in found] == ["A1", "A1-2"][: len(wanted)]


def test_an_answer_goes_back_to_where_the_message_came_from() -> None:
    (text,) = answered(message(), CONTENT)
    assert text == (
        "MSH|^~\\&|ours|here|app^1^EUI-64|there|20260301120000.0000+0000||ACK^R01^ACK|A1|P|2.6||||||ASCII\r"
        "MSA|AE|7\r"
        "ERR||MSH^1^3|101^Required field missing^HL70357|E||||no device is named\r"
    )


def test_a_message_of_another_character_set_is_answered_in_its_own_bytes() -> None:
    (text,) = answered(message(control="Nr\xe9").decode().encode("latin-1"), KIND)
    assert "MSA|AR|Nr\xe9\r" in text


def test_a_message_has_its_separators_in_its_answer() -> None:
    (text,) = answered(b"MSH#*!?%#app#######7#P#2.6")
    assert text.startswith("MSH#*!?%#ecgstream##app##")
    assert "#ACK*R01*ACK#A1#" in text
    assert text.endswith("MSA#AA#7\r")


@pytest.mark.parametrize("frame", [b"", b"PID|||Testname", b"MSH", b"\xff" * 10])
def test_what_has_no_header_is_not_answered(frame: bytes) -> None:
    assert answered(frame, CONTENT) == []


def test_an_answer_is_not_answered() -> None:
    (answer,) = answered(message(), KIND)
    assert answered(answer.encode(), KIND) == []


def test_what_is_too_long_to_be_an_id_is_not_given_back() -> None:
    (text,) = answered(message(control="x" * 10_000), KIND)
    assert "MSA|AR\r" in text
    assert len(text) < 1000


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_damaged_message_is_answered_without_naming_anybody(name: str, data: st.DataObject) -> None:
    whole = MESSAGES[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    frame = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]
    try:
        reading_of(frame, UTC)
        refused = None
    except Hl7Error as error:
        refused = error
    for answer in answers(frame, refused, control_id="A1", at_ns=AT_NS):
        assert not any(n.encode(codec) in answer for n in NAMES for codec in ("utf-8", "gb18030"))
