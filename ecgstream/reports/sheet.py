"""A report as a PDF on A4: drawn as lines and text, with subsets of its fonts."""

import numpy as np

from ecgstream.reports import plotted, ruled, shown
from ecgstream.reports.content import Ectopy
from ecgstream.reports.document import Document
from ecgstream.reports.page import GREY, LEFT, WIDTH, Column, Sheet
from ecgstream.reports.plotted import Plot
from ecgstream.reports.sheet_st import Ambulatory, levels
from ecgstream.reports.signed import conclusion, record, warned
from ecgstream.reports.standing import UNSIGNED, Standing
from ecgstream.reports.strips import SECONDS, Strip
from ecgstream.reports.words import Language

_LEAD_MM = 30.0


def written(document: Document, language: Language, standing: Standing = UNSIGNED) -> bytes:
    """Return the PDF.

    Raises:
        RegistryError: there is no font for it.
    """
    sheet = Sheet(document.report, document.software, language, standing)
    _top(sheet, document.software)
    _summary(sheet)
    _trend(sheet)
    levels(sheet)
    conclusion(sheet)
    _rhythms(sheet)
    _variability(sheet)
    _hours(sheet)
    if document.strips:
        sheet.heading("Strips", 2 * _LEAD_MM)
    for strip in document.strips:
        _strip(sheet, strip)
    if standing.report:
        record(sheet)
    return bytes(sheet.output())


def _top(sheet: Ambulatory, software: str) -> None:
    report, of = sheet.report, sheet.of
    sheet.put(of("Report of ambulatory ECG"), WIDTH, 17, bold=True, height=9)
    sheet.ln(9)
    sheet.put(warned(sheet), WIDTH, 8, colour=GREY)
    sheet.ln(7)
    english, chinese = report.subject.facility
    facility = " · ".join(name for name in (english, chinese) if name) or "-"
    begin, end = (sheet.when(ns, "%Y-%m-%d %H:%M") for ns in report.asked)
    for name, words in (
        ("Patient", report.subject.patient or of("not reported by patient")),
        ("Device", ", ".join(report.subject.devices)),
        ("Facility", facility),
        ("Stretch", f"{begin} - {end} ({report.subject.zone})"),
        ("Software", f"{software}, {of('detectors')} {', '.join(report.detectors) or '-'}"),
    ):
        sheet.put(of(name), 32, 8.5, colour=GREY)
        sheet.put(words, WIDTH - 32, 9, bold=name == "Patient")
        sheet.ln(5)


def _summary(sheet: Ambulatory) -> None:
    report, of = sheet.report, sheet.of
    covered, rates, pause = report.coverage, report.rates, report.longest_pause
    n = sum(report.beats.values())
    least, greatest = (shown.rate(one.bpm if one else None) for one in (rates.slowest, rates.fastest))
    mean = shown.rate(rates.mean_bpm)
    af = report.rhythm("AFIB")
    st = f"{of('elevations, depressions')}: {report.st.elevations}, {report.st.depressions}"
    if not report.st.assessable:
        st = f"{of('not assessable')}: {of(report.st.reason)}"
    fibrillation = of("none")
    if af is not None:
        longest = shown.lasting((af.longest.to_ns - af.longest.from_ns) / 1e9)
        fibrillation = f"{shown.share(af.share)} {of('of analysable time')}; {of('longest')} {longest}"
    pauses = f"{len(report.pauses)}"
    if pause is not None:
        pauses += f"; {of('longest')} {pause.length_s:.2f} s, {sheet.when(pause.from_ns)}"
    analysable = f"{shown.share(covered.analysable_share)} {of('of')} {shown.lasting(covered.asked_s)}"
    sheet.heading("Summary", 50)
    for name, words in (
        ("Analysable", f"{shown.lasting(covered.analysed_s)} ({analysable})"),
        ("Beats", f"{n:,}" if n else of("no beats")),
        (
            "Heart rate",
            f"{least} / {mean} / {greatest} /min, {of('least, mean, greatest (minutes)')}",
        ),
        ("Ventricular", _early(sheet, report.ventricular)),
        ("Supraventricular", _early(sheet, report.supraventricular)),
        ("Atrial fibrillation", fibrillation),
        ("Pauses of 2 s and more", pauses),
        ("ST", st),
    ):
        sheet.put(of(name), 44, 8.5, colour=GREY)
        sheet.put(words, WIDTH - 44, 9)
        sheet.ln(5)


def _early(sheet: Ambulatory, one: Ectopy) -> str:
    of = sheet.of
    words = f"{one.beats:,} ({shown.share(one.share)} {of('of all beats')})"
    words += f"; {one.couplets} {of('couplets')}, {one.runs} {of('runs')}"
    return f"{words}, {of('longest')} {one.longest_run} {of('beats')}" if one.runs else words


def _trend(sheet: Ambulatory) -> None:
    """Draw the rates of minutes."""
    sheet.heading("Heart rate, means of minutes (/min)", 55)
    rates = sheet.report.rates.minutes
    low = min(40.0, *(one.bpm for one in rates)) if rates else 40.0
    high = max(120.0, *(one.bpm for one in rates)) if rates else 120.0
    low, high = np.floor(low / 20) * 20, np.ceil(high / 20) * 20
    plot = Plot(sheet.get_y() + 2, 38.0, sheet.report.asked, low, high)
    plotted.ruled_at(sheet, plot, np.arange(low, high + 1, 20 if high - low <= 160 else 40), "{:.0f}")
    plotted.minutes(sheet, plot, [(one.from_ns, one.bpm) for one in rates])
    plotted.times(sheet, plot)


def _rhythms(sheet: Ambulatory) -> None:
    sheet.heading("Rhythms", 20)
    columns = [
        Column(t, w)
        for t, w in zip(
            ("Rhythm", "Episodes", "Time", "Share", "Longest", "Begins"),
            (26, 24, 30, 26, 30, 44),
            strict=True,
        )
    ]
    rows = [
        (
            one.rhythm,
            f"{one.episodes}",
            shown.lasting(one.total_s),
            shown.share(one.share),
            shown.lasting((one.longest.to_ns - one.longest.from_ns) / 1e9),
            sheet.when(one.longest.from_ns),
        )
        for one in sheet.report.rhythms
    ]
    sheet.rows(columns, rows)


def _variability(sheet: Ambulatory) -> None:
    found = sheet.report.variability
    sheet.heading("Heart rate variability", 32)
    values = (
        ("SDNN", found.sdnn_ms, "ms"),
        ("SDANN", found.sdann_ms, "ms"),
        ("SDNN index", found.sdnn_index_ms, "ms"),
        ("RMSSD", found.rmssd_ms, "ms"),
        ("pNN50", found.pnn50_percent, "%"),
        ("LF", found.lf_ms2, "ms²"),
        ("HF", found.hf_ms2, "ms²"),
        ("LF/HF", found.lf_hf, ""),
    )
    for n, (name, value, unit) in enumerate(values):
        sheet.put(name, 20, 8.5, colour=GREY)
        sheet.put("-" if value is None else f"{value:.{2 if not unit else 1}f} {unit}", 25, 9)
        if n % 4 == 3:
            sheet.ln(5)
    of = sheet.of
    counted = f"{len(found.segments)}, {found.left_out}"
    words = f"{of('NN intervals')}: {found.intervals:,} / {found.of_intervals:,}"
    words += f"; {of('segments of 5 min counted, left out')}: {counted}"
    sheet.put(words, WIDTH, 8, colour=GREY)
    sheet.ln(5)


def _hours(sheet: Ambulatory) -> None:
    sheet.heading("Hours", 25)
    titles = ("From", "Analysable", "Beats", "Least", "Mean", "Greatest", "VEB", "SVEB", "Pauses", "AF")
    columns = [Column(title, 27 if not n else 17) for n, title in enumerate(titles)]
    rows = [
        (
            sheet.when(max(one.from_ns, sheet.report.asked[0]), "%m-%d %H:%M"),
            shown.lasting(one.analysed_s),
            f"{one.beats:,}",
            shown.rate(one.low_bpm),
            shown.rate(one.mean_bpm),
            shown.rate(one.high_bpm),
            f"{one.ventricular:,}",
            f"{one.supraventricular:,}",
            f"{one.pauses}",
            shown.lasting(one.af_s),
        )
        for one in sheet.report.hours
    ]
    sheet.rows(columns, rows)


def _strip(sheet: Ambulatory, strip: Strip) -> None:
    """Draw a strip at 25 mm/s and 10 mm/mV, its leads below each other."""
    height = _LEAD_MM * max(1, len(strip.leads)) if strip.leads else 6.0
    sheet.need(height + 12)
    sheet.ln(2)
    scale = "25 mm/s, 10 mm/mV" if strip.leads else sheet.of("no signal is stored")
    sheet.put(sheet.of(strip.chosen.what), 70, 9, bold=True)
    sheet.put(f"{sheet.when(strip.chosen.from_ns)}   {scale}", WIDTH - 70, 8, colour=GREY, align="R")
    sheet.ln(5.5)
    if not strip.leads:
        return
    top = sheet.get_y()
    ruled.grid(sheet, LEFT, top, SECONDS * ruled.MM_PER_S, height)
    for n, lead in enumerate(strip.leads):
        base = top + n * _LEAD_MM + _LEAD_MM * 0.55
        ruled.trace(sheet, LEFT + lead.time_s * ruled.MM_PER_S, lead.mv, base, (top, top + height))
        sheet.set_xy(LEFT + 1, top + n * _LEAD_MM + 1)
        sheet.put(lead.name, 20, 9, bold=True)
    sheet.set_xy(LEFT, top + height + 1)
