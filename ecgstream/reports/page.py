"""The pages of a printed report: head and foot, lines of text in whatever script, headings, tables."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from fpdf import FPDF

from ecgstream.reports import fonts
from ecgstream.reports.material import Reported
from ecgstream.reports.standing import AMENDED, FINAL, IN_ERROR, PRELIMINARY, Standing
from ecgstream.reports.words import Language, said

LEFT, WIDTH, ACROSS, TOP = 15.0, 180.0, 267.0, 15.0
"""mm; the signal of a strip has 175 of an upright sheet's width."""
GREY, INK, ACCENT, RULE = (110, 110, 110), (20, 24, 31), (16, 78, 139), (205, 210, 217)
WARNING = (176, 42, 30)
_FOOT = 18.0
_STATUS = {
    PRELIMINARY: "PRELIMINARY",
    FINAL: "FINAL",
    AMENDED: "FINAL, AMENDS AN EARLIER REPORT",
    IN_ERROR: "ENTERED IN ERROR",
}
_WORD = re.compile(
    r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]\s*|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+\s*|\s+"
)
"""What a line may be broken behind: a word, or any one Chinese character."""


class Column(NamedTuple):
    """A column of a table; ``width``: mm."""

    title: str
    width: float


ReportT = TypeVar("ReportT", bound=Reported)


class Sheet(FPDF, Generic[ReportT]):
    """A4, upright or across, with a head and a foot on each page; ``wide``: mm between its margins."""

    def __init__(
        self, report: ReportT, software: str, language: Language, standing: Standing, *, across: bool = False
    ) -> None:
        super().__init__(orientation="landscape" if across else "portrait", format="A4")
        self.c_margin = 0
        self.wide = ACROSS if across else WIDTH
        self.report, self.language, self.standing = report, language, standing
        self.set_margins(LEFT, TOP, LEFT)
        self.set_auto_page_break(auto=True, margin=_FOOT)
        signed = standing.signature
        every = self.report.subject.facility[1] + self.report.subject.facility[0] + standing.reason
        every += "" if signed is None else signed.conclusion + signed.name
        fonts.install(self, every + (said("Beats", language)))
        self.set_title(f"ECG report, {standing.status}")
        self.set_creator(software)
        self.set_lang("zh-CN" if language == "zh" else "en")
        self.add_page()

    @property
    def status(self) -> str:
        """What stands on each page: the status, and what has become of it since."""
        found = [_STATUS[self.standing.status]]
        if self.standing.amended_by:
            found.append("AMENDED BY A LATER REPORT")
        if self.standing.moved:
            found.append("ITS STRETCH WAS RE-ASSOCIATED SINCE")
        return " · ".join(map(self.of, found))

    @property
    def is_settled(self) -> bool:
        """Whether it is signed, and nothing has become of it since."""
        standing = self.standing
        return standing.status in (FINAL, AMENDED) and not (standing.amended_by or standing.moved)

    def header(self) -> None:
        """Write on each page how the report stands."""
        self.set_y(7)
        self.put(self.status, self.wide, 11, bold=True, colour=INK if self.is_settled else WARNING, align="R")
        self.set_y(TOP)

    def footer(self) -> None:
        """Write whose report it is, how it stands, its id, and the page's number."""
        self.set_y(-14)
        whose = self.report.subject.patient or ", ".join(self.report.subject.devices)
        words = f"{self.of(_STATUS[self.standing.status])} · {whose} · {self.when(self.report.asked[0])}"
        self.put(f"{words} · {self.standing.report}".rstrip("· "), self.wide - 20, 7, colour=GREY)
        self.put(f"{self.page_no()}", 20, 7, colour=GREY, align="R")

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

    def paragraph(self, words: str, width: float, size: float = 9, height: float = 5.0) -> None:
        """Write text of several lines, broken where they are full; it goes on on the next page."""
        left = self.get_x()
        for line in words.splitlines() or [""]:
            for part in self._broken(fonts.shown(self, line), width - 2, size):
                self.need(height)
                self.set_x(left)
                self.put(part, width, size, height=height)
                self.ln(height)

    def _broken(self, line: str, width: float, size: float) -> Iterator[str]:
        """Yield what fits a line of so many mm each."""
        found, used = "", 0.0
        for word in _WORD.findall(line):
            # What is longer than a line is broken anywhere.
            whole = self._width(word, size) <= width
            for piece in [word] if whole else word:
                wide = self._width(piece, size)
                if found and used + wide > width:
                    yield found.rstrip()
                    found, used = "", 0.0
                found, used = found + piece, used + wide
        yield found.rstrip()

    def _width(self, words: str, size: float) -> float:
        return sum(wide for *_, wide in self._runs(words, "", size))

    def heading(self, words: str, room: float) -> None:
        """Begin a section that needs at least so much room on its page, mm."""
        self.need(room)
        self.ln(3)
        self.put(self.of(words), self.wide, 11, bold=True, colour=ACCENT, height=6)
        self.ln(6.5)
        self.set_draw_color(*RULE)
        self.set_line_width(0.3)
        self.line(LEFT, self.get_y(), LEFT + self.wide, self.get_y())
        self.ln(1)

    def rows(self, columns: Sequence[Column], lines: Sequence[Sequence[str]]) -> None:
        """Write a table; its head stands again on each page. Without lines it says that there are none."""
        if not lines:
            self.put(self.of("none"), self.wide, 8.5, colour=GREY)
            self.ln(5)
            return
        self._head(columns)
        for n, row in enumerate(lines):
            if self.need(5):
                self._head(columns)
            if n % 2:
                self.set_fill_color(244, 246, 249)
                self.rect(LEFT, self.get_y(), self.wide, 4.6, style="F")
            for k, (column, words) in enumerate(zip(columns, row, strict=True)):
                self.put(words, column.width, 8, align="R" if k else "L", height=4.6)
            self.ln(4.6)

    def _head(self, columns: Sequence[Column]) -> None:
        for k, column in enumerate(columns):
            self.put(self.of(column.title), column.width, 7.5, colour=GREY, align="R" if k else "L")
        self.ln(5)
