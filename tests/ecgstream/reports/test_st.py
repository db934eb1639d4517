"""ST by lead in reports: figures as by hand, why there is none, on paper, as JSON and as FHIR."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from fhir.resources.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from ecgstream.reports import document, fhir, sheet
from ecgstream.reports.content import Report, compute
from ecgstream.reports.document import Document
from ecgstream.reports.material import MINUTE_NS, StoredLead
from ecgstream.reports.resting.leads import NAMES
from ecgstream.reports.st import Level
from ecgstream.reports.stored_leads import StoredLeads
from ecgstream.reports.words import Language
from schemas import mdc
from tests.ecgstream.reports.made import BEGIN, beats, lead, material
from tests.ecgstream.reports.test_sheet import needs_cjk

NAN = float("nan")


def report(*leads: StoredLead, minutes: int = 10, analysed_s: float = 60.0) -> Report:
    return compute(material(beats([0.8] * 70 * minutes), minutes, leads=leads, analysed_s=analysed_s))


def test_figures_of_a_lead_as_by_hand() -> None:
    found = report(lead("V5", 0.05, mv=[NAN, 0.1, -0.05, NAN, 0.2], n=3.0)).st
    (one,) = found.leads
    assert (found.assessable, one.lead, one.reason) == (True, "V5", "")
    assert (one.assessed_s, one.share) == (90.0, 90 / 600)
    assert one.mean_mv == pytest.approx(0.25 / 3, abs=0.0005)
    assert one.lowest == Level(BEGIN + 2 * MINUTE_NS, -0.05)
    assert one.highest == Level(BEGIN + 4 * MINUTE_NS, 0.2)
    assert (one.trend_from_ns, one.trend_uv) == (BEGIN + MINUTE_NS, "100 -50 E 200")
    assert [(level.from_ns - BEGIN) // MINUTE_NS for level in one.minutes()] == [1, 2, 4]


def test_a_share_is_of_the_time_that_could_be_analysed_and_never_beyond_all_of_it() -> None:
    assert report(lead("II", 0.05, mv=[0.1] * 5), analysed_s=40.0).st.leads[0].share == 300 / 400
    assert report(lead("II", 0.05, mv=[0.1] * 10), analysed_s=50.0).st.leads[0].share == 1.0
    assert report(lead("II", 0.05, mv=[0.1]), analysed_s=0.0).st.leads[0].share is None


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (lead("V1", 0.5), "the high-pass filter is 0.5 Hz, above 0.05 Hz"),
        (lead("V1", None), "the high-pass filter is not stated"),
        (lead("V1", 0.05), "no level was measured"),
        (lead("ECG", 0.05), "the lead has no name"),
        (lead("ECG", None), "the high-pass filter is not stated"),
    ],
)
def test_each_lead_without_levels_says_why(one: StoredLead, reason: str) -> None:
    found = report(one, lead("II", 0.05, mv=[0.1])).st
    assert {each.lead: each.reason for each in found.leads} == {"II": "", one.name: reason}
    assert found.unassessed == {reason: [one.name]}
    assert [each.lead for each in found.assessed] == ["II"]


def test_leads_stand_in_their_usual_order() -> None:
    leads = [lead(name, 0.05, mv=[0.1]) for name in ("V6", "ECG", "aVF", "I", "III")]
    assert [one.lead for one in report(*leads).st.leads] == ["I", "III", "aVF", "V6", "ECG"]


def test_a_lead_that_was_assessable_for_a_time_has_its_levels() -> None:
    (one,) = report(lead("II", 0.5, 0.05, None, mv=[NAN, 0.1])).st.leads
    assert (one.reason, one.mean_mv) == ("", 0.1)


def test_sessions_of_a_minute_add_up() -> None:
    found = StoredLeads()
    found.recorded(mdc.LEADS["II"], 0.05)
    found.recorded(mdc.LEADS["II"], None)
    for n, mv in ((2.0, 0.1), (4.0, 0.4)):
        found.level(mdc.ST_LEADS["II"], BEGIN, n, mv)
    (one,) = found.found()
    assert (one.name, one.high_pass_hz) == ("II", (0.05, None))
    assert (one.n.tolist(), one.mv.tolist()) == ([6.0], [pytest.approx(0.3)])


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.lists(st.one_of(st.just(NAN), st.floats(-2.0, 2.0)), max_size=30),
        max_size=12,
    )
)
def test_a_document_loses_nothing_of_it(levels: dict[str, list[float]]) -> None:
    made = report(*(lead(name, 0.05, mv=mv) for name, mv in levels.items()), minutes=30)
    again = document.read(document.written(Document(made, []))).report
    assert again.st == made.st
    for one in again.st.assessed:
        known = [mv for mv in levels[one.lead] if np.isfinite(mv)]
        assert [level.mv for level in one.minutes()] == pytest.approx(known, abs=0.00051)


def test_a_document_of_an_earlier_version_has_no_leads_and_is_read() -> None:
    said = json.loads(document.written(Document(report(lead("II", 0.05, mv=[0.1])), [])))
    del said["st"]["leads"]
    old = document.read(json.dumps(said).encode())
    assert (old.report.st.assessable, old.report.st.leads) == (True, ())
    assert sheet.written(old, "en")


def test_observations_of_fhir() -> None:
    made = report(lead("II", 0.05, mv=[0.1, NAN, -0.2]), lead("V1", 0.5))
    said = json.loads(fhir.written(made))
    Bundle.model_validate(said)
    entries = [entry["resource"] for entry in said["entry"][2:]]
    found = {one["code"]["coding"][-1]["code"]: one for one in entries}
    assert found["st-share-II"]["valueQuantity"]["value"] == 20.0
    lowest = found["st-lowest-II"]
    assert lowest["valueQuantity"] == {
        "value": -0.2,
        "unit": "mV",
        "system": "http://unitsofmeasure.org",
        "code": "mV",
    }
    assert lowest["code"]["coding"][0] == {"system": "urn:iso:std:iso:11073:10101", "code": "131842"}
    assert lowest["effectivePeriod"] == {
        "start": document.iso(BEGIN + 2 * MINUTE_NS),
        "end": document.iso(BEGIN + 3 * MINUTE_NS),
    }
    trend = found["st-trend-II"]
    assert trend["valueSampledData"]["data"] == "100 E -200"
    assert trend["effectivePeriod"]["end"] == document.iso(BEGIN + 3 * MINUTE_NS)
    assert "valueQuantity" not in found["st-V1"]
    assert "0.5 Hz" in found["st-V1"]["note"][0]["text"]


@pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=needs_cjk)])
def test_on_paper(language: Language) -> None:
    levels = (0.05 + 0.1 * np.sin(np.arange(600) / 90)).tolist()
    leads = [lead(name, 0.05, mv=levels) for name in NAMES[:10]] + [lead(name, 0.5) for name in NAMES[10:]]
    written = sheet.written(Document(report(*leads, minutes=600), []), language)
    pages = [
        page.extract_text().translate({0: None, 32: None}) for page in PdfReader(io.BytesIO(written)).pages
    ]
    text = "".join(pages)
    assert {"en": "STbylead,meansofminutes(mV)", "zh": "各导联ST段，分钟均值（mV）"}[language] in text
    assert "+0.15" in text
    assert "V5,V6" in text
    assert "0.5Hz" in text


def test_without_a_level_there_is_no_trend_and_without_leads_nothing() -> None:
    def text(made: Report) -> str:
        pages = PdfReader(io.BytesIO(sheet.written(Document(made, []), "en"))).pages
        return "".join(page.extract_text() for page in pages).translate({0: None, 32: None})

    none = text(report(lead("II", 0.5)))
    assert "STbylead" in none
    assert "Lowestminute" not in none
    bare = report(lead("II", 0.5))
    assert "STbylead" not in text(replace(bare, st=replace(bare.st, leads=())))
