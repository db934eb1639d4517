"""How a report stands: made by software alone, signed by somebody, amended, or withdrawn.

The words are those of FHIR's DiagnosticReport. A document says of itself *preliminary* for ever, since its
bytes never change; what became of it stands beside it.
"""

from dataclasses import dataclass
from datetime import datetime

PRELIMINARY, FINAL, AMENDED, IN_ERROR = "preliminary", "final", "amended", "entered-in-error"
WARNING = "made by software; not a certified medical device; no physician has read it"
LONGEST_CONCLUSION = 4000
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Signature:
    """What a named human has said of a report, and when."""

    conclusion: str
    account: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands beside a document.

    Attributes:
        status: preliminary, final, amended (it amends another one) or entered-in-error.
        report: its id; empty: it is kept nowhere.
        sha256: hexadecimal, of the document.
        version: 1, and one more than the report that it amends.
        made_by, made_at: who had it made.
        signature: None: nobody has signed it.
        amends: the report that it amends, empty: none.
        amended_by: the report by which it was amended, empty: none.
        reason: why it was withdrawn.
        moved: its stretch, or a part of it, was re-associated since it was made.
    """

    status: str = PRELIMINARY
    report: str = ""
    sha256: str = ""
    version: int = 1
    made_by: str = ""
    made_at: datetime | None = None
    signature: Signature | None = None
    amends: str = ""
    amended_by: str = ""
    reason: str = ""
    moved: bool = False


UNSIGNED = Standing()


def warning(standing: Standing) -> str:
    """Return what whoever reads a report should know of it first.

    >>> warning(UNSIGNED)
    'made by software; not a certified medical device; no physician has read it'
    """
    if standing.status == PRELIMINARY:
        found = WARNING
    elif standing.status == IN_ERROR:
        found = f"entered in error: {standing.reason}"
    else:
        found = "made by software; not a certified medical device; read and signed by a physician"
    if standing.amended_by:
        found += "; amended by a later report"
    return found + ("; its stretch was re-associated since" if standing.moved else "")
