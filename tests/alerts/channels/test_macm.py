"""Mobile Report Alert to a receiver on loopback."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace

import pytest

from alerts.channels.macm import Macm, request
from alerts.notify import NotifyError, Reason
from schemas.records import Priority
from tests.alerts.channels.pages import KEY_LINE, PAGE, PICTURE
from tests.alerts.receiver import Answer, Receiver, say_nothing, status

TO = "PractitionerRole/icu"
ELEMENTS = {
    "resourceType",
    "identifier",
    "status",
    "groupIdentifier",
    "category",
    "priority",
    "doNotPerform",
    "subject",
    "payload",
    "occurrenceDateTime",
    "authoredOn",
    "requester",
    "recipient",
    "reasonCode",
}
"""All are elements of CommunicationRequest in FHIR R4 (4.0.1), whose one required element is status."""


def channel(receiver: Receiver, timeout_s: float = 5.0) -> Macm:
    return Macm(receiver.url.replace("http://", "fhir://") + f"?to={TO}", timeout_s=timeout_s)


def test_a_request_holds_what_the_profile_asks_for() -> None:
    told = request(PAGE, [TO])
    assert told.keys() == ELEMENTS
    assert told["status"] == "active"
    assert told["priority"] == "stat"
    assert told["category"][0]["coding"][0]["code"] == "alert"
    assert told["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{PAGE.key}"}]
    assert told["recipient"] == [{"reference": TO}]
    assert told["subject"]["identifier"]["value"] == "P-1"
    assert told["occurrenceDateTime"] == "2023-11-14T22:13:20.250Z"
    text, picture, link = told["payload"]
    assert text["contentString"].splitlines()[0] == "!!! Asystole, St. Elsewhere"
    assert text["contentString"].splitlines()[-1] == KEY_LINE
    assert picture["contentAttachment"]["contentType"] == "image/png"
    assert b64decode(picture["contentAttachment"]["data"]) == PICTURE
    assert link["contentAttachment"]["url"] == PAGE.link


def test_a_page_of_nobody_names_nobody() -> None:
    told = request(replace(PAGE, patient="", strip=None, link="", priority=Priority.MEDIUM), [TO])
    assert told.keys() == ELEMENTS - {"subject"}
    assert told["priority"] == "urgent"
    assert len(told["payload"]) == 1


@pytest.mark.parametrize(
    ("what", "kind", "priority"),
    [
        ("RAISED", "alert", "urgent"),
        ("LATE", "alert", "urgent"),
        ("CALL 2", "reminder", "urgent"),
        ("CLEARED", "notification", "routine"),
    ],
)
def test_all_phases_of_an_alert_are_of_one_group_and_say_which_they_are(
    what: str, kind: str, priority: str
) -> None:
    told = request(replace(PAGE, what=what, priority=Priority.MEDIUM, key=f"key of {what}"), [TO])
    assert told["groupIdentifier"] == {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:an alert"}
    assert told["identifier"][0]["value"] == f"urn:uuid:key of {what}"  # each is a request of its own
    mine, fhirs = (category["coding"][0] for category in told["category"])
    assert mine == {"system": "urn:oid:1.3.6.1.4.1.19376.1.2.5.1", "code": "alert"}
    assert fhirs == {"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": kind}
    assert (told["status"], told["priority"]) == ("active", priority)


@pytest.mark.parametrize("code", [201, 200])
def test_it_is_created_once(code: int) -> None:
    with Receiver(status(code)) as receiver:
        channel(receiver).send(PAGE)
    (headers,) = receiver.headers
    assert headers["Content-Type"] == "application/fhir+json"
    assert headers["If-None-Exist"] == f"identifier=urn:ietf:rfc:3986|urn:uuid:{PAGE.key}"
    ((key, told),) = receiver.raw
    assert key == PAGE.key
    assert told == request(PAGE, [TO])


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (status(503), Reason.SERVER_ERROR, True),
        (status(422), Reason.REFUSED, False),
        (say_nothing, Reason.TIMEOUT, True),
    ],
)
def test_every_other_end_says_why_and_whether_a_retry_helps(
    answer: Answer, reason: Reason, retryable: bool
) -> None:
    with Receiver(answer) as receiver, pytest.raises(NotifyError) as found:
        channel(receiver, timeout_s=0.5).send(PAGE)
    assert (found.value.reason, found.value.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    "url",
    [
        "fhir://",
        "fhir://?to=Group/1",
        "fhir://secret:port?to=Group/1",
        "fhirs://secret/base",
        "http://secret?to=Group/1",
        "secret",
    ],
)
def test_what_is_no_address_is_refused_at_once_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^a FHIR server's address has the form fhirs://") as found:
        Macm(url)
    assert "secret" not in str(found.value)
