"""A report as FHIR R5: a Bundle (collection) of a DiagnosticReport, its Observations, and what they refer to.

Resources are named by UUIDs that follow from what the report is of: the same report has the same ids. Nobody
is named; the patient is the pseudonym.

Codes: LOINC where one could be verified (8867-4 of FHIR's vital signs; 18754-2, ambulatory cardiac rhythm
monitor study, as HL7 Belgium's guide of patient monitoring has it), MDC for heart rate and ST by lead; all
else has a code of our own system (``SYSTEM``), with words. Units are UCUM's.

Who signed it is ``resultsInterpreter``, a Practitioner that has an account here; what it amends stands in
``supportingInfo``, since R5 has nothing of its own for that, and ``meta.versionId`` counts.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ecgstream.reports.content import Report
from ecgstream.reports.document import SOFTWARE, iso, lines
from ecgstream.reports.material import MINUTE_NS, Reported
from ecgstream.reports.st import LeadSt, St
from ecgstream.reports.standing import UNSIGNED, Standing, warning
from schemas import mdc

SYSTEM = "urn:ecgstream:report"
LOINC, MDC, _UCUM = "http://loinc.org", "urn:iso:std:iso:11073:10101", "http://unitsofmeasure.org"
_PSEUDONYM, _DEVICE, _ACCOUNT = "urn:ecgstream:patient", "urn:ecgstream:device", "urn:ecgstream:account"
_SHA256 = "urn:ecgstream:report:sha256"
Named = tuple[str, dict[str, Any]]
HEART_RATE = [
    {"system": LOINC, "code": "8867-4", "display": "Heart rate"},
    {"system": MDC, "code": str(mdc.HEART_RATE)},
]


def written(report: Report, standing: Standing = UNSIGNED, software: str = SOFTWARE) -> bytes:
    """Return the Bundle as JSON."""
    return lines(bundle(report, standing, software))


def bundle(report: Report, standing: Standing = UNSIGNED, software: str = SOFTWARE) -> dict[str, Any]:
    """Return the Bundle as JSON values."""
    code = {"coding": [{"system": LOINC, "code": "18754-2"}], "text": "Ambulatory ECG report"}
    return bundled(report, code, list(_observations(report)), standing, software)


def bundled(
    report: Reported,
    code: dict[str, Any],
    found: Sequence[Named],
    standing: Standing,
    software: str,
) -> dict[str, Any]:
    """Return a report's Bundle; ``found``: its Observations' names, codes and values (``observed``)."""
    subject = _reference(report, "subject")
    effective = {"start": iso(report.asked[0]), "end": iso(report.asked[1])}
    common = {"status": standing.status, "subject": subject, "effectivePeriod": effective}
    observations = [(name, {"resourceType": "Observation", **common, **value}) for name, value in found]
    head = {
        "resourceType": "DiagnosticReport",
        **common,
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "EC"}]}],
        "code": code | {"text": f"{code['text']}; {warning(standing)}; {software}"},
        "result": [_reference(report, name) for name, _ in observations],
        **_kept(standing),
        **_signed(report, standing),
    }
    entries = [("report", head), ("subject", _subject(report)), *observations]
    if standing.signature is not None:
        entries.append(("interpreter", _practitioner(standing.signature.account, standing.signature.name)))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": _url_of(report, name, standing), "resource": resource} for name, resource in entries
        ],
    }


def _kept(standing: Standing) -> dict[str, Any]:
    """Return what a report has that is kept: its id, its digest, what it amends and is amended by."""
    if not standing.report or standing.made_at is None:
        return {}
    other = [("amends", standing.amends), ("amended by", standing.amended_by)]
    info = [
        {"type": {"text": words}, "reference": {"reference": f"urn:uuid:{id_}", "type": "DiagnosticReport"}}
        for words, id_ in other
        if id_
    ]
    issued = standing.made_at if standing.signature is None else standing.signature.at
    return {
        "meta": {"versionId": f"{standing.version}"},
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{standing.report}"},
            {"system": _SHA256, "value": standing.sha256},
        ],
        "issued": issued.astimezone(UTC).isoformat(timespec="milliseconds"),
        **({"supportingInfo": info} if info else {}),
    }


def _signed(report: Reported, standing: Standing) -> dict[str, Any]:
    if standing.signature is None:
        return {}
    return {
        "resultsInterpreter": [_reference(report, "interpreter")],
        "conclusion": standing.signature.conclusion,
    }


def _practitioner(account: str, name: str) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": _ACCOUNT, "value": account}],
        "name": [{"text": name}],
    }


def _subject(report: Reported) -> dict[str, Any]:
    """Return the patient or, where a device's stretch is reported, the device."""
    if report.subject.patient:
        identifier = [{"system": _PSEUDONYM, "value": report.subject.patient}]
        return {"resourceType": "Patient", "identifier": identifier}
    identifier = [{"system": _DEVICE, "value": device} for device in report.subject.devices]
    return {"resourceType": "Device", "identifier": identifier}


def _observations(report: Report) -> Iterator[Named]:
    """Yield a name and the code and value of each figure; what is not known has ``dataAbsentReason``."""
    covered, hrv, pause = report.coverage, report.variability, report.longest_pause
    yield observed(
        "analysable-share", "Share of the stretch that could be analysed", covered.analysable_share * 100, "%"
    )
    yield observed("analysed", "Time that could be analysed", covered.analysed_s, "s")
    yield observed("beats", "Beats", sum(report.beats.values()), "1")
    yield observed("heart-rate-mean", "Mean heart rate", report.rates.mean_bpm, "/min", HEART_RATE)
    for name, rate in (("slowest", report.rates.slowest), ("fastest", report.rates.fastest)):
        bpm = None if rate is None else rate.bpm
        yield observed(f"heart-rate-{name}", f"Mean heart rate of the {name} minute", bpm, "/min", HEART_RATE)
    for name, one in (("ventricular", report.ventricular), ("supraventricular", report.supraventricular)):
        share = None if one.share is None else one.share * 100
        yield observed(f"{name}-beats", f"{name.capitalize()} beats", one.beats, "1")
        yield observed(f"{name}-share", f"{name.capitalize()} beats, share of all beats", share, "%")
        yield observed(f"{name}-couplets", f"{name.capitalize()} couplets", one.couplets, "1")
        yield observed(f"{name}-runs", f"{name.capitalize()} runs", one.runs, "1")
    af = report.rhythm("AFIB")
    burden = 0.0 if covered.analysed_s else None
    burden = af.share * 100 if af is not None and af.share is not None else burden
    yield observed("af-burden", "Atrial fibrillation, share of analysable time", burden, "%")
    yield observed("pauses", "Pauses of 2 s and more", len(report.pauses), "1")
    if pause is not None:
        yield observed("longest-pause", "Longest pause", pause.length_s, "s")
    for name, value, unit in (
        ("SDNN", hrv.sdnn_ms, "ms"),
        ("SDANN", hrv.sdann_ms, "ms"),
        ("SDNN index", hrv.sdnn_index_ms, "ms"),
        ("RMSSD", hrv.rmssd_ms, "ms"),
        ("pNN50", hrv.pnn50_percent, "%"),
        ("LF", hrv.lf_ms2, "ms2"),
        ("HF", hrv.hf_ms2, "ms2"),
        ("LF/HF", hrv.lf_hf, "1"),
    ):
        yield observed(name.lower().replace(" ", "-").replace("/", "-"), name, value, unit)
    yield from _st(report.st)


def _st(found: St) -> Iterator[Named]:
    if found.assessable:
        yield observed("st-elevations", "Findings of ST elevation", found.elevations, "1")
        yield observed("st-depressions", "Findings of ST depression", found.depressions, "1")
    else:
        yield _unassessed("st", "ST", "1", found.reason)
    for one in found.leads:
        yield from _st_of(one)


def _st_of(one: LeadSt) -> Iterator[Named]:
    """Yield what is known of a lead: its levels (of a minute, with its time), and their trend."""
    lead, coding = one.lead, []
    if lead in mdc.ST_LEADS:
        coding = [{"system": MDC, "code": str(mdc.ST_LEADS[lead])}]
    if one.reason:
        yield _unassessed(f"st-{lead}", f"ST level of lead {lead}", "mV", one.reason, coding)
        return
    share = None if one.share is None else one.share * 100
    words = f"ST of lead {lead} was assessed, share of analysable time"
    yield observed(f"st-share-{lead}", words, share, "%")
    yield observed(f"st-mean-{lead}", f"Mean ST level of lead {lead}", one.mean_mv, "mV", coding)
    for which, level in (("lowest", one.lowest), ("highest", one.highest)):
        if level is not None:
            words = f"ST level of lead {lead}, mean of the {which} minute"
            name, found = observed(f"st-{which}-{lead}", words, level.mv, "mV", coding)
            yield name, found | {"effectivePeriod": _minutes(level.from_ns, 1)}
    if one.trend_from_ns is not None:
        yield _trend(one, one.trend_from_ns, coding)


def _trend(one: LeadSt, from_ns: int, coding: list[dict[str, str]]) -> Named:
    """Return means of minutes as SampledData, whose text is that of the document."""
    name = f"st-trend-{one.lead}"
    sampled = {
        "origin": {"value": 0, "unit": "mV", "system": _UCUM, "code": "mV"},
        "interval": 60,
        "intervalUnit": "s",
        "factor": 0.001,
        "dimensions": 1,
        "data": one.trend_uv,
    }
    return name, {
        "code": _code(name, f"ST level of lead {one.lead}, means of minutes", coding),
        "effectivePeriod": _minutes(from_ns, len(one.trend_uv.split())),
        "valueSampledData": sampled,
    }


def _minutes(from_ns: int, n: int) -> dict[str, str]:
    return {"start": iso(from_ns), "end": iso(from_ns + n * MINUTE_NS)}


def _unassessed(
    name: str, words: str, unit: str, reason: str, coding: list[dict[str, str]] | None = None
) -> Named:
    _, absent = observed(name, words, None, unit, coding)
    return name, absent | {"note": [{"text": f"not assessable: {reason}"}]}


def observed(
    name: str, words: str, value: float | None, unit: str, coding: list[dict[str, str]] | None = None
) -> Named:
    """Return a name, and the code and value of an Observation; None: ``dataAbsentReason``."""
    found: dict[str, Any] = {"code": _code(name, words, coding or [])}
    if value is None:
        reason = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}
        return name, found | {"dataAbsentReason": {"coding": [reason]}}
    quantity = {"value": round(value, 4), "unit": unit, "system": _UCUM, "code": unit}
    return name, found | {"valueQuantity": quantity}


def _code(name: str, words: str, coding: list[dict[str, str]]) -> dict[str, Any]:
    return {"coding": [*coding, {"system": SYSTEM, "code": name, "display": words}], "text": words}


def _url(report: Reported, name: str) -> str:
    whose = report.subject.patient or " ".join(report.subject.devices)
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{SYSTEM}:{whose}:{report.asked[0]}:{report.asked[1]}:{name}')}"


def _url_of(report: Reported, name: str, standing: Standing) -> str:
    """Return the URL of an entry; a report that is kept has the one of its id."""
    return f"urn:uuid:{standing.report}" if name == "report" and standing.report else _url(report, name)


def _reference(report: Reported, name: str) -> dict[str, str]:
    return {"reference": _url(report, name)}
