"""Teaching cases: a copy of a stretch that nobody can be told from, and words that name nobody.

Of the recording, samples, beats and rhythms are kept, and how far apart they are. Gone are pseudonym,
devices, sites, alarm conditions, and when it was: it begins at a random moment of the first day of 2000. Of
the age, the patient's category stays. That words name nobody, a person confirms; ``faults`` finds what is
obvious.
"""

import io
import re
import secrets
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from ecgstream.exchange import wfdb
from ecgstream.exchange.recording import NS, Recording

LONGEST = timedelta(hours=1)
ORIGIN_NS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * NS
_DAY_MS = 86_400_000
_SHORTEST_WORD = 3
"""Characters of a word of Latin letters that is looked for; a code of one letter is in every text."""
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_PATTERNS = {
    # 18 digits (GB 11643) or 15; telephones; any number of so many digits is one of somebody's.
    "number": re.compile(r"\d(?:[ .()\-]?\d){6,}[xX]?"),
    "date": re.compile(
        r"\d{4}\s*[-/.年]\s*\d{1,2}|\d{1,2}\s*月\s*\d{1,2}|\b\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b"
        rf"|\b(?:{_MONTHS})[a-z]*\.?\s+\d{{1,4}}\b|\b\d{{1,2}}\.?\s+(?:{_MONTHS})",
        re.IGNORECASE,
    ),
    "address": re.compile(r"\S@\S"),
}


class Copy(NamedTuple):
    """A recording as it is kept. ``content``: a zip of WFDB files."""

    leads: tuple[str, ...]
    seconds: int
    content: bytes


def faults(words: str, known: Iterable[str]) -> frozenset[str]:
    """Return what in words may tell who it is: number, date, address, or a name that is known.

    Args:
        words: as they were typed.
        known: names, codes and accounts that have to do with the case.

    >>> sorted(faults("13800001234, seen on 3 March", [])), sorted(faults("of wang  wei", ["Wang Wei"]))
    (['date', 'number'], ['name'])
    >>> faults("A pause of 3.2 s at 45/min, 24 h Holter; 停搏3秒", ["P-ABCDEFGHIJ", "A", ""])
    frozenset()
    """
    text = _plain(words)
    found = {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    looked_for = (_plain(name) for name in known)
    if any(name in text for name in looked_for if len(name) >= _SHORTEST_WORD or not name.isascii()):
        found.add("name")
    return frozenset(found)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def without_person(
    recording: Recording, id_: UUID, below: Callable[[int], int] = secrets.randbelow
) -> Recording:
    """Return a recording that says nothing of whose it is, and nothing of when and where it was.

    Args:
        recording: what.
        id_: of the teaching case.
        below: gives a random number from 0 to before another.
    """
    begin_ns = min(segment.start_ns for segment in recording.segments)
    shift_ns = ORIGIN_NS + below(_DAY_MS) * 1_000_000 - begin_ns
    segments = tuple(
        replace(segment, start_ns=segment.start_ns + shift_ns, conditions=())
        for segment in recording.segments
    )
    return Recording(str(id_), (), segments, recording.software, recording.detectors)


def copy_of(recording: Recording, folder: Path) -> Copy:
    """Return a recording as it is kept.

    Args:
        recording: without a person.
        folder: that WFDB files are written into.

    Raises:
        ExchangeError: WFDB cannot have it.
        OSError: the folder's disk is full.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in wfdb.write(recording, folder, "case"):
            # Without the time at which the file was written.
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    leads = tuple(dict.fromkeys(lead.name for segment in recording.segments for lead in segment.leads))
    seconds = sum(segment.frames / segment.rate_hz for segment in recording.segments)
    return Copy(leads, max(1, round(seconds)), packed.getvalue())
