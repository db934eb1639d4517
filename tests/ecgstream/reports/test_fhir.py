"""Reports as FHIR R5, judged by fhir.resources."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fhir.resources.bundle import Bundle

from ecgstream.reports import fhir
from ecgstream.reports.content import Report, compute
from ecgstream.reports.material import Beats
from tests.ecgstream.reports.made import SUBJECT, beats, material

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
