"""What stands on every printed report: what to know first, who has concluded what, and the record of it."""

from datetime import datetime
from typing import Any

from ecgstream.reports import fonts
from ecgstream.reports.material import NS
from ecgstream.reports.page import GREY, LEFT, RULE, Sheet
from ecgstream.reports.standing import warning


def warned(sheet: Sheet[Any]) -> str:
    """Return what whoever reads it should know first, in its language."""
    first, *others = warning(sheet.standing).split(": ", 1)
    words = "; ".join(sheet.of(part) for part in first.split("; "))
    return ": ".join([words, *others])


def conclusion(sheet: Sheet[Any], room: float = 30.0) -> None:
    """Write what somebody has concluded; where nobody has, leave the place for it empty, ``room`` mm high."""
    sheet.heading("Conclusion (of a physician)", room + 12)
    signed = sheet.standing.signature
    if signed is None:
        y = sheet.get_y() + 1
        sheet.set_draw_color(*RULE)
        sheet.set_line_width(0.3)
        sheet.rect(LEFT, y, sheet.wide, room)
        sheet.set_xy(LEFT + 2, y + room - 6)
        sheet.put(sheet.of("Name, date, signature"), 60, 7.5, colour=GREY)
        sheet.set_xy(LEFT, y + room + 1)
        return
    sheet.paragraph(signed.conclusion, sheet.wide, 9.5)
    if fonts.lacks(sheet, signed.conclusion):
        note = "characters that no font here has are boxes; the document has them"
        sheet.put(sheet.of(note), sheet.wide, 7.5, colour=GREY)
        sheet.ln(5)
    by = f"{sheet.of('signed by')} {signed.name} ({signed.account}), {_moment(sheet, signed.at)}"
    sheet.put(by, sheet.wide, 9, bold=True)
    sheet.ln(5)


def record(sheet: Sheet[Any]) -> None:
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
        sheet.put(words, sheet.wide - 44, 8)
        sheet.ln(5)
    sheet.put(
        of("The entry of its signature in the centre's audit log has this SHA-256."),
        sheet.wide,
        7.5,
        colour=GREY,
    )


def _moment(sheet: Sheet[Any], at: datetime | None) -> str:
    return "-" if at is None else f"{sheet.when(round(at.timestamp()) * NS)} ({sheet.report.subject.zone})"
