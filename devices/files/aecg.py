"""HL7 aECG by ecgdatakit's own parser, which reads the first sequence set of a series: here all of them.

A rhythm series has several where leads were recorded one after the other, or samples are missing: each is a
table of leads over a time (HL7 aECG Implementation Guide, 2005, "SequenceSet"). What is in none of them was
not measured.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from ecgdatakit.parsing.helpers import unique_labels
from ecgdatakit.parsing.parsers.hl7_aecg import HL7aECGParser, _parse_ts
from numpy.typing import NDArray

from devices.errors import RecordingError
from devices.files.content import MAX_SAMPLES

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


class _Piece(NamedTuple):
    """A sequence of a lead: what names the lead, ecgdatakit's reading of both, and when it begins, s.

    ``clock`` is what that counts from; None: its time is not told.
    """

    name: tuple[str, ...]
    lead: Any
    time: dict[str, Any]
    begin_s: float
    clock: str | None

    @property
    def rate(self) -> float:
        return float(self.time["sampling_rate_exact"])

    @property
    def scale(self) -> tuple[Any, ...]:
        return self.lead.resolution, self.lead.offset, self.lead.resolution_unit


class AnnotatedECGParser(HL7aECGParser):
    """Reads leads whose sequences are several, with NaN between them."""

    def _read_sequence_set(
        self, series: Element, kind: str, file_path: Path
    ) -> tuple[list[Any], dict[str, Any]]:
        sets = series.findall("component/sequenceSet")
        pieces: list[_Piece] = []
        if kind == "rhythm" and len(sets) > 1:
            pieces = [piece for one in sets for piece in self._pieces(one, file_path)]
        first = next((piece for piece in pieces if piece.clock is not None), None)
        if first is None:
            return super()._read_sequence_set(series, kind, file_path)
        fit = [piece for piece in pieces if (piece.clock, piece.rate) == (first.clock, first.rate)]
        leads, taken = _joined(sorted(fit, key=lambda piece: piece.begin_s))
        if taken < len(pieces):
            self._warnings.append("sequence sets in the rhythm series do not fit the first")
        return leads, min(fit, key=lambda piece: piece.begin_s).time

    def _pieces(self, sequence_set: Element, file_path: Path) -> Iterator[_Piece]:
        """Yield each lead of a set, read as if it were alone there with the time."""
        components = sequence_set.findall("component")
        codes = [component.find("sequence/code") for component in components]
        names = [("", "") if c is None else (c.get("code", ""), c.get("displayName", "")) for c in codes]
        is_time = [code.upper().startswith("TIME_") for code, _ in names]
        times = [component for component, is_one in zip(components, is_time, strict=True) if is_one]
        for component, name, is_one in zip(components, names, is_time, strict=True):
            if not is_one:
                alone = Element("series")
                SubElement(SubElement(alone, "component"), "sequenceSet").extend([*times[:1], component])
                leads, time = super()._read_sequence_set(alone, "rhythm", file_path)
                for lead in leads:
                    yield _Piece(name, lead, time, *_begin(time))


def _begin(time: dict[str, Any]) -> tuple[float, str | None]:
    """Return when a sequence begins, s, and what that counts from."""
    code, head, unit = str(time["code"]).upper(), str(time["head"]), time["head_unit"]
    if code == "TIME_ABSOLUTE":
        at = _parse_ts(head, need_time=True)
        if at is not None:
            local = at.replace(tzinfo=at.tzinfo or UTC)
            return (local - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(), f"{code} {at.tzinfo is None}"
    elif unit in _SECONDS:
        try:
            return float(head) * _SECONDS[unit], code
        except ValueError:
            pass
    return 0.0, None


def _joined(pieces: list[_Piece]) -> tuple[list[Any], int]:
    """Return the leads of pieces, which are in order of time, and how many of these are taken.

    Those of a lead are of one scale, each behind the one before.

    Raises:
        RecordingError: from the first to the last, that would be more than ``MAX_SAMPLES``.
    """
    kept: dict[tuple[str, ...], list[tuple[int, _Piece]]] = {}
    size = taken = 0
    for piece in pieces:
        at = round((piece.begin_s - pieces[0].begin_s) * piece.rate)
        of_lead = kept.setdefault(piece.name, [])
        begin, before = of_lead[-1] if of_lead else (at, None)
        if before is None or (piece.scale == before.scale and at >= begin + before.lead.samples.size):
            of_lead.append((at, piece))
            size = max(size, at + piece.lead.samples.size)
            taken += 1
    if size * len(kept) > MAX_SAMPLES:
        raise RecordingError(f"more than {MAX_SAMPLES} samples")
    labels = unique_labels([of_lead[0][1].lead.label for of_lead in kept.values()])
    return [
        replace(of_lead[0][1].lead, label=label, samples=_filled(of_lead, size))
        for label, of_lead in zip(labels, kept.values(), strict=True)
    ], taken


def _filled(pieces: list[tuple[int, _Piece]], size: int) -> NDArray[np.float64]:
    found = np.full(size, np.nan)
    for at, piece in pieces:
        found[at : at + piece.lead.samples.size] = piece.lead.samples
    return found
