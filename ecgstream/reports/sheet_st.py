"""ST on a printed report: a trend of each lead, its figures, and why of others there is none."""

import math
from collections.abc import Sequence

from ecgstream.reports import plotted, shown
from ecgstream.reports.content import Report
from ecgstream.reports.page import LEFT, TOP, WIDTH, Column, Sheet
from ecgstream.reports.plotted import Plot
from ecgstream.reports.st import LeadSt, Level

Ambulatory = Sheet[Report]

_HEIGHT, _APART, _BELOW = 11.0, 3.0, 9.0
"""mm: of a trend, between two, of the times below the last one."""
_LEAST_MV = 0.2
"""The scale goes at least so far up and down, the same of all leads."""


def levels(sheet: Ambulatory) -> None:
    """Write what is known of ST by lead; nothing where no lead is known."""
    found = sheet.report.st
    if not found.leads:
        return
    sheet.heading("ST by lead, means of minutes (mV)", _HEIGHT + _BELOW + 20)
    _trends(sheet, found.assessed)
    if found.assessed:
        _figures(sheet, found.assessed)
    for reason, leads in found.unassessed.items():
        sheet.need(5)
        words = f"{', '.join(leads)}: {sheet.of('not assessable')}: {sheet.of(reason)}"
        sheet.put(words, WIDTH, 8.5)
        sheet.ln(5)


def _trends(sheet: Ambulatory, leads: Sequence[LeadSt]) -> None:
    """Draw a trend a lead, as many as there is room for, with the times below them."""
    means = {one.lead: one.minutes() for one in leads}
    furthest = max((abs(level.mv) for of_lead in means.values() for level in of_lead), default=0.0)
    reach = max(_LEAST_MV, math.ceil(10 * furthest) / 10)
    while leads:
        sheet.need(_HEIGHT + _BELOW)
        room = sheet.eph + TOP - 3 - sheet.get_y() - _BELOW
        fit = max(1, int(room // (_HEIGHT + _APART)))
        for one in leads[:fit]:
            plot = Plot(sheet.get_y() + _APART, _HEIGHT, sheet.report.asked, -reach, reach)
            plotted.ruled_at(sheet, plot, (-reach, 0.0, reach), "{:.1f}")
            plotted.minutes(sheet, plot, [(level.from_ns, level.mv) for level in means[one.lead]])
            sheet.set_xy(plot.left + 1, plot.top - 0.5)
            sheet.put(one.lead, 20, 8, bold=True, height=4)
            sheet.set_xy(LEFT, plot.top + plot.height)
        plotted.times(sheet, plot)
        leads = leads[fit:]


def _figures(sheet: Ambulatory, leads: Sequence[LeadSt]) -> None:
    columns = [
        Column(title, width)
        for title, width in zip(
            ("Lead", "Assessed", "Share", "Mean", "Lowest minute", "Begins", "Highest minute", "Begins"),
            (14, 22, 20, 20, 24, 28, 24, 28),
            strict=True,
        )
    ]
    rows = [
        (
            one.lead,
            shown.lasting(one.assessed_s),
            shown.share(one.share),
            shown.level(one.mean_mv),
            *_minute(sheet, one.lowest),
            *_minute(sheet, one.highest),
        )
        for one in leads
    ]
    sheet.rows(columns, rows)


def _minute(sheet: Ambulatory, level: Level | None) -> tuple[str, str]:
    return ("-", "-") if level is None else (shown.level(level.mv), sheet.when(level.from_ns, "%m-%d %H:%M"))
