"""A recording of what the database holds, read as the person whose login the connection has.

Samples are put into files of the folder that is given, an hour of signal after the other, and mapped from
there: so a day of twelve leads takes no more memory than an hour.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

import ecgstream
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import NS, Lead, Mark, Recording, Segment, frame_rate, let_go, parted
from ecgstream.replay import stored
from ecgstream.reports.stored import Part
from ecgstream.store.trace_codec import TraceError
from ecgstream.store.traces import Block
from schemas import mdc
from schemas.checks import MAX_PACKET_S
from schemas.records import MISSING
from schemas.units import UNITS

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Gets what is gone through, a title and how many they are, and gives it back one by one."""

_LONGEST_PACKET_NS = round(MAX_PACKET_S * NS)
_US = timedelta(microseconds=1)
_INSIDE: LiteralString = "device = %(device)s AND time >= %(since)s AND time < %(until)s"
_CHANNELS: LiteralString = f"""
SELECT session, channel, code, kind, unit, rate::float8, gain::float8, "offset"::float8,
    CASE WHEN count(DISTINCT coalesce(high_pass, -1)) = 1 THEN min(high_pass)::float8 END,
    CASE WHEN count(DISTINCT coalesce(low_pass, -1)) = 1 THEN min(low_pass)::float8 END,
    CASE WHEN count(DISTINCT coalesce(notch, -1)) = 1 THEN min(notch)::float8 END,
    min(time)
FROM api.trace_blocks WHERE {_INSIDE}
GROUP BY session, channel, code, kind, unit, rate, gain, "offset" ORDER BY session, channel, min(time)
"""  # noqa: S608 - our own words
_PACKETS: LiteralString = f"""
SELECT session, packet_first, packet_ns, first_sample + n FROM api.trace_blocks
WHERE {_INSIDE} AND channel = 0 ORDER BY session, first_sample
"""  # noqa: S608
_BEATS: LiteralString = f"""
SELECT sample, ascii(code), version FROM api.beats WHERE {_INSIDE} AND session = %(session)s ORDER BY sample
"""  # noqa: S608
_RHYTHMS: LiteralString = f"""
SELECT sample, rhythm, version FROM api.rhythms WHERE {_INSIDE} AND session = %(session)s
UNION ALL
(SELECT sample, rhythm, version FROM api.rhythms
 WHERE device = %(device)s AND session = %(session)s AND time < %(since)s AND time >= %(seen)s
 ORDER BY sample DESC LIMIT 1)
ORDER BY sample
"""  # noqa: S608
_CONDITIONS: LiteralString = """
SELECT onset_sample, code, onset_ns, end_ns FROM api.conditions
WHERE device = %(device)s AND session = %(session)s AND onset >= %(since)s AND onset < %(until)s
ORDER BY onset_sample, code
"""


class Clock(NamedTuple):
    """The packets of a session: each one's first sample of channel 0 and its time; and where they end."""

    first: NDArray[np.int64]
    ns: NDArray[np.int64]
    end: int

    def sample_at(self, at_ns: int, rate: float) -> int:
        """Return the first sample that is not before a time, counted on from the newest packet before.

        It is never beyond the next packet, whose own time counts: a clock may have been set between.
        """
        before = np.flatnonzero(self.ns <= at_ns)
        if not before.size:
            return int(self.first[0])
        packet = int(before[-1])
        following = int(self.first[packet + 1]) if packet + 1 < self.first.size else self.end
        behind = -(-(at_ns - int(self.ns[packet])) * rate // NS)
        return int(min(int(self.first[packet]) + behind, following))

    def outside(self, since_ns: int, until_ns: int) -> list[tuple[int, int]]:
        """Return samples, from one to before another, of packets that are of other times.

        Among those between two times there are such where a clock was set back.
        """
        ends = np.append(self.first[1:], self.end)
        is_out = (self.ns >= until_ns) | (self.ns <= since_ns - _LONGEST_PACKET_NS)
        return [(int(a), int(b)) for a, b in zip(self.first[is_out], ends[is_out], strict=True)]

    def ns_at(self, sample: int, rate: float) -> int:
        """Return when a sample was taken."""
        packet = max(0, int(np.searchsorted(self.first, sample, "right")) - 1)
        return int(self.ns[packet]) + round((sample - int(self.first[packet])) / rate * NS)


class _Session(NamedTuple):
    """What is exported of a session: leads by channel, and from which frame to before which."""

    part: Part
    number: int
    leads: dict[int, Lead]
    clock: Clock
    rate_hz: float
    first: int
    end: int

    @property
    def per_frame(self) -> list[int]:
        return [round(lead.rate / self.rate_hz) for lead in self.leads.values()]


def recording(
    connection: psycopg.Connection,
    parts: Sequence[Part],
    subject: str,
    scratch: Path,
    progress: Progress = lambda items, _title, _total: items,
) -> Recording:
    """Return what is stored of parts, which do not overlap.

    Args:
        connection: of a person.
        parts: times of devices.
        subject: the patient's pseudonym; "" where the parts are a device's.
        scratch: folder that samples are written into, for as long as the recording is used.
        progress: shows how far it has come.

    Raises:
        ExchangeError: nothing is stored, or it cannot be read, or a session is none that can be exported.
        OSError: the folder's disk is full.
    """
    found: list[Segment] = []
    versions: set[str] = set()
    sessions = [session for part in parts for session in _sessions(connection, part)]
    try:
        for number, session in enumerate(sessions):
            samples = _samples(connection, session, scratch / f"{number}.samples", progress)
            whole = _found(connection, session, samples, versions)
            found += parted(whole, _times(session))
    except TraceError as error:
        raise ExchangeError(f"what is stored cannot be read: {error}") from None
    if not found:
        raise ExchangeError("no signal is stored of that time, or it is not for you to see")
    return Recording(
        subject,
        tuple(dict.fromkeys(part.device for part in parts)),
        tuple(sorted(found, key=lambda segment: segment.start_ns)),
        f"ecgstream {ecgstream.__version__}",
        tuple(sorted(versions)),
    )


def _times(session: _Session) -> Callable[[int], int]:
    count, rate = session.per_frame[0], session.leads[0].rate
    return lambda frame: session.clock.ns_at((session.first + frame) * count, rate)


def _sessions(connection: psycopg.Connection, part: Part) -> list[_Session]:
    """Return the sessions that have samples in a part."""
    wide = {
        "device": part.device,
        "since": part.since - stored.SLACK,
        "until": part.until + stored.SLACK,
    }
    clocks = _clocks(connection.execute(_PACKETS, wide).fetchall())
    leads: dict[int, dict[int, Lead]] = {}
    for session, channel, *what, time in connection.execute(_CHANNELS, wide):
        if channel in leads.setdefault(session, {}):
            raise ExchangeError(
                f"{part.device}: about {time:%Y-%m-%dT%H:%M}Z a channel changes its scale within a session;"
                " export what is before and what is behind that by itself"
            )
        leads[session][channel] = _lead(what)
    found = []
    for number, clock in clocks.items():
        of_one = _named(leads[number])
        rate, rate_hz = of_one[0].rate, frame_rate([lead.rate for lead in of_one.values()])
        count = round(rate / rate_hz)
        low, high = (clock.sample_at(ns, rate) for ns in part.span)
        first, end = -(-low // count), high // count
        if first < end:
            found.append(_Session(part, number, of_one, clock, rate_hz, first, end))
    return found


def _clocks(rows: Sequence[tuple[int, list[int], list[int], int]]) -> dict[int, Clock]:
    packets: dict[int, dict[int, int]] = {}
    ends: dict[int, int] = {}
    for session, first, ns, end in rows:
        packets.setdefault(session, {}).update(zip(first, ns, strict=True))
        ends[session] = max(end, ends.get(session, 0))
    found = {}
    for session, known in packets.items():
        if known:  # else a block that a packet before it reaches into
            ordered = np.array(sorted(known.items()), np.int64)
            found[session] = Clock(ordered[:, 0], ordered[:, 1], ends[session])
    return found


def _lead(what: Sequence[Any]) -> Lead:
    code, kind, unit, rate, gain, offset, *filters = what
    name = _WAVES.get(code) or mdc.lead_name(code)
    return Lead(name, code, kind, UNITS[unit], rate, gain, offset, *filters)


_WAVES = {mdc.PLETH: "PLETH", mdc.ABP: "ABP", mdc.RESP: "RESP"}


def _named(leads: dict[int, Lead]) -> dict[int, Lead]:
    """Return leads by channel, whose names are told apart."""
    found: dict[int, Lead] = {}
    seen: dict[str, int] = {}
    for channel, lead in sorted(leads.items()):
        seen[lead.name] = seen.get(lead.name, 0) + 1
        again = seen[lead.name] > 1
        found[channel] = replace(lead, name=f"{lead.name}_{seen[lead.name]}") if again else lead
    return found


def _samples(
    connection: psycopg.Connection, session: _Session, path: Path, progress: Progress
) -> NDArray[np.int16]:
    """Write the samples of a session into a file, and return it mapped: shape (frames, samples a frame)."""
    frames, width = session.end - session.first, sum(session.per_frame)
    with path.open("wb") as file:  # in full: where a disk is full, a map that grows would end the process
        chunk = np.full(min(frames, 2**16) * width, MISSING, np.int16)
        for left in range(frames, 0, -(2**16)):
            file.write(chunk[: min(left, 2**16) * width].tobytes())
    mapped = np.memmap(path, np.int16, "r+", shape=(frames, width))
    begin_ns, end_ns = session.part.span
    slices = stored.blocks(connection, session.part.device, session.number, begin_ns, end_ns)
    hours = -(-(end_ns - begin_ns + 2 * stored.SLACK // _US * 1000) // (stored.SLICE // _US * 1000))
    columns = dict(zip(session.leads, np.cumsum([0, *session.per_frame[:-1]]).tolist(), strict=True))
    for blocks in progress(slices, "Reading", int(hours)):
        for block in blocks:
            if block.channel in columns:
                _put(mapped, block, session, columns[block.channel])
        mapped.flush()
        let_go(mapped)
    count = session.per_frame[0]
    for low, high in session.clock.outside(begin_ns, end_ns):
        mapped[max(low // count - session.first, 0) : max(-(-high // count) - session.first, 0)] = MISSING
    return mapped


def _put(mapped: NDArray[np.int16], block: Block, session: _Session, column: int) -> None:
    """Write what a block has of the session's frames."""
    count = round(block.wave.rate / session.rate_hz)
    low = max(block.first_sample, session.first * count)
    high = min(block.first_sample + block.samples.size, session.end * count)
    if low < high:
        at = np.arange(low, high) - session.first * count
        mapped[at // count, column + at % count] = block.samples[
            low - block.first_sample : high - block.first_sample
        ]


def _found(
    connection: psycopg.Connection, session: _Session, samples: NDArray[np.int16], versions: set[str]
) -> Segment:
    """Return the session with what was found in it."""
    part = session.part
    asked = {
        "device": part.device,
        "session": session.number,
        "since": part.since,
        "until": part.until,
        "seen": part.seen_from,
    }
    rate = session.leads[0].rate
    first = session.first * session.per_frame[0]
    size = samples.shape[0] * session.per_frame[0]
    beats = connection.execute(_BEATS, asked).fetchall()
    rhythms = connection.execute(_RHYTHMS, asked).fetchall()
    versions.update(version for *_, version in (*beats, *rhythms))
    inside = [(sample - first, code) for sample, code, _ in beats if 0 <= sample - first < size]
    conditions = [
        Mark(at - first, code, None if ns is None else at - first + round((ns - onset_ns) / NS * rate))
        for at, code, onset_ns, ns in connection.execute(_CONDITIONS, asked)
        if 0 <= at - first < size
    ]
    return Segment(
        session.clock.ns_at(first, rate),
        session.rate_hz,
        tuple(session.leads.values()),
        samples,
        np.array([sample for sample, _ in inside], np.int64),
        np.array([code for _, code in inside], np.uint8),
        tuple(Mark(sample - first, rhythm) for sample, rhythm, _ in rhythms if sample - first < size),
        tuple(conditions),
    )
