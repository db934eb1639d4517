"""The report of a resting ECG as JSON, by the rules of ``reports.document``, with its signal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from ecgstream.reports import samples
from ecgstream.reports.document import SOFTWARE, head, lines, made, plain, span
from ecgstream.reports.resting.content import Resting

if TYPE_CHECKING:
    from alerts.sheet import Lead

KIND = "resting ECG"
METHOD = (
    "global points on the median beat of all whole leads: QRS by spatial velocity, end of T by tangent,"
    " QTc by Bazett and Fridericia"
)


class RestingDocument(NamedTuple):
    """What a document holds: the report, and the leads that it is of, in the order of its ``leads``."""

    report: Resting
    leads: "Sequence[Lead]"
    software: str = SOFTWARE


def told(document: RestingDocument) -> dict[str, Any]:
    """Return the document as JSON values."""
    found: dict[str, Any] = plain(asdict(document.report))
    found["asked"] = span(document.report.asked)
    found["method"] = METHOD
    found["signal"] = [{"name": lead.name, "pieces": samples.pieces(lead)} for lead in document.leads]
    return head(KIND, document.software) | found


def written(document: RestingDocument) -> bytes:
    """Return the JSON document."""
    return lines(told(document))


def of(said: Any) -> RestingDocument:
    """Return the document that JSON values tell.

    Raises:
        ValueError: they tell no such document.
    """
    try:
        if said["kind"] != KIND:
            raise ValueError(f"this is no report of {KIND}")
        leads = [samples.lead(one["name"], one["pieces"]) for one in said["signal"]]
        return RestingDocument(made(Resting, said), leads, said["software"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no report of ecgstream's") from error
