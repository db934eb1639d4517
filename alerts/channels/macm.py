"""Pages to an alert manager of the web, as FHIR R4: Mobile Report Alert [ITI-84] of IHE mACM.

All requests about an alert have its id as ``groupIdentifier``. mACM knows no phases; which one it is, FHIR's
own categories of messages say: the first is an alert, a later call a reminder, the end a notification.
"""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

from alerts.channels.http import IDEMPOTENCY_KEY, Poster
from alerts.channels.wording import details, title
from alerts.history import CLEARED
from alerts.notify import Page, iso
from alerts.page import FIRST, condition_text, urgency
from schemas.records import Priority

_PRIORITIES = {Priority.HIGH: "stat", Priority.MEDIUM: "urgent", Priority.LOW: "routine"}
_CATEGORY = {"system": "urn:oid:1.3.6.1.4.1.19376.1.2.5.1", "code": "alert"}
_KINDS = "http://terminology.hl7.org/CodeSystem/communication-category"
_URI = "urn:ietf:rfc:3986"
_ROOM = 100_000


class Macm:
    """Posts pages to a FHIR server; one thread at a time.

    Args:
        url: ``fhirs://host/base?to=PractitionerRole/icu``, ``fhir`` without TLS.
        timeout_s: of an attempt as a whole.

    Raises:
        ValueError: it is no such address.
    """

    takes_pictures = True

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        scheme, _, rest = url.partition("://")
        base, _, query = rest.partition("?")
        said = parse_qs(query)
        self._recipients = said.get("to", [])
        http = {"fhir": "http", "fhirs": "https"}.get(scheme.lower(), "")
        form = "a FHIR server's address has the form fhirs://host/base?to=PractitionerRole/icu"
        if not self._recipients:
            raise ValueError(form)
        try:
            self._poster = Poster(f"{http}://{base.rstrip('/')}/CommunicationRequest", timeout_s=timeout_s)
        except ValueError:
            raise ValueError(form) from None

    def send(self, page: Page) -> None:
        """Post a page; return when the server has it, whether since now (201) or since before (200).

        Raises:
            NotifyError: it has not, or not said so.
        """
        headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            IDEMPOTENCY_KEY: page.key,
            "If-None-Exist": f"identifier={_URI}|urn:uuid:{page.key}",  # FHIR's own idempotency
        }
        self._poster.post(json.dumps(request(page, self._recipients)).encode(), headers)

    def close(self) -> None:
        """Close connections."""
        self._poster.close()


def request(page: Page, recipients: list[str]) -> dict[str, Any]:
    """Return a page as a resource; ``recipients``: references, as ``Group/icu``."""
    told: list[dict[str, Any]] = [{"contentString": f"{title(page)}\n{details(page, _ROOM)}"}]
    if page.strip is not None:
        picture = {
            "contentType": "image/png",
            "data": b64encode(page.strip.png).decode(),
            "title": page.strip.alt,
        }
        told.append({"contentAttachment": picture})
    if page.link:
        told.append({"contentAttachment": {"url": page.link, "title": "the alert"}})
    subject = {"subject": {"type": "Patient", "identifier": {"value": page.patient}}} if page.patient else {}
    return {
        "resourceType": "CommunicationRequest",
        "identifier": [{"system": _URI, "value": f"urn:uuid:{page.key}"}],
        "status": "active",
        "groupIdentifier": {"system": _URI, "value": f"urn:uuid:{page.alert}"},
        "category": [{"coding": [_CATEGORY]}, {"coding": [{"system": _KINDS, "code": _kind(page)}]}],
        "priority": _PRIORITIES[urgency(page.what, page.priority)],
        "doNotPerform": False,
        **subject,
        "payload": told,
        "occurrenceDateTime": iso(page.onset_ns),
        "authoredOn": iso(page.decided_ns),
        "requester": {"type": "Device", "identifier": {"value": page.device}, "display": "ecgstream"},
        "recipient": [{"reference": reference} for reference in recipients],
        "reasonCode": [{"text": condition_text(page.condition)}],
    }


def _kind(page: Page) -> str:
    if page.what in FIRST:
        return "alert"
    return "notification" if page.what == CLEARED else "reminder"
