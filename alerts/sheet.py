"""A printed ECG on A4 across: ten seconds of all leads, one below the other, or as 12 leads usually stand.

The usual layout has three rows of four leads, 2.5 s of each, and a strip of lead II below them. Rows are near
each other, and what is high reaches into the next, as on any printed ECG. The same input gives the same
bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from numpy.typing import NDArray

from alerts import paper
from alerts.paper import MM_PER_MV, MM_PER_S

SECONDS = 10.0
WIDTH, HEIGHT = 297.0, 210.0
"""A4, mm."""
TWELVE = (
    ("I", "aVR", "V1", "V4"),
    ("II", "aVL", "V2", "V5"),
    ("III", "aVF", "V3", "V6"),
    ("II",),
)
"""The usual layout of 12 leads, row by row."""
MOST_ROWS = 12
"""Of a sheet; what is more stands on a further one."""
_LEFT, _SIDE, _PULSE_AT = 13.0, 20.0, 11.0
LOW, RULED = 14.0, 170.0
"""Where the grid begins above the edge, and how high it is, mm."""
_TALLEST = 40.0
_UP = 10.5  # above a base line at least, for the calibration pulse


class Lead(NamedTuple):
    """A lead: when each sample was measured, s from where the sheet begins, and its value, mV; NaN: a gap."""

    name: str
    time_s: NDArray[np.float64]
    mv: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above and below the paper; never a patient's name.

    Attributes:
        title: pseudonym and device.
        when: begin and end, with the time zone.
        how: filters.
        printed: by whom and when.
    """

    title: str
    when: str
    how: str
    printed: str


def in_rows(leads: Sequence[Lead], *, twelve: bool) -> list[list[Lead]]:
    """Return leads row by row; in the usual layout, one that was not measured has an empty place."""
    if not twelve:
        return [[lead] for lead in leads]
    known = {lead.name: lead for lead in reversed(leads)}
    nothing = np.empty(0)
    return [[known.get(name, Lead(name, nothing, nothing)) for name in row] for row in TWELVE]


def draw(rows: Sequence[Sequence[Lead]], heading: Heading) -> bytes:
    """Return the PDF; a row's leads share its length."""
    written = BytesIO()
    with paper.drawing, PdfPages(written, metadata={"CreationDate": None}) as pages:
        for figure in figures_of(rows, heading):
            pages.savefig(figure)
    return written.getvalue()


def figures_of(rows: Sequence[Sequence[Lead]], heading: Heading) -> list[Figure]:
    """Return the sheets as figures whose only axes count their millimetres; at least one."""
    sheets = [rows[at : at + MOST_ROWS] for at in range(0, len(rows), MOST_ROWS)] or [[]]
    return [_sheet(sheet, heading, n + 1, len(sheets)) for n, sheet in enumerate(sheets)]


def _sheet(rows: Sequence[Sequence[Lead]], heading: Heading, number: int, of: int) -> Figure:
    axes = paper.blank(WIDTH, HEIGHT)
    length = _SIDE + SECONDS * MM_PER_S
    paper.grid(axes, _LEFT, _LEFT + length, LOW, LOW + RULED)
    height = min(_TALLEST, RULED / max(1, len(rows)))
    for n, row in enumerate(rows):
        _row(axes, row, LOW + RULED - n * height - max(height / 2, _UP), height)
    _words(axes, heading, f"{number}/{of}")
    return paper.figure_of(axes)


def _row(axes: Axes, row: Sequence[Lead], base: float, height: float) -> None:
    """Draw the leads of a row, one behind the other, each for its share of the time."""
    paper.pulse(axes, _LEFT + _PULSE_AT, base)
    share_s = SECONDS / len(row)
    for n, lead in enumerate(row):
        begin = _LEFT + _SIDE + n * share_s * MM_PER_S
        paper.name(axes, _LEFT + 1 if n == 0 else begin + 1, base + min(height / 2, 14.0) - 3.5, lead.name)
        inside = (lead.time_s >= n * share_s) & (lead.time_s <= (n + 1) * share_s)
        mm = lead.mv[inside] * MM_PER_MV
        known = mm[np.isfinite(mm)]
        middle = np.median(known) if known.size else 0.0
        x = _LEFT + _SIDE + lead.time_s[inside] * MM_PER_S
        paper.trace(axes, x, base + mm - middle, (begin, LOW, share_s * MM_PER_S, RULED))
        if n:
            axes.plot([begin, begin], [base - 4, base - 1], color="black", linewidth=0.5, gid="turn")


def _words(axes: Axes, heading: Heading, number: str) -> None:
    room = _SIDE + SECONDS * MM_PER_S
    top = LOW + RULED
    paper.write(axes, _LEFT, top + 17, heading.title, room, fontsize=paper.LARGE, weight="bold")
    paper.write(axes, _LEFT, top + 11, heading.when, room, fontsize=paper.NORMAL)
    paper.write(axes, _LEFT, top + 6, f"{paper.SCALE}; {heading.how}", room, fontsize=paper.NORMAL)
    paper.write(axes, _LEFT, 8, heading.printed, room - 20, fontsize=paper.SMALL)
    paper.write(axes, _LEFT + room, 8, number, 15, fontsize=paper.SMALL, horizontalalignment="right")
