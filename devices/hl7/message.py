r"""HL7 v2's syntax: segments, fields, components, escapes, character sets, times (v2.6, chapters 2 and 2.A).

A tokenizer of our own rather than the package ``hl7``, which makes an object of each component: of each of
a thousand samples a second, and of the patient's name. To take a second of four leads apart needed three to
four times as long with it as all of reading needs here, where nothing is taken apart that nobody asks for,
and a patient's segments are not even decoded. Nor has a gateway, which this is for, that package.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from devices.hl7.errors import Condition, Hl7Error
from schemas.checks import MAX_TIME_NS

_ISO_8859 = {f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)}
"""Of a byte each, with ASCII in its lower half: none of their letters looks like a separator."""
CHARSETS = {
    "": "ascii",
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    **_ISO_8859,
}
"""MSH-18 (HL7 table 0211) to Python's codec; none stated is ASCII (2.14.9.18).

Not here: those that change by escape sequences of ISO 2022 (ISO IR14 …, KS X 1001, CNS 11643-1992), in which
a byte says nothing without what stands before it; BIG-5, which has more than one table; UTF-16 and UTF-32, in
which a frame's own marks would be no bytes.
"""
_ALL_BYTES = "latin-1"
_KEPT = (b"OBR", b"OBX")
MAX_SEGMENTS = 5000
"""Of those that are kept: a monitor's message has some hundred, and each takes its time."""
_SEPARATORS = re.compile(r"[!-*,/:-@\[-`{-~]{4,5}")
"""All that is printable but letters, digits and what numbers are written with."""
_ESCAPE = re.compile(r"([FSTRE]|X(?:[0-9A-Fa-f]{2})+)")
_TIME = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,9})|(\d{3}))?)?(?:([+-])(\d\d)([0-5]\d))?", re.ASCII
)
_YEARS = (1970, 2100)
_MAX_OFFSET_H = 15
_NS = 10**9


class Separators(NamedTuple):
    """MSH-1 and MSH-2."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str


STANDARD = Separators("|", "^", "~", "\\", "&")


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """A segment's fields as they stand in the message; ``fields[n]`` is field n, ``fields[0]`` the name.

    ``codec``: by which its bytes were decoded. ``position``: which of its kind it is, from 1.
    """

    fields: list[str]
    separators: Separators
    codec: str
    position: int = 1

    def __getitem__(self, number: int) -> str:
        """Return a field as it stands, empty where it is not there."""
        return self.fields[number] if number < len(self.fields) else ""

    def repeated(self, number: int) -> list[list[str]]:
        """Return the components of each repetition of a field, without escapes and outer spaces."""
        return [self._parts(one) for one in self[number].split(self.separators.repetition)]

    def components(self, number: int) -> list[str]:
        """Return the components of a field's first repetition."""
        return self._parts(self[number].partition(self.separators.repetition)[0])

    def text(self, number: int) -> str:
        """Return the first component of a field."""
        field = self[number]
        if not field:  # most are; a message asks for a hundred
            return ""
        first = field.split(self.separators.repetition, 1)[0].split(self.separators.component, 1)[0]
        return self.unescaped(first).strip()

    def _parts(self, one: str) -> list[str]:
        parts = one.split(self.separators.component)
        if self.separators.escape in one:
            parts = [self.unescaped(part) for part in parts]
        return [part.strip() for part in parts]

    def unescaped(self, text: str) -> str:
        r"""Return a text with its escape sequences resolved (2.7); those of formatting stay as they are.

        >>> Segment([], STANDARD, "utf-8").unescaped("A\\T\\B \\XE5BCA0\\ \\H\\")
        'A&B 张 \\H\\'
        """
        escape = self.separators.escape
        if escape not in text:
            return text
        parts = text.split(escape)
        for i in range(1, len(parts) - 1, 2):
            parts[i] = self._resolved(parts[i]) if _ESCAPE.fullmatch(parts[i]) else escape + parts[i] + escape
        if len(parts) % 2 == 0:
            parts[-1] = escape + parts[-1]
        return "".join(parts)

    def _resolved(self, code: str) -> str:
        if code[0] == "X":
            return bytes.fromhex(code[1:]).decode(self.codec, errors="replace")
        sep = self.separators
        return {
            "F": sep.field, "S": sep.component, "T": sep.subcomponent, "R": sep.repetition, "E": sep.escape,
        }[code]  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """A message whose segments are still bytes; nothing of the patient's is in it."""

    header: Segment
    patients: int
    _lines: tuple[bytes, ...] = field(default=())

    def segments(self) -> Iterator[Segment | tuple[str, int]]:
        """Yield OBR and OBX in their order; name and position of one that its character set does not hold."""
        count: Counter[bytes] = Counter()
        separators, codec = self.header.separators, self.header.codec
        for line in self._lines:
            name = line[:3]
            count[name] += 1
            text = _decoded(line, codec)
            if text is None:
                yield name.decode(), count[name]
            else:
                yield Segment(text.split(separators.field), separators, codec, count[name])


def header(frame: bytes) -> Segment:
    """Return the header of a message, whatever else is wrong with it.

    A byte of a Chinese character may look like a separator (GB 18030), so it must be decoded before it is
    split, by the character set that it names: by the first in which it names itself. Where none does, its
    codec is one that takes all bytes as they are.

    Raises:
        Hl7Error: it does not begin as a message of HL7 v2.
    """
    line = re.split(rb"[\r\n]", frame, maxsplit=1)[0]
    for codec in ("ascii", "utf-8", "gb18030"):
        text = _decoded(line, codec)
        if text is not None and CHARSETS.get((found := _header(text, codec))[18].strip().upper()) == codec:
            return found
    found = _header(line.decode(_ALL_BYTES), _ALL_BYTES)
    named = _ISO_8859.get(found[18].strip().upper())
    text = _decoded(line, named) if named else None
    return found if text is None or named is None else _header(text, named)


def _decoded(line: bytes, codec: str) -> str | None:
    try:
        return line.decode(codec)
    except UnicodeDecodeError:
        return None  # the error holds the bytes, so it goes no further


def _header(line: str, codec: str) -> Segment:
    parts = line[3:].split(line[3:4] or "|")
    marks = line[3:4] + (parts[1] if len(parts) > 1 else "")
    own = marks[:5]
    if line[:3] != "MSH" or not _SEPARATORS.fullmatch(marks[1:]) or len(set(own)) < len(STANDARD):
        raise Hl7Error("no message of HL7 v2", Condition.DATA_TYPE_ERROR, "MSH^1^2", rejected=True)
    if not _SEPARATORS.fullmatch(own):
        raise Hl7Error(
            "separators that separate nothing", Condition.DATA_TYPE_ERROR, "MSH^1^1", rejected=True
        )
    return Segment(["MSH", *[own[0], *parts[1:]]], Separators(*own), codec)


def read(frame: bytes) -> Message:
    """Return a message; its segments may end with CR, LF or both.

    Raises:
        Hl7Error: it is none, of a character set that is not known here, or of too many segments.
    """
    head = header(frame)
    if head.codec == _ALL_BYTES:
        raise Hl7Error(
            "not in ASCII, 8859/1 to 9 or 15, UNICODE UTF-8, GB 18030-2000, or not in the one that it names",
            Condition.TABLE_VALUE_NOT_FOUND,
            "MSH^1^18",
            rejected=True,
        )
    separator = head.separators.field.encode()
    lines = [line for line in frame.splitlines()[1:] if line[3:4] in (separator, b"")]
    names = Counter(line[:3] for line in lines)
    if names[b"MSH"]:
        raise Hl7Error("more than one message in a frame", Condition.DATA_TYPE_ERROR, rejected=True)
    if names[b"OBR"] + names[b"OBX"] > MAX_SEGMENTS:
        raise Hl7Error(f"more than {MAX_SEGMENTS} segments", Condition.DATA_TYPE_ERROR, rejected=True)
    return Message(head, names[b"PID"], tuple(line for line in lines if line[:3] in _KEPT))


def coded(components: list[str]) -> list[tuple[str, str, str]]:
    """Return what a coded field (CWE) names: code, text and system of it, and of its alternate.

    >>> coded(["8867-4", "Heart rate", "LN", "147842", "MDC_ECG_HEART_RATE", "MDC"])
    [('8867-4', 'Heart rate', 'LN'), ('147842', 'MDC_ECG_HEART_RATE', 'MDC')]
    """
    code, text, system, code_2, text_2, system_2 = (components + [""] * 6)[:6]
    return [(code, text, system), (code_2, text_2, system_2)]


def time_ns(text: str, zone: tzinfo) -> int | None:
    """Return a time (DTM, 2.A.22, at least to the minute) as UTC ns; None: it is none.

    Milliseconds may follow without their point, as some monitors write them.

    Args:
        text: as in the message.
        zone: of a time that states none.

    >>> time_ns("20260301120000.5+0800", UTC), time_ns("20260301120000500", UTC)
    (1772337600500000000, 1772366400500000000)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    second, fraction, sign, offset_h, offset_min = found[6], found[7] or found[8], *found.groups()[8:]
    if not _YEARS[0] < year < _YEARS[1] or int(offset_h or 0) > _MAX_OFFSET_H:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, int(second or 0), tzinfo=UTC if sign else zone)
    except ValueError:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86400 + since.seconds
    if sign:
        seconds -= int(sign + "1") * (int(offset_h) * 3600 + int(offset_min) * 60)
    ns = seconds * _NS + int((fraction or "").ljust(9, "0"))
    return ns if 0 <= ns < MAX_TIME_NS else None


def stamp(ns: int) -> str:
    """Return a time as HL7 writes it, to 0.1 ms, in UTC.

    >>> stamp(1772337600500000000)
    '20260301040000.5000+0000'
    """
    moment = datetime.fromtimestamp(ns // _NS, UTC)
    return f"{moment:%Y%m%d%H%M%S}.{ns % _NS // 100_000:04d}+0000"
