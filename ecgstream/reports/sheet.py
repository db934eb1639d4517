"""A report as a PDF on A4: drawn as lines and text, with subsets of its fonts."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ecgstream.reports import fonts, shown
from ecgstream.reports.content import Ectopy
from ecgstream.reports.document import Document
from ecgstream.reports.material import NS
from ecgstream.reports.page import ACCENT, GREY, LEFT, RULE, WIDTH, Column, Sheet
from ecgstream.reports.standing import UNSIGNED, Standing, warning
from ecgstream.reports.strips import SECONDS, Strip
from ecgstream.reports.words import Language

_FINE, _COARSE = (247, 207, 207), (232, 154, 154)
_LEAD_MM = 30.0


def written(document: Document, language: Language, standing: Standing = UNSIGNED) -> bytes:
    """Return the PDF.

    Raises:
        RegistryError: there is no font for it.
    """
    sheet = Sheet(document, language, standing)
    _top(sheet, document.software)
    _summary(sheet)
    _trend(sheet)
    _conclusion(sheet)
    _rhythms(sheet)
    _variability(sheet)
    _hours(sheet)
    if document.strips:
        sheet.heading("Strips", 2 * _LEAD_MM)
    for strip in document.strips:
        _strip(sheet, strip)
    if standing.report:
        _record(sheet)
    return bytes(sheet.output())


def _top(sheet: Sheet, software: str) -> None:
    report, of = sheet.report, sheet.of
    sheet.put(of("Report of ambulatory ECG"), WIDTH, 17, bold=True, height=9)
    sheet.ln(9)
    sheet.put(_warned(sheet), WIDTH, 8, colour=GREY)
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


def _summary(sheet: Sheet) -> None:
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


def _early(sheet: Sheet, one: Ectopy) -> str:
    of = sheet.of
    words = f"{one.beats:,} ({shown.share(one.share)} {of('of all beats')})"
    words += f"; {one.couplets} {of('couplets')}, {one.runs} {of('runs')}"
    return f"{words}, {of('longest')} {one.longest_run} {of('beats')}" if one.runs else words


def _trend(sheet: Sheet) -> None:
    """Draw the rates of minutes; a minute without a rate is a gap."""
    sheet.heading("Heart rate, means of minutes (/min)", 55)
    begin, end = sheet.report.asked
    top, height, left = sheet.get_y() + 2, 38.0, LEFT + 9
    width = WIDTH - 9
    rates = sheet.report.rates.minutes
    low = min(40.0, *(one.bpm for one in rates)) if rates else 40.0
    high = max(120.0, *(one.bpm for one in rates)) if rates else 120.0
    low, high = np.floor(low / 20) * 20, np.ceil(high / 20) * 20
    sheet.set_line_width(0.15)
    sheet.set_draw_color(*RULE)
    for bpm in np.arange(low, high + 1, 20 if high - low <= 160 else 40):
        y = top + height * (high - bpm) / (high - low)
        sheet.line(left, y, left + width, y)
        sheet.set_xy(LEFT, y - 2)
        sheet.put(f"{bpm:.0f}", 8.5, 7, colour=GREY, align="R", height=4)
    for part in range(7):
        sheet.set_xy(left + width * part / 6 - 11, top + height + 1)
        align = "R" if part == 6 else "C"
        at = begin + (end - begin) * part // 6
        form = "%H:%M" if end - begin <= 86_400 * 10**9 else "%m-%d %H:%M"
        sheet.put(sheet.when(at, form), 11 if part == 6 else 22, 7, colour=GREY, align=align, height=4)
    sheet.set_draw_color(*ACCENT)
    sheet.set_line_width(0.25)
    points: list[tuple[float, float]] = []
    last = None
    for one in rates:
        if last is not None and one.from_ns - last > 60 * 10**9:
            _line(sheet, points)
            points = []
        x = left + width * (one.from_ns + 30 * 10**9 - begin) / (end - begin)
        points.append((x, top + height * (high - one.bpm) / (high - low)))
        last = one.from_ns
    _line(sheet, points)
    sheet.set_xy(LEFT, top + height + 6)


def _line(sheet: Sheet, points: Sequence[tuple[float, float]]) -> None:
    if len(points) > 1:
        sheet.polyline(points)
    elif points:
        x, y = points[0]
        sheet.line(x - 0.2, y, x + 0.2, y)


def _warned(sheet: Sheet) -> str:
    first, *others = warning(sheet.standing).split(": ", 1)
    words = "; ".join(sheet.of(part) for part in first.split("; "))
    return ": ".join([words, *others])


def _conclusion(sheet: Sheet) -> None:
    """Write what somebody has concluded; where nobody has, leave the place for it empty."""
    sheet.heading("Conclusion (of a physician)", 42)
    signed = sheet.standing.signature
    if signed is None:
        y = sheet.get_y() + 1
        sheet.set_draw_color(*RULE)
        sheet.set_line_width(0.3)
        sheet.rect(LEFT, y, WIDTH, 30)
        sheet.set_xy(LEFT + 2, y + 24)
        sheet.put(sheet.of("Name, date, signature"), 60, 7.5, colour=GREY)
        sheet.set_xy(LEFT, y + 31)
        return
    sheet.paragraph(signed.conclusion, WIDTH, 9.5)
    if fonts.lacks(sheet, signed.conclusion):
        note = "characters that no font here has are boxes; the document has them"
        sheet.put(sheet.of(note), WIDTH, 7.5, colour=GREY)
        sheet.ln(5)
    by = f"{sheet.of('signed by')} {signed.name} ({signed.account}), {_moment(sheet, signed.at)}"
    sheet.put(by, WIDTH, 9, bold=True)
    sheet.ln(5)


def _record(sheet: Sheet) -> None:
    """Write, at the end, by what a printed report can be held against the one that is kept."""
    standing, of = sheet.standing, sheet.of
    lines = [
        ("Report", standing.report),
        ("Status", sheet.status),
        ("SHA-256 of the document", standing.sha256),
        ("Made", f"{standing.made_by}, {_moment(sheet, standing.made_at)}"),
    ]
    if standing.signature is not None:
        signed = standing.signature
        lines.append(("Signed", f"{signed.name} ({signed.account}), {_moment(sheet, signed.at)}"))
    for name, words in (
        ("Amends", standing.amends),
        ("Amended by", standing.amended_by),
        ("Why in error", standing.reason),
    ):
        if words:
            lines.append((name, words))
    sheet.heading("Record", 15 + 5 * len(lines))
    for name, words in lines:
        sheet.put(of(name), 44, 8.5, colour=GREY)
        sheet.put(words, WIDTH - 44, 8)
        sheet.ln(5)
    sheet.put(
        of("The entry of its signature in the centre's audit log has this SHA-256."), WIDTH, 7.5, colour=GREY
    )


def _moment(sheet: Sheet, at: datetime | None) -> str:
    return "-" if at is None else f"{sheet.when(round(at.timestamp()) * NS)} ({sheet.report.subject.zone})"


def _rhythms(sheet: Sheet) -> None:
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


def _variability(sheet: Sheet) -> None:
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


def _hours(sheet: Sheet) -> None:
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


def _strip(sheet: Sheet, strip: Strip) -> None:
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
    top, width = sheet.get_y(), SECONDS * 25
    for step, colour, points in ((1, _FINE, 0.08), (5, _COARSE, 0.16)):
        sheet.set_draw_color(*colour)
        sheet.set_line_width(points)
        for x in np.arange(0, width + 0.5, step):
            sheet.line(LEFT + x, top, LEFT + x, top + height)
        for y in np.arange(0, height + 0.5, step):
            sheet.line(LEFT, top + y, LEFT + width, top + y)
    sheet.set_draw_color(0, 0, 0)
    sheet.set_line_width(0.22)
    for n, lead in enumerate(strip.leads):
        known = lead.mv[np.isfinite(lead.mv)]
        base = top + n * _LEAD_MM + _LEAD_MM * 0.55
        y = base - 10 * (lead.mv - (np.median(known) if known.size else 0.0))
        # What is beyond the paper is cut off at its edge.
        y = np.clip(y, top, top + height)
        x = LEFT + lead.time_s * 25
        edges = np.flatnonzero(np.diff(np.isfinite(y).astype(np.int8))) + 1
        for xs, ys in zip(np.split(x, edges), np.split(y, edges), strict=True):
            if np.isfinite(ys).all():
                _line(sheet, list(zip(xs.tolist(), ys.tolist(), strict=True)))
        sheet.set_xy(LEFT + 1, top + n * _LEAD_MM + 1)
        sheet.put(lead.name, 20, 9, bold=True)
    sheet.set_xy(LEFT, top + height + 1)
