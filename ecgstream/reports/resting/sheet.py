"""The report of a resting ECG on A4 across: the usual layout of 12 leads and what was measured on one page.

25 mm/s and 10 mm/mV; three rows of four leads, 2.5 s of each, and lead II below them. A second page has the
amplitudes of each lead and how it was measured.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ecgstream.reports import ruled
from ecgstream.reports.page import GREY, LEFT, Column, Sheet
from ecgstream.reports.resting.content import Figure, Resting
from ecgstream.reports.resting.document import METHOD, RestingDocument
from ecgstream.reports.resting.leads import SECONDS
from ecgstream.reports.signed import conclusion, record, warned
from ecgstream.reports.standing import UNSIGNED, Standing
from ecgstream.reports.words import Language

if TYPE_CHECKING:
    from alerts.sheet import Lead

_ROW_MM, _SIDE_MM = 27.5, 15.0
_PULSE_MM, _PULSE_AT = 5.0, 7.0
_HALF = 92.0
RestingSheet = Sheet[Resting]


def written(document: RestingDocument, language: Language, standing: Standing = UNSIGNED) -> bytes:
    """Return the PDF.

    Raises:
        RegistryError: there is no font for it.
    """
    sheet = Sheet(document.report, document.software, language, standing, across=True)
    _top(sheet, document.software)
    _twelve(sheet, document.leads)
    conclusion(sheet, room=14)
    _amplitudes(sheet)
    if standing.report:
        record(sheet)
    return bytes(sheet.output())


def _top(sheet: RestingSheet, software: str) -> None:
    """Write whose it is on the left, and what was measured on the right."""
    of = sheet.of
    sheet.put(of("Report of a resting ECG"), 100, 14, bold=True, height=6)
    sheet.put(warned(sheet), sheet.wide - 100, 8, colour=GREY, align="R", height=6)
    sheet.ln(7)
    top = sheet.get_y()
    _rows(sheet, LEFT, 18, _HALF, _whose(sheet, software))
    sheet.set_y(top)
    measured = _measured(sheet)
    half = (len(measured) + 1) // 2
    room = (sheet.wide - _HALF) / 2
    for n, part in enumerate((measured[:half], measured[half:])):
        sheet.set_y(top)
        _rows(sheet, LEFT + _HALF + n * room, 23, room, part)
    sheet.set_y(top + 4.5 * half + 1)


def _rows(
    sheet: RestingSheet, left: float, name_mm: float, width: float, rows: Sequence[tuple[str, str]]
) -> None:
    for name, words in rows:
        sheet.set_x(left)
        sheet.put(sheet.of(name), name_mm, 8, colour=GREY, height=4.5)
        sheet.put(words, width - name_mm, 8, height=4.5)
        sheet.ln(4.5)


def _whose(sheet: RestingSheet, software: str) -> list[tuple[str, str]]:
    report, of = sheet.report, sheet.of
    english, chinese = report.subject.facility
    facility = " · ".join(name for name in (english, chinese) if name) or "-"
    rhythms = ", ".join(dict.fromkeys(span.rhythm for span in report.rhythms if span.rhythm != "?"))
    beats = ", ".join(f"{n} {letter}" for letter, n in report.beats.items()) or of("no beats")
    return [
        ("Patient", report.subject.patient or of("not reported by patient")),
        ("Device", f"{', '.join(report.subject.devices)}; {facility}"),
        ("Time", f"{sheet.when(report.asked[0])} ({report.subject.zone}), {SECONDS:g} s"),
        ("Rhythm", f"{rhythms or of('not told')}; {of('Beats')}: {beats}"),
        ("Software", f"{software}, {of('detectors')} {', '.join(report.detectors) or '-'}"),
    ]


def _measured(sheet: RestingSheet) -> list[tuple[str, str]]:
    one = sheet.report.measured

    def told(figure: Figure, unit: str) -> str:
        if figure.value is None:
            return f"{sheet.of('not measurable')}: {sheet.of(figure.why)}"
        return f"{figure.value:.0f}{unit}"

    return [
        ("Heart rate", told(one.heart_rate_bpm, " /min")),
        ("RR, mean", told(one.rr_ms, " ms")),
        ("P duration", told(one.p_ms, " ms")),
        ("PR", told(one.pr_ms, " ms")),
        ("QRS", told(one.qrs_ms, " ms")),
        ("QT", told(one.qt_ms, " ms")),
        ("QTc Bazett", told(one.qtc_bazett_ms, " ms")),
        ("QTc Fridericia", told(one.qtc_fridericia_ms, " ms")),
        ("P axis", told(one.p_axis_deg, "°")),
        ("QRS axis", told(one.qrs_axis_deg, "°")),
        ("T axis", told(one.t_axis_deg, "°")),
    ]


def _twelve(sheet: RestingSheet, leads: "Sequence[Lead]") -> None:
    from alerts.sheet import in_rows  # it imports matplotlib

    rows = in_rows(leads, twelve=True)
    top, height = sheet.get_y(), _ROW_MM * len(rows)
    ruled.grid(sheet, LEFT, top, _SIDE_MM + SECONDS * ruled.MM_PER_S, height)
    for n, row in enumerate(rows):
        _row(sheet, row, top + n * _ROW_MM, (top, top + height))
    sheet.set_xy(LEFT, top + height + 0.5)
    derived = ", ".join(lead.name for lead in sheet.report.leads if lead.derived)
    gaps = ", ".join(lead.name for lead in sheet.report.leads if not lead.whole)
    words = f"{ruled.MM_PER_S:g} mm/s, {ruled.MM_PER_MV:g} mm/mV; {sheet.report.filters}"
    words += f"; {sheet.report.rate_hz:g} Hz"
    words += f"; {sheet.of('derived from I and II')}: {derived}" if derived else ""
    words += f"; {sheet.of('not whole')}: {gaps}" if gaps else ""
    sheet.put(words, sheet.wide, 8, colour=GREY, height=4)
    sheet.ln(2)


def _row(sheet: RestingSheet, row: "Sequence[Lead]", top: float, paper: tuple[float, float]) -> None:
    """Draw the leads of a row behind each other, each for its share of the time, behind the pulse of 1 mV."""
    base = top + _ROW_MM * 0.6
    at, high = LEFT + _PULSE_AT, base - ruled.MM_PER_MV
    end = at + _PULSE_MM
    corners = [(at - 1.5, base), (at, base), (at, high), (end, high), (end, base), (end + 1.5, base)]
    ruled.line(sheet, corners)
    share_s = SECONDS / len(row)
    for n, lead in enumerate(row):
        left = LEFT + _SIDE_MM
        begin = left + n * share_s * ruled.MM_PER_S
        inside = (lead.time_s >= n * share_s) & (lead.time_s <= (n + 1) * share_s)
        if np.isfinite(lead.mv[inside]).any():
            x = left + lead.time_s[inside] * ruled.MM_PER_S
            ruled.trace(sheet, x, lead.mv[inside], base, paper)
        if n:
            sheet.line(begin, base + 1, begin, base + 4)
        sheet.set_xy(begin + 0.5 if n else LEFT + 0.5, top + 2)
        sheet.put(lead.name, 14, 9, bold=True, height=4)


def _amplitudes(sheet: RestingSheet) -> None:
    of = sheet.of
    if sheet.page_no() == 1:  # a long conclusion goes on on the second page
        sheet.add_page()
    sheet.heading("Amplitudes of the median beat (mV)", 60)
    titles = ("Lead", "QRS upwards", "QRS downwards", "ST J", "ST J+60", "ST J+80", "")
    columns = [Column(t, w) for t, w in zip(titles, (40, 27, 27, 22, 22, 22, 107), strict=True)]
    rows = [
        (
            lead.name + (f" ({of('derived')})" if lead.derived else ""),
            *map(_mv, (lead.r_mv, lead.s_mv, lead.st_j_mv, lead.st_60_mv, lead.st_80_mv)),
            f"{of('ST')} {of('not measurable')}: {of(lead.why_no_st)}" if lead.why_no_st else "",
        )
        for lead in sheet.report.leads
    ]
    sheet.rows(columns, rows)
    sheet.ln(2)
    sheet.paragraph(
        f"{of('Method')}: {of(METHOD)}. {of('Normal beats averaged')}: {sheet.report.averaged}", 250
    )


def _mv(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 2) + 0.0:+.2f}"
