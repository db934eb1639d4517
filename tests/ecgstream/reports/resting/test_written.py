"""The report of a resting ECG as JSON, as FHIR R5 judged by fhir.resources, and on paper."""

from __future__ import annotations

import io
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from fhir.resources.bundle import Bundle
from pypdf import PdfReader

from ecgstream.reports import make, page, words
from ecgstream.reports.resting import document, fhir, leads, sheet
from ecgstream.reports.resting.document import RestingDocument
from ecgstream.reports.standing import UNSIGNED, Standing
from ecgstream.reports.words import Language
from tests.ecgstream.reports.made import SIGNED
from tests.ecgstream.reports.resting.made_of import Beat
from tests.ecgstream.reports.resting.made_of_report import document_of, recorded
from tests.ecgstream.reports.test_sheet import needs_cjk

USUAL = document_of(recorded(noise_mv=0.01))
LACKING = document_of(recorded(Beat(p=0), high_pass=0.5, off={"V3": slice(1000, 2000)}))
NOTHING = document_of(recorded(rhythm="P"))


@pytest.mark.parametrize("one", [USUAL, LACKING, NOTHING])
def test_a_document_is_all_that_a_report_is(one: RestingDocument) -> None:
    content = make.drawn(one, ".json", "en")
    again = make.read(content)
    assert isinstance(again, RestingDocument)
    assert again.report == one.report
    assert document.written(again) == content
    drawn, before = (make.drawn(of, ".fhir.json", "en", SIGNED) for of in (again, one))
    assert drawn == before
    assert json.loads(content)["kind"] == "resting ECG"


@pytest.mark.parametrize("content", [b"[]", b'{"kind": "resting ECG"}', b'{"kind": "other"}', b"1"])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no report of"):
        make.read(content)


@pytest.mark.parametrize("one", [USUAL, LACKING, NOTHING])
@pytest.mark.parametrize("standing", [UNSIGNED, SIGNED])
def test_it_is_a_bundle_of_r5_with_codes_that_others_know(one: RestingDocument, standing: Standing) -> None:
    said = json.loads(fhir.written(one.report, standing))
    Bundle.model_validate(said)
    urls = [entry["fullUrl"] for entry in said["entry"]]
    assert len(set(urls)) == len(urls)
    found = [entry["resource"] for entry in said["entry"]]
    head = found[0]
    assert head["code"]["coding"][0]["code"] == "34534-8"
    assert head["status"] == standing.status
    assert head.get("conclusion") == (standing.signature.conclusion if standing.signature else None)
    observations = [one for one in found if one["resourceType"] == "Observation"]
    assert [one["reference"] for one in head["result"]] == urls[2 : 2 + len(observations)]
    coded = {one["code"]["coding"][-1]["code"]: one for one in observations}
    qt = coded["qt-interval"]
    assert [c["code"] for c in qt["code"]["coding"][:2]] == ["8634-8", str(2 * 65536 + 16160)]
    if one.report.measured.qt_ms.value is None:
        assert qt["note"] == [{"text": "not measurable: paced rhythm"}]
        assert "dataAbsentReason" in qt
    else:
        assert qt["valueQuantity"]["code"] == "ms"
    assert coded["lead-iii"]["note"][0]["text"].startswith("derived from leads I and II")
    assert sum(name.startswith("lead-") for name in coded) == len(leads.NAMES)


@pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=needs_cjk)])
@pytest.mark.parametrize("one", [USUAL, LACKING, NOTHING])
@pytest.mark.parametrize("standing", [UNSIGNED, SIGNED])
def test_on_paper_it_is_a_page_across_and_one_of_amplitudes(
    one: RestingDocument, language: Language, standing: Standing
) -> None:
    if standing is SIGNED and language == "en" and not any(map(Path.exists, page.fonts._CJK)):
        pytest.skip("Noto Sans CJK is not installed")
    pages = PdfReader(io.BytesIO(sheet.written(one, language, standing))).pages
    assert [(round(p.mediabox.width), round(p.mediabox.height)) for p in pages] == [(842, 595)] * 2
    first, second = (p.extract_text().translate({0: None, 32: None}) for p in pages)
    of = lambda said: words.said(said, language).replace(" ", "")  # noqa: E731
    for said in ("Report of a resting ECG", "Conclusion (of a physician)", "QTc Fridericia", "QRS axis"):
        assert of(said) in first
    assert "25mm/s,10mm/mV;0.05to150Hz:diagnosticbandwidth;500Hz" in first
    assert f"{of('derived from I and II')}:III,aVR,aVL,aVF" in first
    assert of("Amplitudes of the median beat (mV)") in second
    rate = one.report.measured.heart_rate_bpm.value
    assert rate is not None
    assert f"{rate:.0f}/min" in first
    if one is NOTHING:
        assert of("not measurable") + ":" + of("paced rhythm") in first
    if standing is SIGNED:
        assert "窦性心律" in first
        assert SIGNED.sha256 in second


def test_it_is_true_to_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[tuple[float, float]]] = []
    monkeypatch.setattr(page.Sheet, "polyline", lambda self, points: drawn.append(list(points)))
    sheet.written(USUAL, "en")
    pulses = [line for line in drawn if len(line) == 6]
    assert len(pulses) == 4
    for line in pulses:
        assert line[1][1] - line[2][1] == pytest.approx(10.0)  # 1 mV
        assert line[3][0] - line[2][0] == pytest.approx(5.0)  # 200 ms
    rhythm = np.array(max(drawn, key=len))
    assert rhythm[-1, 0] - rhythm[0, 0] == pytest.approx(250.0, abs=0.1)  # 10 s
    tops = rhythm[rhythm[:, 1] < rhythm[:, 1].min() + 1, 0]
    beats = np.array([part.mean() for part in np.split(tops, np.flatnonzero(np.diff(tops) > 5) + 1)])
    assert np.diff(beats) == pytest.approx(0.83 * 25, abs=0.3)
    assert np.median(rhythm[:, 1]) - rhythm[:, 1].min() == pytest.approx(12.0, abs=0.5)  # R of II is 1.2 mV
    for line in drawn:
        across = np.array(line)[:, 0]
        assert 15.0 <= across.min() <= across.max() <= 297.0 - 15.0


def test_every_reason_has_words_in_chinese() -> None:
    folder = Path(document.__file__).parent
    reasons = set()
    for name in ("content", "delineate", "median"):
        source = (folder / f"{name}.py").read_text("utf-8")
        reasons |= set(re.findall(r'"((?:[a-z]|[A-Z]+ |P |T )[A-Za-z0-9 ()-]{4,60})"', source))
    reasons = {one for one in reasons if " " in one}
    assert len(reasons) > 15
    assert {one for one in reasons if words.said(one, "zh") == one} == set()
    assert words.said(document.METHOD, "zh") != document.METHOD
    assert {field.name for field in fields(USUAL.report.measured)} >= {"qtc_bazett_ms", "qtc_fridericia_ms"}
