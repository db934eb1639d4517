"""The pages of a printed report: a foot, lines of text in whatever script, headings, tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fpdf import FPDF

from ecgstream import __version__
from ecgstream.reports import fonts
from ecgstream.reports.content import Report
from ecgstream.reports.words import Language, said

LEFT, WIDTH, TOP = 15.0, 180.0, 15.0
"""mm; the signal of a strip has 175 of them."""
GREY, INK, ACCENT, RULE = (110, 110, 110), (20, 24, 31), (16, 78, 139), (205, 210, 217)
_FOOT = 18.0


class Column(NamedTuple):
    """A column of a table; ``width``: mm."""

    title: str
    width: float


class Sheet(FPDF):
    """A4 with a head and a foot on each page."""

    def __init__(self, report: Report, language: Language) -> None:
        super().__init__(format="A4")
        self.c_margin = 0
        self.report, self.language = report, language
        self.set_margins(LEFT, TOP, LEFT)
        self.set_auto_page_break(auto=True, margin=_FOOT)
        every = report.subject.facility[1] + report.subject.facility[0]
        fonts.install(self, every + (said("Beats", language)))
        self.set_title("ECG report, preliminary")
        self.set_creator(f"ecgstream {__version__}")
        self.set_lang("zh-CN" if language == "zh" else "en")
        self.add_page()

    def footer(self) -> None:
        """Write whose report it is, that it is preliminary, and the page's number."""
        self.set_y(-14)
        whose = self.report.subject.patient or ", ".join(self.report.subject.devices)
        words = f"{self.of('PRELIMINARY')} · {whose} · {self.when(self.report.asked[0])}"
        self.put(words, 150, 7, colour=GREY)
        self.put(f"{self.page_no()}", 30, 7, colour=GREY, align="R")

    def of(self, words: str) -> str:
        """Return words in the report's language."""
        return said(words, self.language)

    def when(self, ns: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """Return a time as people at the subject's place read it."""
        time = datetime.fromtimestamp(ns // 10**9, UTC)
        return time.astimezone(ZoneInfo(self.report.subject.zone)).strftime(form)

    def put(
        self,
        words: str,
        width: float,
        size: float = 9,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        align: str = "L",
        height: float = 5.0,
    ) -> None:
        """Write into a cell of the line; what is longer than it is cut."""
        self.set_text_color(*colour)
        style = "B" if bold else ""
        words = fonts.shown(self, words)
        runs = self._runs(words, style, size)
        while len(words) > 1 and sum(wide for *_, wide in runs) > width - 2:
            words = words.rstrip("…")[: int(len(words) * 0.93)] + "…"
            runs = self._runs(words, style, size)
        free = width - 2 - sum(wide for *_, wide in runs)
        begin = self.get_x()
        self.set_x(begin + 1 + free * {"L": 0.0, "C": 0.5, "R": 1.0}[align])
        for family, part, wide in runs:
            self._set(family, style, size)
            self.cell(wide, height, part)
        self.set_x(begin + width)

    def _runs(self, words: str, style: str, size: float) -> list[tuple[str, str, float]]:
        """Return the parts of a line by fonts, with their widths: (family, words, mm).

        Not by fpdf2's own fallback fonts: what follows one of these on a page is drawn with the wrong font.
        """
        found = []
        for family, part in groupby(words, lambda c: fonts.of(self, c)):
            self._set(family, style, size)
            text = "".join(part)
            found.append((family, text, self.get_string_width(text)))
        return found

    def _set(self, family: str, style: str, size: float) -> None:
        self.set_font(family, style if family == fonts.FAMILY else "", size)

    def need(self, room: float) -> bool:
        """Go on to a new page unless this one has so much room left, mm; return whether it is a new one."""
        if self.get_y() + room <= self.eph + TOP - 3:
            return False
        self.add_page()
        return True

    def heading(self, words: str, room: float) -> None:
        """Begin a section that needs at least so much room on its page, mm."""
        self.need(room)
        self.ln(3)
        self.put(self.of(words), WIDTH, 11, bold=True, colour=ACCENT, height=6)
        self.ln(6.5)
        self.set_draw_color(*RULE)
        self.set_line_width(0.3)
        self.line(LEFT, self.get_y(), LEFT + WIDTH, self.get_y())
        self.ln(1)

    def rows(self, columns: Sequence[Column], lines: Sequence[Sequence[str]]) -> None:
        """Write a table; its head stands again on each page."""
        self._head(columns)
        for n, row in enumerate(lines):
            if self.need(5):
                self._head(columns)
            if n % 2:
                self.set_fill_color(244, 246, 249)
                self.rect(LEFT, self.get_y(), WIDTH, 4.6, style="F")
            for k, (column, words) in enumerate(zip(columns, row, strict=True)):
                self.put(words, column.width, 8, align="R" if k else "L", height=4.6)
            self.ln(4.6)

    def _head(self, columns: Sequence[Column]) -> None:
        for k, column in enumerate(columns):
            self.put(self.of(column.title), column.width, 7.5, colour=GREY, align="R" if k else "L")
        self.ln(5)
