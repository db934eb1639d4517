"""The report of a resting ECG as FHIR R5, by the rules of ``reports.fhir``.

Codes that could be verified: LOINC's of a 12-lead ECG, as HL7's value set of clinical tests has them (US
Core, ``us-core-clinical-test-codes``), and MDC's, partition 2, as DICOM prints them (PS3.16: CID 3689,
global durations; CID 3227, QTc; CID 3229, axes). LOINC has one code of QTc, whatever the formula.
"""

from collections.abc import Iterator
from typing import Any

from ecgstream.reports.document import SOFTWARE, lines
from ecgstream.reports.fhir import HEART_RATE, LOINC, MDC, Named, bundled, observed
from ecgstream.reports.resting.content import Figure, OfLead, Resting
from ecgstream.reports.resting.document import METHOD
from ecgstream.reports.standing import UNSIGNED, Standing

_PARTITION = 2 * 65536
_CODE = {"coding": [{"system": LOINC, "code": "34534-8", "display": "12 lead EKG panel"}]}


def written(report: Resting, standing: Standing = UNSIGNED, software: str = SOFTWARE) -> bytes:
    """Return the Bundle as JSON."""
    code = _CODE | {"text": f"Resting ECG report; {METHOD}"}
    return lines(bundled(report, code, list(_observations(report)), standing, software))


def _observations(report: Resting) -> Iterator[Named]:
    """Yield the measurements; one that is not measurable says why."""
    one = report.measured
    yield _figure("heart-rate", "Heart rate", one.heart_rate_bpm, "/min", HEART_RATE)
    for name, words, figure, unit, coding in (
        ("rr", "Mean RR interval", one.rr_ms, "ms", _coded(16000)),
        ("p-duration", "P duration, global", one.p_ms, "ms", _coded(16184)),
        ("pr-interval", "PR interval, global", one.pr_ms, "ms", _coded(15872, "8625-6", "P-R interval")),
        ("qrs-duration", "QRS duration, global", one.qrs_ms, "ms", _coded(16156, "8633-0", "QRS duration")),
        ("qt-interval", "QT interval, global", one.qt_ms, "ms", _coded(16160, "8634-8", "Q-T interval")),
        ("qtc-bazett", "QTc by Bazett", one.qtc_bazett_ms, "ms", _coded(15880, "8636-3", _QTC)),
        ("qtc-fridericia", "QTc by Fridericia", one.qtc_fridericia_ms, "ms", _coded(15892, "8636-3", _QTC)),
        ("p-axis", "Frontal axis of P", one.p_axis_deg, "deg", _coded(16128, "8626-4", "P wave axis")),
        ("qrs-axis", "Frontal axis of QRS", one.qrs_axis_deg, "deg", _coded(16132, "8632-2", "QRS axis")),
        ("t-axis", "Frontal axis of T", one.t_axis_deg, "deg", _coded(16136, "8638-9", "T wave axis")),
    ):
        yield _figure(name, words, figure, unit, coding)
    for lead in report.leads:
        yield _of_lead(lead)


_QTC = "Q-T interval corrected"


def _coded(term: int, loinc: str = "", display: str = "") -> list[dict[str, str]]:
    found = [{"system": MDC, "code": str(_PARTITION + term)}]
    return [{"system": LOINC, "code": loinc, "display": display}, *found] if loinc else found


def _figure(name: str, words: str, figure: Figure, unit: str, coding: list[dict[str, str]]) -> Named:
    name, found = observed(name, words, figure.value, unit, coding)
    return name, found | ({"note": [{"text": f"not measurable: {figure.why}"}]} if figure.why else {})


def _of_lead(lead: OfLead) -> Named:
    """Return a lead's amplitudes as components of one Observation."""
    key, words = f"lead-{lead.name.lower()}", f"Amplitudes of lead {lead.name}"
    name, found = observed(key, words, None, "mV")
    del found["dataAbsentReason"]
    components: list[dict[str, Any]] = [
        observed(f"{key}-{what}", f"{lead.name}: {said}", mv, "mV")[1]
        for what, said, mv in (
            ("r", "QRS upwards", lead.r_mv),
            ("s", "QRS downwards", lead.s_mv),
            ("st-j", "ST at the J point", lead.st_j_mv),
            ("st-60", "ST at J+60 ms", lead.st_60_mv),
            ("st-80", "ST at J+80 ms", lead.st_80_mv),
        )
    ]
    notes = ["derived from leads I and II"] if lead.derived else []
    notes += [f"ST not measurable: {lead.why_no_st}"] if lead.why_no_st else []
    return name, found | {"component": components} | ({"note": [{"text": "; ".join(notes)}]} if notes else {})
