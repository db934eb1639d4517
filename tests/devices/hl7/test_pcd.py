"""What an observation report says: which device, when, which numbers; and what it cannot say."""

from __future__ import annotations

from datetime import UTC

import pytest

from devices.hl7.errors import Condition, Hl7Error
from devices.hl7.pcd import reading_of
from devices.reading import Measured, Reading
from schemas import mdc

T0_NS = 1_772_366_400 * 10**9
MSH = "MSH|^~\\&|dev-1||||||ORU^R01^ORU_R01|7|P|2.6|||AL|NE||UNICODE UTF-8"
OBR = "OBR|1||||||20260301120000+0000"
HR = "NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|/min"
PID = "PID|||T-0001||Testname^Erfunden"


def read(*rows: str, head: str = MSH, before: tuple[str, ...] = (OBR,)) -> Reading:
    segments = [head, *before, *(f"OBX|{i}|{row}" for i, row in enumerate(rows, 1))]
    return reading_of("\r".join(segments).encode(), UTC)


def refused(*rows: str, head: str = MSH, before: tuple[str, ...] = (OBR,)) -> Hl7Error:
    with pytest.raises(Hl7Error) as error:
        read(*rows, head=head, before=before)
    assert "Testname" not in repr(error.value)
    return error.value


def number(code: str, value: str, unit: str, status: str = "R", flags: str = "", time: str = "") -> str:
    return f"NM|{code}|1.1.1.1|{value}|{unit}||{flags}|||{status}|||{time}"


@pytest.mark.parametrize(
    ("code", "value", "unit", "means"),
    [
        ("147842^x^MDC", "72", "264864^^MDC", (mdc.HEART_RATE, 72.0)),
        ("0^MDC_ECG_CARD_BEAT_RATE^MDC", "72.5", "{beat}/min^^UCUM", (mdc.HEART_RATE, 72.5)),
        ("^MDC_RESP_RATE^MDC", "+14", "0^MDC_DIM_RESP_PER_MIN^MDC", (mdc.RESP_RATE, 14.0)),
        ("151578^^MDC", "14", "/min", (mdc.RESP_RATE, 14.0)),
        ("8867-4^^LN^147842^^MDC", "72", "bpm^^local^264672^^MDC", (mdc.HEART_RATE, 72.0)),
        ("150021^^MDC", "16", "kPa^^UCUM", (mdc.NIBP_SYS, pytest.approx(120.0098521))),
        ("150022^^MDC", "80", "266016^MDC_DIM_MMHG^MDC", (mdc.NIBP_DIA, 80.0)),
        ("150364^^MDC", "98.6", "[degF]^^UCUM", (mdc.TEMPERATURE, 37.0)),
        ("150364^^MDC", "310.15", "266528^MDC_DIM_KELVIN^MDC", (mdc.TEMPERATURE, 37.0)),
        ("131840^^MDC", "-120", "266419^^MDC", (mdc.ST, -0.12)),
        ("147240^^MDC", "830", "ms^^UCUM", (mdc.RR, 0.83)),
    ],
)
def test_numbers_are_taken_in_our_units(code: str, value: str, unit: str, means: tuple[int, float]) -> None:
    reading = read(number(code, value, unit))
    assert reading.left_out == ()
    assert reading.numbers == (Measured(T0_NS, *means),)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (number("147842^^LN", "72", "/min"), "not one of MDC"),
        (number("999999^^MDC", "72", "/min"), "999999 is not known here"),
        (number("Testname^^MDC", "72", "/min"), "its code is not known here"),
        (number("0^Testname^MDC", "72", "/min"), "its reference id is not known here"),
        (number("147842^MDC_RESP_RATE^MDC", "72", "/min"), "not the code of its reference id"),
        (number("131330^^MDC", "72", "mV"), "131330 is not known here"),
        (number(f"{mdc.NEWS2}^^MDC", "3", "{score}"), "not known here"),
        (number("147842^^MDC", "72", ""), "not in a unit of /min"),
        (number("147842^^MDC", "72", "Cel"), "not in a unit of /min"),
        (number("147842^^MDC", "", "/min"), "no number"),
        (number("147842^^MDC", "7_2", "/min"), "no number"),
        (number("147842^^MDC", "8388607", "/min"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", status="X"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", status="D"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", flags="INV"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", flags="H~NAN"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", status="C"), "nothing measured"),
        (number("147842^^MDC", "72", "/min", flags="L~TEST"), "test, demonstration"),
        (number("147842^^MDC", "72", "/min", time="noon"), "no time"),
        ("ST|147842^^MDC|1.1.1.1|Testname", "neither number nor wave"),
    ],
)
def test_what_cannot_be_taken_is_left_out_with_its_reason(row: str, why: str) -> None:
    reading = read(HR, row)
    assert reading.numbers == (Measured(T0_NS, mdc.HEART_RATE, 72.0),)
    (reason,) = reading.left_out
    assert reason.startswith("OBX 2: ")
    assert why in reason
    assert "Testname" not in repr(reading)


def test_a_number_has_its_own_time_or_that_of_its_group() -> None:
    early, late = "20260301115959+0000", ""
    reading = read(
        number("147842^^MDC", "72", "/min", time=late), number("150364^^MDC", "37", "Cel", time=early)
    )
    assert [n.time_ns - T0_NS for n in reading.numbers] == [-(10**9), 0]
    assert read(HR, before=()).left_out == ("OBX 1: no time (OBX-14, OBR-7)",)


def test_a_number_has_the_time_of_the_nearest_above_it_that_has_one() -> None:
    above = "ST|70687^^MDC|{}|||||||X|||2026030111595{}+0000"
    places = [("1.0.0.0", 1), ("1.1.0.0", 2), ("1.1.1.0", 3)]
    metrics = ("1.1.1.1", "1.1.0.2", "1.2.1.1", "1.1.1.2")
    rows = [*(above.format(*place) for place in places), *(HR.replace("1.1.1.1", at) for at in metrics)]
    reading = read(*rows)
    assert [(n.time_ns - T0_NS) // 10**9 for n in reading.numbers] == [-9, -8, -7, -7]
    assert reading.left_out == ()
    broken = read(above.format("1.1.1.0", "x"), HR)
    assert (broken.numbers, broken.left_out) == ((), ("OBX 2: no time (OBX-14, OBR-7)",))


def test_when_it_was_sent() -> None:
    at = MSH.split("|")
    at[6] = "20260301120001.5+0000"
    assert read(head="|".join(at)).sent_ns == T0_NS + 1_500_000_000
    assert read().sent_ns is None
    at[6] = "now"
    assert read(head="|".join(at)).left_out == ("MSH-7 is no time",)


MDS = "|69965^^MDC|{}|||||||X|||||||{}"


@pytest.mark.parametrize(
    ("rows", "application", "device"),
    [
        ((), "dev-1", "dev-1"),
        ((), "gateway^0123456789ABCDEF^EUI-64", "0123456789ABCDEF"),
        ((MDS.format("1.0.0.0", "bed-7^maker"),), "dev-1", "bed-7"),
        ((MDS.format("1.0.0.0", "x y^maker^0123456789ABCDEF^EUI-64"),), "dev-1", "0123456789ABCDEF"),
        ((MDS.format("1.1.0.0", "module"), MDS.format("1.0.0.0", "bed-7")), "dev-1", "bed-7"),
        ((MDS.format("1.1.0.0", "bed\\S\\7"),), "dev-1", "bed^7"),
        ((HR + "|||||R|||||||module^m~bed-7^monitor",), "dev-1", "bed-7"),
        ((HR + "|||||R|||||||m~serial^monitor^0123456789ABCDEF^EUI-64~x y",), "dev-1", "0123456789ABCDEF"),
    ],
)
def test_a_device_is_named_by_its_system_else_by_who_sends(
    rows: tuple[str, ...], application: str, device: str
) -> None:
    assert read(*rows, HR, head=MSH.replace("dev-1", application)).device == device


def test_without_any_name_there_is_no_reading() -> None:
    error = refused(HR, head=MSH.replace("dev-1", ""), before=(PID, OBR))
    assert (error.condition, error.rejected) == (Condition.REQUIRED_FIELD_MISSING, False)
    assert refused(HR, head=MSH.replace("dev-1", "two words")).at == "MSH^1^3"
    assert refused(MDS.format("1.0.0.0", "two words")).at == "OBX^1^18"


def test_a_collector_is_a_person_and_never_a_device() -> None:
    error = refused(HR, head=MSH.replace("dev-1", ""), before=("OBR|1||||||20260301120000+0000|||Testname",))
    assert error.condition is Condition.REQUIRED_FIELD_MISSING


def test_two_patients_or_two_devices_never_become_one() -> None:
    assert refused(HR, before=(PID, OBR, PID)).at == "PID^2"
    twice = MDS.format("1.0.0.0", "bed-7"), MDS.format("1.0.0.0", "bed-8")
    assert str(refused(*twice)) == "more than one device in a message"
    other = MDS.format("2.0.0.0", "bed-8"), HR.replace("1.1.1.1", "2.1.1.1")
    reading = read(MDS.format("1.0.0.0", "bed-7"), HR, *other)
    assert (reading.device, len(reading.numbers)) == ("bed-7", 1)
    assert reading.left_out == (
        "OBX 3: of another device in the same message",
        "OBX 4: of another device in the same message",
    )


@pytest.mark.parametrize(
    ("old", "new", "condition", "at"),
    [
        ("ORU^R01^ORU_R01", "ADT^A01", Condition.UNSUPPORTED_MESSAGE_TYPE, "MSH^1^9"),
        ("ORU^R01^ORU_R01", "ORU^R40^ORU_R40", Condition.UNSUPPORTED_EVENT_CODE, "MSH^1^9"),
        ("|P|2.6|", "|P|3.0|", Condition.UNSUPPORTED_VERSION_ID, "MSH^1^12"),
        ("|P|2.6|", "|D|2.6|", Condition.UNSUPPORTED_PROCESSING_ID, "MSH^1^11"),
        ("|P|2.6|", "|T^I|2.6|", Condition.UNSUPPORTED_PROCESSING_ID, "MSH^1^11"),
        ("|7|P", "||P", Condition.REQUIRED_FIELD_MISSING, "MSH^1^10"),
        ("|7|P", f"|{'7' * 200}|P", Condition.DATA_TYPE_ERROR, "MSH^1^10"),
    ],
)
def test_another_kind_of_message_is_rejected(old: str, new: str, condition: Condition, at: str) -> None:
    error = refused(HR, head=MSH.replace(old, new), before=(PID, OBR))
    assert (error.condition, error.at, error.rejected) == (condition, at, True)


def test_a_segment_in_another_character_set() -> None:
    message = f"{MSH}\r{OBR}\rOBX|1|{HR}\rOBX|2|{HR}|".encode()
    reading = reading_of(message + b"\xff", UTC)
    assert (len(reading.numbers), reading.left_out) == (1, ("OBX 2: not in the message's character set",))
    with pytest.raises(Hl7Error) as error:
        reading_of(message + b"\rOBR|\xff", UTC)
    assert error.value.at == "OBR^2"


WAVE = "NA|{}^^MDC|{}|1^2^3^4|1^^UCUM"
RATE = "NM|0^MDC_ATTR_SAMP_RATE^MDC|{}.1|{}|/s"


def test_waves_that_begin_together_are_one_stretch_with_the_ecg_first() -> None:
    reading = read(
        WAVE.format(150452, "1.2.1.1"), RATE.format("1.2.1.1", 100),
        WAVE.format(131330, "1.1.1.1").replace("1^^UCUM", "mV"), RATE.format("1.1.1.1", 100),
    )  # fmt: skip
    (stretch,) = reading.stretches
    assert [c.code for c in stretch.channels] == [131330, 150452]


def test_what_does_not_go_together_is_left_out() -> None:
    reading = read(
        WAVE.format(150452, "1.2.1.1"), RATE.format("1.2.1.1", 100),
        WAVE.format(150452, "1.2.1.2"), RATE.format("1.2.1.2", 100),
        WAVE.format(151552, "1.2.1.3"), RATE.format("1.2.1.3", 10),
        WAVE.format(151552, "1.2.1.3"),
    )  # fmt: skip
    assert [c.code for s in reading.stretches for c in s.channels] == [150452]
    assert reading.left_out == (
        "OBX 7: 151552: the same OBX-4 as another wave",
        "150452: twice at the same time",
        "151552: not as long as the first wave of its time",
    )


def test_groups_of_waves_are_stretches_in_the_order_of_time() -> None:
    later = OBR.replace("120000", "120001")
    rows = [f"OBX|1|{WAVE.format(150452, '1.1.1.1')}", f"OBX|2|{RATE.format('1.1.1.1', 4)}"]
    reading = read(before=(later, *rows, OBR, *rows))
    assert [s.start_ns - T0_NS for s in reading.stretches] == [0, 10**9]


def test_what_was_left_out_is_bounded() -> None:
    reading = read(*["ST|x|1.1.1.1|y"] * 300)
    assert len(reading.left_out) == 101
    assert reading.left_out[-1] == "and 200 more"
