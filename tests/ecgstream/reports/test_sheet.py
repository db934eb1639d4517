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
from ecgstream.reports.material import NS, RhythmSpan
from ecgstream.reports.strips import Strip, chosen
from ecgstream.reports.words import Language
from tests.ecgstream.reports.made import BEGIN, SUBJECT, beats, material

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
    written = sheet.written(report, strips_of(report), language)
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
    pages = PdfReader(io.BytesIO(sheet.written(report, strips_of(report), language))).pages
    assert [page.extract_text().split()[-1] for page in pages] == ["1", "2", "3", "4"]


def test_without_beats_and_strips_it_is_a_report_too() -> None:
    report = compute(material(beats([]), 1, analysed_s=0.0, high_pass=()))
    assert "notassessable" in "\n".join(
        page.extract_text().replace(" ", "")
        for page in PdfReader(io.BytesIO(sheet.written(report, [], "en"))).pages
    )


def test_without_a_font_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_CJK", ())
    with pytest.raises(RegistryError, match="fonts-noto-cjk"):
        sheet.written(a_day(10), [], "zh")
