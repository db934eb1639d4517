"""Printed reports, read again by pypdf."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from alerts.sheet import Lead
from ecgstream.registry.errors import RegistryError
from ecgstream.reports import fonts, sheet
from ecgstream.reports.content import Report, compute
from ecgstream.reports.document import Document
from ecgstream.reports.material import NS, RhythmSpan
from ecgstream.reports.standing import Standing
from ecgstream.reports.strips import Strip, chosen
from ecgstream.reports.words import Language
from tests.ecgstream.reports.made import BEGIN, SIGNED, SUBJECT, beats, material

needs_cjk = pytest.mark.skipif(
    not any(file.exists() for file in fonts._CJK), reason="Noto Sans CJK is not installed"
)


def a_day(minutes: int = 1440) -> Report:
    rng = np.random.default_rng(3)
    at, rr_s = 0.0, []
    while at < minutes * 60 - 10:
        rr_s.append(0.85 + 0.2 * np.sin(at / 13_000) + rng.normal(0, 0.03))
        at += rr_s[-1]
    rr_s[500] = 3.2
    codes = np.full(len(rr_s) + 1, "N")
    codes[rng.integers(0, len(rr_s), minutes)] = "V"
    codes[1000:1006] = "V"
    rhythms = [
        RhythmSpan("N", BEGIN, BEGIN + minutes * 40 * NS),
        RhythmSpan("AFIB", BEGIN + minutes * 40 * NS, BEGIN + minutes * 44 * NS),
    ]
    return compute(material(beats(rr_s, "".join(codes)), minutes, rhythms))


def strips_of(report: Report) -> list[Strip]:
    s = np.arange(0, 7, 0.004)
    wave = np.exp(-(((s % 0.85) - 0.3) ** 2) / 0.0003) + 0.2 * np.exp(-(((s % 0.85) - 0.55) ** 2) / 0.002)
    wave[600:700] = np.nan
    return [Strip(one, [Lead("II", s, wave), Lead("V1", s, -wave)]) for one in chosen(report)]


def text_of(report: Report, language: Language = "en") -> str:
    written = sheet.written(Document(report, strips_of(report)), language)
    pages = PdfReader(io.BytesIO(written)).pages
    assert all((round(p.mediabox.width), round(p.mediabox.height)) == (595, 842) for p in pages)
    return "\n".join(page.extract_text() for page in pages).translate({0: None, 32: None})


def test_a_day_on_paper() -> None:
    report = a_day()
    text = text_of(report)
    for words in ("PRELIMINARY", "P-ABCDEFGHIJ", "mon-17", "CountyHospital", "LF/HF", "Conclusion"):
        assert words in text
    assert f"{sum(report.beats.values()):,}" in text
    assert "3.20s" in text
    assert "longestpause" in text


@needs_cjk
def test_in_chinese_with_names_of_any_script() -> None:
    report = replace(a_day(10), subject=replace(SUBJECT, facility=("مستشفى\u202e😀\n", "县医院")))
    text = text_of(report, "zh")
    assert "县医院" in text
    assert "初步报告" in text
    assert "\u202e" not in text


@pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=needs_cjk)])
def test_pages_have_their_numbers_in_either_language(language: Language) -> None:
    report = a_day(600)
    pages = PdfReader(io.BytesIO(sheet.written(Document(report, strips_of(report)), language))).pages
    assert [page.extract_text().split()[-1] for page in pages] == ["1", "2", "3", "4"]


def test_without_beats_and_strips_it_is_a_report_too() -> None:
    report = compute(material(beats([]), 1, analysed_s=0.0, high_pass=()))
    pages = PdfReader(io.BytesIO(sheet.written(Document(report, []), "en"))).pages
    text = "".join("".join(page.extract_text().split()) for page in pages)
    assert "notassessable" in text
    assert "Rhythmsnone" in text


def pages_of(standing: Standing, language: Language = "en") -> list[str]:
    written = sheet.written(Document(a_day(600), strips_of(a_day(600))), language, standing)
    return [
        page.extract_text().translate({0: None, 32: None}) for page in PdfReader(io.BytesIO(written)).pages
    ]


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing(), "PRELIMINARY"),
        (replace(SIGNED, amends="", status="final"), "FINAL"),
        (SIGNED, "AMENDSANEARLIERREPORT"),
        (replace(SIGNED, amended_by=SIGNED.amends), "AMENDEDBYALATERREPORT"),
        (replace(SIGNED, moved=True), "ITSSTRETCHWASRE-ASSOCIATEDSINCE"),
        (replace(SIGNED, status="entered-in-error", reason="of another"), "ENTEREDINERROR"),
    ],
)
def test_every_page_says_how_it_stands(standing: Standing, words: str) -> None:
    pages = pages_of(standing)
    assert len(pages) > 2
    assert [words in page for page in pages] == [True] * len(pages)
    assert ("PRELIMINARY" in pages[0]) == (standing.status == "preliminary")
    assert all(standing.report in page for page in pages)
    assert ("SHA-256" in pages[-1]) == bool(standing.report)
    assert standing.sha256 in pages[-1]


@needs_cjk
def test_a_conclusion_of_any_length_in_any_script_is_all_there_and_what_has_no_glyph_is_said() -> None:
    words = "\n".join(f"第{n}行 窦性心律，Sinus rhythm {n}, نظم جيبي {'鑫' * 200}" for n in range(40))
    signature = replace(SIGNED.signature, conclusion=words + " 🫀\u202e")
    pages = pages_of(replace(SIGNED, signature=signature), "zh")
    text = "".join(pages).replace("\n", "")
    assert [f"第{n}行" in text for n in range(40)] == [True] * 40
    assert text.count("鑫") == 40 * 200
    assert "此处字体没有的字符显示为方框" in text
    assert "\u202e" not in text
    assert "王医生(wang),2026-09-2201:00:00" in text
    assert "此处字体没有" not in "".join(pages_of(SIGNED, "zh"))


def test_without_a_font_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_CJK", ())
    with pytest.raises(RegistryError, match="fonts-noto-cjk"):
        sheet.written(Document(a_day(10), []), "zh")
