"""What the page of a report says of it: keys of words, and figures."""

from typing import cast

from ecgstream.monitor.guard import Asked
from ecgstream.monitor.wording import NOTHING
from ecgstream.reports import shown
from ecgstream.reports.content import Ectopy, Report
from ecgstream.reports.make import Made
from ecgstream.reports.resting.content import Figure, Resting
from ecgstream.reports.resting.document import RestingDocument
from ecgstream.reports.st import St
from ecgstream.reports.words import Language, said


def figures(asked: Asked, found: Made) -> list[tuple[str, str]]:
    """Return the summary of a report: keys of words, and figures."""
    if isinstance(found, RestingDocument):
        return _resting(asked, found.report)
    return _figures(asked, found.report)


def _resting(asked: Asked, report: Resting) -> list[tuple[str, str]]:
    language = cast(Language, asked.viewer.language)

    def told(figure: Figure, unit: str) -> str:
        if figure.value is None:
            return asked.words("report.unmeasured", reason=said(figure.why, language))
        return f"{figure.value:.0f}{unit}"

    one = report.measured
    rhythms = dict.fromkeys(span.rhythm for span in report.rhythms if span.rhythm != "?")
    return [
        ("report.rhythm", ", ".join(rhythms) or NOTHING),
        ("report.rate.mean", told(one.heart_rate_bpm, " /min")),
        ("report.pr", told(one.pr_ms, " ms")),
        ("report.qrs", told(one.qrs_ms, " ms")),
        ("report.qt", told(one.qt_ms, " ms")),
        ("report.qtc", f"{told(one.qtc_bazett_ms, ' ms')}; {told(one.qtc_fridericia_ms, ' ms')}"),
        ("report.axis", told(one.qrs_axis_deg, "°")),
    ]


def _figures(asked: Asked, report: Report) -> list[tuple[str, str]]:
    """Return the summary: keys of words, and figures."""
    language = cast(Language, asked.viewer.language)
    words, covered, rates, pause = asked.words, report.coverage, report.rates, report.longest_pause
    bpm = [None if one is None else one.bpm for one in (rates.slowest, rates.fastest)]
    af = report.rhythm("AFIB")
    st = words("report.st.none", reason=said(report.st.reason, language))
    if report.st.assessable:
        st = words("report.st.found", up=report.st.elevations, down=report.st.depressions)
    longest = ""
    if pause is not None:
        longest = "; " + words(
            "report.longest", what=f"{pause.length_s:.2f} s, {words.moment(pause.from_ns)}"
        )
    return [
        (
            "report.analysable",
            f"{shown.lasting(covered.analysed_s)} ({shown.share(covered.analysable_share)})",
        ),
        ("report.beats", f"{sum(report.beats.values()):,}"),
        ("report.rate", f"{shown.rate(bpm[0])} / {shown.rate(rates.mean_bpm)} / {shown.rate(bpm[1])} /min"),
        ("report.ventricular", _early(asked, report.ventricular)),
        ("report.supraventricular", _early(asked, report.supraventricular)),
        ("report.af", NOTHING if af is None else f"{shown.share(af.share)} ({shown.lasting(af.total_s)})"),
        ("report.pauses", f"{len(report.pauses)}{longest}"),
        ("report.st", st),
        *_levels(report.st),
        ("report.sdnn", NOTHING if (ms := report.variability.sdnn_ms) is None else f"{ms:.1f} ms"),
    ]


def _levels(st: St) -> list[tuple[str, str]]:
    """Return the ST levels of the leads that have any, in one line."""
    found = [
        f"{one.lead} {' / '.join(shown.level(mv) for mv in (lowest.mv, one.mean_mv, highest.mv))}"
        for one in st.assessed
        if (lowest := one.lowest) and (highest := one.highest)
    ]
    return [("report.st.levels", f"{'; '.join(found)} mV")] if found else []


def _early(asked: Asked, one: Ectopy) -> str:
    more = asked.words("report.early", couplets=one.couplets, runs=one.runs)
    return f"{one.beats:,} ({shown.share(one.share)}); {more}"
