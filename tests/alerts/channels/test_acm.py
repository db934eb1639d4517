"""Report Alert to an alarm manager on loopback, and what its acknowledgement means."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime

import hl7
import pytest

from alerts.channels.acm import Acm, report
from alerts.notify import NotifyError, Reason
from schemas.records import Priority
from tests.alerts.channels.conftest import Identity
from tests.alerts.channels.mllp_receiver import Answer, MllpReceiver, ack, frame
from tests.alerts.channels.pages import PAGE

ENDED_NS = PAGE.onset_ns + 90 * 1_000_000_000
NOW = datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def failure(channel: Acm) -> tuple[Reason, bool]:
    with pytest.raises(NotifyError) as found:
        channel.send(PAGE)
    return found.value.reason, found.value.retryable


def test_a_report_segment_by_segment() -> None:
    assert report(PAGE, NOW, ["MANAGER", "A|B"]).split("\r") == [
        r"MSH|^~\&|ecgstream|St. Elsewhere|MANAGER|A\F\B|20240102030405.678+0000||ORU^R40^ORU_R40"
        f"|{PAGE.key}|P|2.6|||AL|NE||UNICODE UTF-8|||IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.4.4^ISO",
        "PID|||P-1^^^ecgstream^PI||^^^^^^U",
        "PV1||U|St. Elsewhere",
        "OBR|1||an alert^ecgstream|196616^MDC_EVT_ALARM^MDC|||20231114221320.250+0000",
        "OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|199684^MDC_EVT_ECG_ASYSTOLE^MDC^^^^^^Asystole|||PH~SP"
        "|||R|||20231114221320.250+0000||||mon-17",
        *(
            f"OBX|{n}|ST|{name}^MDC|1.0.0.0.{n}|{value}||||||R|||20231114221320.250+0000||||mon-17"
            for n, name, value in (
                (2, "68480^MDC_ATTR_ALERT_SOURCE", "mon-17"),
                (3, "68481^MDC_ATTR_EVENT_PHASE", "start"),
                (4, "68482^MDC_ATTR_ALARM_STATE", "active"),
                (5, "68483^MDC_ATTR_ALARM_INACTIVATION_STATE", "enabled"),
                (6, "68484^MDC_ATTR_ALARM_PRIORITY", "PH"),
                (7, "68485^MDC_ATTR_ALERT_TYPE", "SP"),
                (
                    8,
                    "68546^MDC_ATTR_ALERT_TEXT",
                    "!!! Asystole, St. Elsewhere; pause 4.2 s https://centre.example/alerts/1",
                ),
            )
        ),
        "",
    ]


def test_what_has_no_code_of_its_own_says_its_name_and_a_late_one_is_latched() -> None:
    page = replace(PAGE, condition="VENTRICULAR_FIBRILLATION", what="LATE", priority=Priority.MEDIUM)
    page = replace(page, ended_ns=ENDED_NS)
    message = hl7.parse(report(page, NOW))
    events = [str(segment[5]) for segment in message.segments("OBX")]
    name = "VENTRICULAR_FIBRILLATION"
    assert events[0] == f"0^MDCX_EVT_{name}^MDC^^^^^^Ventricular fibrillation or flutter"
    assert events[3:6] == ["latched", "enabled", "PM"]


@pytest.mark.parametrize(
    ("what", "ended_ns", "phase", "state"),
    [
        ("RAISED", None, "start", "active"),
        ("RAISED", ENDED_NS, "start", "latched"),  # it could not be sent in time
        ("LATE", ENDED_NS, "start", "latched"),
        ("CALL 2", None, "continue", "active"),
        ("CALL 3", ENDED_NS, "continue", "latched"),
        ("CLEARED", ENDED_NS, "end", "inactive"),
    ],
)
def test_all_phases_of_an_alert_have_its_number_and_say_which_they_are(
    what: str, ended_ns: int | None, phase: str, state: str
) -> None:
    message = hl7.parse(report(replace(PAGE, what=what, ended_ns=ended_ns, key=f"key of {what}"), NOW))
    assert str(message.segment("MSH")[10]) == f"key of {what}"
    order, facets = message.segment("OBR"), message.segments("OBX")
    assert str(order[3]) == "an alert^ecgstream"
    assert [str(facets[n][5]) for n in (2, 3)] == [phase, state]
    onset, ended = "20231114221320.250+0000", "20231114221450.250+0000"
    assert str(order[7]) == onset
    assert (str(order[8]) if len(order) > 8 else "") == (ended if ended_ns else "")
    assert {str(facet[14]) for facet in facets} == {ended if what == "CLEARED" else onset}
    parent = str(order[29]) if len(order) > 29 else ""
    assert parent == ("" if phase == "start" else "^an alert&ecgstream")


def test_that_it_is_over_segment_by_segment() -> None:
    page = replace(PAGE, what="CLEARED", text="CLEARED: Asystole\ndevice mon-17", ended_ns=ENDED_NS)
    _, _, _, order, *facets, end = report(page, NOW).split("\r")
    assert order == (
        "OBR|1||an alert^ecgstream|196616^MDC_EVT_ALARM^MDC|||20231114221320.250+0000|20231114221450.250+0000"
        + "|" * 21
        + "^an alert&ecgstream"
    )
    assert facets[2:4] == [
        f"OBX|{n}|ST|{name}^MDC|1.0.0.0.{n}|{value}||||||R|||20231114221450.250+0000||||mon-17"
        for n, name, value in (
            (3, "68481^MDC_ATTR_EVENT_PHASE", "end"),
            (4, "68482^MDC_ATTR_ALARM_STATE", "inactive"),
        )
    ]
    assert facets[-1].split("|")[5].startswith("CLEARED: Asystole, St. Elsewhere")
    assert end == ""


def test_no_name_ends_a_segment_or_a_frame() -> None:
    message = report(replace(PAGE, facility="3\r4\n5\x1c\r\x0b6"), NOW)
    assert message.split("\r")[2] == r"PV1||U|3 4\.br\5   6"
    assert not {"\x0b", "\x1c", "\n"} & set(message)


def test_a_technical_condition_is_one() -> None:
    message = hl7.parse(report(replace(PAGE, condition="LINK_LOST", text="!! No data"), NOW))
    assert str(message.segments("OBX")[6][5]) == "ST"


def test_it_is_sent_and_acknowledged_again_and_again() -> None:
    with MllpReceiver() as receiver:
        channel = Acm(receiver.url)
        channel.send(PAGE)
        channel.send(PAGE)
    first, second = (message.segment("MSH") for message in receiver.messages)
    assert str(first[10]) == str(second[10]) == PAGE.key
    assert (str(first[5]), str(first[6])) == ("MANAGER", "WARD 3")


def in_pieces(control: str) -> list[bytes]:
    return [frame("AA", control)[n : n + 1] for n in range(len(frame("AA", control)))]


def behind_anothers(control: str) -> list[bytes]:
    """Say again, in one go, what belongs to an earlier message, and only then what is asked."""
    return [frame("AE", "an earlier message") + frame("CA", control) + frame("AA", control)]


@pytest.mark.parametrize("answer", [ack("AA"), ack("CA"), in_pieces, behind_anothers])
def test_however_the_acknowledgement_is_cut_it_is_found(answer: Answer) -> None:
    with MllpReceiver(answer) as receiver:
        Acm(receiver.url).send(PAGE)


def hang_up(control: str) -> None:
    return None


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (ack("AE"), Reason.REFUSED, False),
        (ack("AE", error="101"), Reason.REFUSED, False),
        (ack("AE", error="207"), Reason.SERVER_ERROR, True),
        (ack("AR"), Reason.SERVER_ERROR, True),
        (ack("CE"), Reason.SERVER_ERROR, True),
        (ack("CR"), Reason.REFUSED, False),
        (ack("AA", of="another message"), Reason.TIMEOUT, True),
        (lambda control: [], Reason.TIMEOUT, True),
        (lambda control: [b"\x0bHTTP/1.1 400\x1c\r"], Reason.OTHER, True),
        (lambda control: [b"\x0bMSH|^~\\~\\&|manager\rMSA|AA|1^2\x1c\r"], Reason.OTHER, True),
        (lambda control: [b"x" * 70_000], Reason.OTHER, True),
        (hang_up, Reason.BROKEN_OFF, True),
    ],
)
def test_every_other_end_says_why_and_whether_a_retry_helps(
    answer: Answer, reason: Reason, retryable: bool
) -> None:
    with MllpReceiver(answer) as receiver:
        channel = Acm(receiver.url, timeout_s=2.0 if reason is Reason.TIMEOUT else 30.0)
        assert failure(channel) == (reason, retryable)
        channel.send(PAGE)


def test_with_tls_only_a_manager_that_is_trusted_gets_a_page(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MllpReceiver(context=identity.context) as receiver:
        channel = Acm(receiver.url)
        assert failure(channel) == (Reason.UNREACHABLE, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(identity.trusted))
        channel.send(PAGE)
    assert len(receiver.messages) == 1


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        channel = Acm(f"mllp://127.0.0.1:{unused.getsockname()[1]}")
        assert failure(channel) == (Reason.UNREACHABLE, True)


@pytest.mark.parametrize("url", ["mllp://", "mllp://secret:port", "http://secret", "secret"])
def test_what_is_no_address_is_refused_at_once_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^an alarm manager's address has the form mllp://") as found:
        Acm(url)
    assert "secret" not in str(found.value)
