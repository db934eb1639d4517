"""Reports as FHIR R5, judged by fhir.resources."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fhir.resources.bundle import Bundle
from fhir.resources.diagnosticreport import DiagnosticReport

from ecgstream.reports import fhir
from ecgstream.reports.content import Report, compute
from ecgstream.reports.material import Beats
from ecgstream.reports.standing import Standing
from tests.ecgstream.reports.made import SIGNED, SUBJECT, beats, material

NOTHING = Beats(*(np.empty(0, kind) for kind in (np.int64, np.uint8, np.float64, np.int64)))
SOME = compute(material(beats([0.8, 0.86, 2.5, 0.7, 0.8], "NNNNVN"), 1))


@pytest.mark.parametrize(
    "report",
    [
        SOME,
        compute(material(NOTHING, 1, analysed_s=0.0, high_pass=())),
        compute(material(NOTHING, 1, subject=replace(SUBJECT, patient=""))),
    ],
)
def test_it_is_a_bundle_of_r5_whose_references_lead_somewhere(report: Report) -> None:
    said = json.loads(fhir.written(report))
    Bundle.model_validate(said)
    urls = [entry["fullUrl"] for entry in said["entry"]]
    assert len(set(urls)) == len(urls)
    head, whose, *observations = (entry["resource"] for entry in said["entry"])
    assert (head["resourceType"], head["status"]) == ("DiagnosticReport", "preliminary")
    assert "conclusion" not in head
    assert [one["reference"] for one in head["result"]] == urls[2:]
    assert whose["resourceType"] == ("Patient" if report.subject.patient else "Device")
    for one in observations:
        assert one["status"] == "preliminary"
        assert one["subject"]["reference"] == urls[1]
        assert ("valueQuantity" in one) != ("dataAbsentReason" in one)


def test_figures_are_those_of_the_report() -> None:
    found = {
        one["resource"]["code"]["text"]: one["resource"].get("valueQuantity", {})
        for one in fhir.bundle(SOME)["entry"][2:]
    }
    assert (found["Longest pause"]["value"], found["Longest pause"]["code"]) == (2.5, "s")
    assert found["Ventricular beats, share of all beats"]["value"] == pytest.approx(100 / 6, abs=1e-3)
    assert found["RMSSD"]["code"] == "ms"
    assert found["Findings of ST elevation"]["value"] == 0


@pytest.mark.parametrize(
    ("standing", "status"),
    [
        (SIGNED, "amended"),
        (replace(SIGNED, status="final", amends="", amended_by=SIGNED.amends, moved=True), "final"),
        (replace(SIGNED, status="entered-in-error", reason="of another patient"), "entered-in-error"),
        (replace(SIGNED, status="preliminary", signature=None, amends=""), "preliminary"),
    ],
)
def test_a_report_that_is_kept_says_how_it_stands_and_who_read_it(standing: Standing, status: str) -> None:
    said = json.loads(fhir.written(SOME, standing))
    Bundle.model_validate(said)
    by_url = {entry["fullUrl"]: entry["resource"] for entry in said["entry"]}
    head = by_url[f"urn:uuid:{standing.report}"]
    DiagnosticReport.model_validate(head)
    assert {one["status"] for one in by_url.values() if "status" in one} == {status}
    assert head["meta"]["versionId"] == "2"
    assert head["identifier"][1]["value"] == standing.sha256
    named = {one["type"]["text"]: one["reference"]["reference"] for one in head.get("supportingInfo", [])}
    meant = {"amends": standing.amends, "amended by": standing.amended_by}
    assert named == {words: f"urn:uuid:{id_}" for words, id_ in meant.items() if id_}
    if standing.signature is None:
        assert "conclusion" not in head
        assert not any(one["resourceType"] == "Practitioner" for one in by_url.values())
        return
    assert head["conclusion"] == standing.signature.conclusion
    assert head["issued"] == "2026-09-21T17:00:00.000+00:00"
    who = by_url[head["resultsInterpreter"][0]["reference"]]
    assert (who["identifier"][0]["value"], who["name"][0]["text"]) == ("wang", "王医生")
    assert ("re-associated" in head["code"]["text"]) == standing.moved
