"""Recordings as EDF+ files (Kemp and Olivan 2003, edfplus.info): EDF+C, or EDF+D where time lies between.

The header is edfio's; the data records are written one after the other, since edfio holds a file whole and
writes no EDF+D. EDF has no sign for a sample that was not measured: its lowest value stands there, and an
annotation says of which signal it is (``Signal missing@@LABEL``, with a duration). Samples stay as they are
stored; what eight characters make of their physical range is at most half a step off, or it is refused.
"""

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.plain import ascii_of, word_of
from ecgstream.exchange.recording import NS, Lead, Recording, Segment, joined, missing, moment, numbered
from schemas.records import ECG_KIND, MISSING

SUFFIX = ".edf"
MISSING_TEXT = "Signal missing"
_DIGITAL = (-32768, 32767)
_LONGEST_RECORD_S = 60
_MOST_OFF = 0.5
"""Steps, over the whole range."""
_NUMBER_OF_RECORDS, _RESERVED = slice(236, 244), slice(192, 236)
_DIMENSIONS = {"mV": (("mV", 1.0), ("uV", 1e3)), "mm[Hg]": (("mmHg", 1.0),), "{counts}": (("adu", 1.0),)}
"""How units are written, and how many of them one is."""
_LABEL, _FIELD, _PREFILTERING = 16, 8, 80
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class _Note(NamedTuple):
    """An annotation, ns behind the file's start of whole seconds."""

    at_ns: int
    text: str
    long_ns: int | None = None

    def encoded(self) -> bytes:
        """Return it as a time-stamped list of one."""
        duration = "" if self.long_ns is None else f"\x15{_seconds(self.long_ns)}"
        return f"+{_seconds(self.at_ns)}{duration}\x14{self.text}\x14\0".encode()


class _Grid(NamedTuple):
    """How a file is cut into data records."""

    frames: int
    long_ns: int
    seconds: int


def write(recording: Recording, folder: Path, name: str = "ecg") -> list[Path]:
    """Write a recording: one file, or several where leads change or sessions lie close; return them.

    Args:
        recording: what.
        folder: of the files.
        name: of the file without its suffix; of several, each with its number.

    Raises:
        ExchangeError: a rate or a scale is none that EDF has.
        OSError: it cannot be written.
    """
    grids = {segment.rate_hz: _grid(segment.rate_hz) for segment in recording.segments}
    least_s = float(max((grid.seconds for grid in grids.values()), default=0))
    groups = joined(recording.segments, least_s)
    found = []
    for file, segments in zip(numbered(name, SUFFIX, len(groups)), groups, strict=True):
        _write(recording, segments, grids[segments[0].rate_hz], folder / file)
        found.append(folder / file)
    return found


def _grid(rate_hz: float) -> _Grid:
    """Return the shortest data record of whole seconds that has whole frames.

    >>> _grid(250.0)[0], _grid(62.5)
    (250, _Grid(frames=125, long_ns=2000000000, seconds=2))
    """
    exact = Fraction(rate_hz).limit_denominator(_LONGEST_RECORD_S)
    if not math.isclose(exact, rate_hz, rel_tol=1e-12):
        raise ExchangeError(f"EDF has no data record for a rate of {rate_hz!r} Hz: use wfdb")
    return _Grid(exact.numerator, exact.denominator * NS, exact.denominator)


def _write(recording: Recording, segments: Sequence[Segment], grid: _Grid, path: Path) -> None:
    start_ns = segments[0].start_ns // NS * NS
    onsets = [
        segment.start_ns - start_ns + number * grid.long_ns
        for segment in segments
        for number in range(math.ceil(segment.frames / grid.frames))
    ]
    told = _told(recording, segments, grid, onsets)
    size = max(len(_timekeeping(at)) + sum(map(len, more)) for at, more in zip(onsets, told, strict=True))
    head, size = _head(recording, segments[0], grid, start_ns, size)
    is_whole = all(later - at == grid.long_ns for at, later in pairwise(onsets))
    head[_RESERVED] = (b"EDF+C" if is_whole else b"EDF+D").ljust(44)
    head[_NUMBER_OF_RECORDS] = str(len(onsets)).encode().ljust(_FIELD)
    with path.open("wb") as file:
        file.write(head)
        for at, more, samples in zip(onsets, told, _records(segments, grid), strict=True):
            file.write(samples)
            file.write((_timekeeping(at) + b"".join(more)).ljust(size, b"\0"))


def _head(
    recording: Recording, segment: Segment, grid: _Grid, start_ns: int, size: int
) -> tuple[bytearray, int]:
    """Return the header, and how many bytes annotations have in a data record: ``size`` or a little more."""
    import edfio

    signals = [
        _signal(lead, label, grid.frames * count)
        for lead, label, count in zip(segment.leads, _labels(segment.leads), segment.per_frame, strict=True)
    ]
    begin = moment(start_ns)
    made = edfio.Edf(
        signals,
        patient=edfio.Patient(code=word_of(recording.subject) or "X"),
        recording=edfio.Recording(startdate=begin.date(), equipment_code=word_of(recording.software) or "X"),
        starttime=begin.time(),
        data_record_duration=grid.seconds,
        # makes room: edfio gives each data record as much as the longest needs
        annotations=[edfio.EdfAnnotation(0.0, None, "x" * size)],
    )
    whole = BytesIO()
    made.write(whole)
    content = whole.getvalue()
    header = made.bytes_in_header_record
    samples = sum(2 * grid.frames * count for count in segment.per_frame)
    return bytearray(content[:header]), len(content) - header - samples


def _signal(lead: Lead, label: str, samples: int) -> Any:
    import edfio

    dimension, physical = _physical(lead)
    return edfio.EdfSignal.from_digital(
        np.zeros(samples, np.int16),
        lead.rate,
        label=label,
        physical_dimension=dimension,
        physical_range=physical,
        digital_range=_DIGITAL,
        prefiltering=_filters(lead)[:_PREFILTERING],
    )


def _labels(leads: Sequence[Lead]) -> list[str]:
    """Return labels as EDF+ wants them, the kind of signal first, as ``ECG II``; where cut, told apart."""
    found: list[str] = []
    for number, lead in enumerate(leads, 1):
        name = ascii_of(lead.name)
        whole = f"ECG {name}" if lead.kind == ECG_KIND and not name.upper().startswith("ECG") else name
        label = whole[:_LABEL].strip()
        found.append(label if label and label not in found else f"{whole[: _LABEL - 4].strip()} {number}")
    return found


def _physical(lead: Lead) -> tuple[str, tuple[float, float]]:
    """Return the dimension and the physical range in which eight characters say the scale best."""
    best: tuple[float, str, tuple[float, float]] | None = None
    for dimension, many in _DIMENSIONS.get(lead.unit, ((lead.unit, 1.0),)):
        exact = [(digital - lead.offset) / lead.gain * many for digital in _DIGITAL]
        try:
            low, high = (_short(value) for value in exact)
        except ValueError:
            continue
        step = many / lead.gain
        off = max(abs(low - exact[0]), abs(high - exact[1])) / step
        if low < high and (best is None or off < best[0]):
            best = off, dimension, (low, high)
    if best is None or best[0] > _MOST_OFF:
        raise ExchangeError(f"{ascii_of(lead.name)}: eight characters of EDF do not hold its scale: use wfdb")
    return best[1], best[2]


def _short(value: float) -> float:
    """Return the nearest number that eight characters hold.

    Raises:
        ValueError: none is near.

    >>> _short(-163.84), _short(-159.90234375)
    (-163.84, -159.902)
    """
    for digits in range(6, -1, -1):
        text = f"{value:.{digits}f}"
        if len(text) <= _FIELD:
            return float(text)
    raise ValueError(value)


def _filters(lead: Lead) -> str:
    known = (("HP", lead.high_pass), ("LP", lead.low_pass), ("N", lead.notch))
    return " ".join(f"{name}:{hz:g}Hz" for name, hz in known if hz is not None)


def _told(
    recording: Recording, segments: Sequence[Segment], grid: _Grid, onsets: Sequence[int]
) -> list[list[bytes]]:
    """Return for each data record the annotations that begin in it; remarks are one each, from the first."""
    found: list[list[bytes]] = [[] for _ in onsets]
    for number, line in enumerate(recording.notes()):
        note = _Note(onsets[0], _CONTROL.sub(" ", line))
        found[min(number, len(found) - 1)].append(note.encoded())
    begun = 0
    for segment in segments:
        count = math.ceil(segment.frames / grid.frames)
        for note in _notes(segment, onsets[begun], grid.frames * count):
            inside = (note.at_ns - onsets[begun]) // grid.long_ns
            found[begun + min(max(inside, 0), count - 1)].append(note.encoded())
        begun += count
    return found


def _notes(segment: Segment, onset: int, frames: int) -> Iterator[_Note]:
    """Yield a segment's annotations; ``frames``: how many its data records have."""
    rate = segment.leads[0].rate

    def at(sample: int) -> int:
        return onset + round(sample / rate * NS)

    letters = segment.beat_code.tobytes().decode("ascii")
    for sample, letter in zip(segment.beat_sample.tolist(), letters, strict=True):
        yield _Note(at(sample), f"Beat {letter}")
    for mark in segment.rhythms:
        yield _Note(at(mark.sample), f"Rhythm {mark.text}")
    for mark in segment.conditions:
        long_ns = None if mark.end is None else at(mark.end) - at(mark.sample)
        yield _Note(at(mark.sample), f"Condition {mark.text}", long_ns)
    labels = _labels(segment.leads)
    for lead, label, count, runs in zip(
        segment.leads, labels, segment.per_frame, missing(segment), strict=True
    ):
        behind = [] if frames == segment.frames else [(segment.frames * count, frames * count)]
        for first, end in [*runs, *behind]:
            begin_ns, end_ns = (onset + round(edge / lead.rate * NS) for edge in (first, end))
            yield _Note(begin_ns, f"{MISSING_TEXT}@@{label}", end_ns - begin_ns)


def _records(segments: Sequence[Segment], grid: _Grid) -> Iterator[bytes]:
    """Yield the samples of each data record, a lead after the other."""
    for segment in segments:
        edges = np.cumsum((0, *segment.per_frame)).tolist()
        for _, chunk in segment.chunks(grid.frames):
            for first in range(0, len(chunk), grid.frames):
                rows = chunk[first : first + grid.frames]
                if len(rows) < grid.frames:
                    rows = np.pad(rows, ((0, grid.frames - len(rows)), (0, 0)), constant_values=MISSING)
                yield b"".join(rows[:, low:high].astype("<i2").tobytes() for low, high in pairwise(edges))


def _timekeeping(at_ns: int) -> bytes:
    return f"+{_seconds(at_ns)}\x14\x14\0".encode()


def _seconds(ns: int) -> str:
    """Return a time above 0 in seconds, as short as it can be written exactly.

    >>> _seconds(1_500_000_000), _seconds(2_000_000_000)
    ('1.5', '2')
    """
    whole, rest = divmod(ns, NS)
    return f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
