"""Packets into samples: sessions, gaps, duplicates, rates, and the loop over the samples.

A gap is fed as missing samples through the same path as what the device itself marks as missing. Above
60 s the row starts cold instead. A new session starts cold, ends what was open, and says that the device
has restarted. A packet that lies before what is expected, or of a session that is over, is ignored.
"""

from typing import Any

import numpy as np

from detectors.columns import (
    C_AT,
    C_CODE,
    C_OFF,
    C_SAMPLES,
    C_USE,
    ECG,
    F_GAIN,
    F_HIGH_PASS,
    F_OFFSET,
    F_RATE,
    P_CHANNEL_AT,
    P_CHANNELS,
    P_FIRST,
    P_PACE_AT,
    P_PACES,
    P_SESSION,
    P_START_NS,
)
from detectors.compiled import jit
from detectors.control import apply_due
from detectors.output import (
    N_BEATS,
    N_CONDITIONS,
    N_GAPS,
    N_RHYTHMS,
    N_SEGMENTS,
    N_TRENDS,
    begin_segment,
    keep_gap,
    outer,
    time_of,
    write_rhythm,
    write_segment,
)
from detectors.phases import begin, end, end_all
from detectors.pulse_feed import WAVES, close_waves, follow_waves, open_waves
from detectors.qrs import accept
from detectors.st import st_lead
from detectors.state import MAX_LEADS
from detectors.step import end_block, look_around, take_block
from detectors.trends import MINUTE_ROWS, flush_minute
from schemas import records
from schemas.conditions import Code

MISSING = records.MISSING
RAIL = 32767  # counts
MAX_GAP_S = 60.0  # the design: longer ones are another segment
ANCHOR_TOLERANCE_NS = 20_000_000  # jitter of a device's clock that does not move the anchor
FIRST_RATE_HZ = 100
_GAP = int(Code.SIGNAL_GAP)
_RESTARTED = int(Code.DEVICE_RESTARTED)

PULSE_MV = 1.5  # second difference of samples: a QRS of EC13 of 5 mV and 70 ms has 1.14 at 250 Hz
PULSE_RATE_HZ = 240.0  # below it a QRS complex has as much

MINUTES = 4  # that a packet and the gap before it can end, besides one for each minute in them
ROWS_A_SECOND = 120  # most condition rows that a second can bring: four a code


@jit
def _leads(channel_i: Any, channel_f: Any, at: int, n: int, table: Any, found: Any) -> int:
    """Fill ``found`` with the channels that are analysed; return how many."""
    leads = 0
    rate = 0.0
    for c in range(at, at + n):
        if channel_i[c, C_USE] != ECG or leads == MAX_LEADS:
            continue
        row = round(channel_f[c, F_RATE]) - FIRST_RATE_HZ
        if leads == 0:
            if not 0 <= row < len(table):
                continue
            rate = channel_f[c, F_RATE]
        if channel_f[c, F_RATE] == rate:
            found[leads] = c
            leads += 1
    return leads


@jit
def stop(d: Any, s: Any, out: Any, missing: bool) -> None:
    """Close the segment that ends at the row's position; ``missing``: what is behind it may come yet.

    What is kept for that has its conditions open, and its minute is written: the rest of it, if it comes, is
    another row.
    """
    if s.started:
        flush_minute(d, out)
        if missing:
            keep_gap(d, s, out)
        end_all(d, s, out, float(s.position))
        write_segment(d, s, out, outer(s, s.position), time_of(s, float(s.position)))


@jit
def _start(
    d: Any, s: Any, out: Any, rate: float, ratio: float, leads: int, first: int, start_ns: int, r: Any
) -> None:
    """Begin a stretch of signal on a blank row."""
    s.started = 1
    s.rate_hz = rate
    s.internal_hz = rate / r.step
    s.ratio = ratio
    s.leads = leads
    s.position = first
    s.origin = first
    s.anchor = first
    s.anchor_ns = start_ns
    apply_due(d, s, outer(s, first))
    begin_segment(d, s, out)
    write_rhythm(d, s, out, first, 0)


@jit
def _sum(s: Any, lead: int, samples: Any) -> None:
    """Add counts of a lead to its block."""
    total = 0
    missing = 0
    clipped = 0
    a, b = s.raw[lead, 0], s.raw[lead, 1]
    limit = PULSE_MV * abs(s.gain[lead]) if s.rate_hz >= PULSE_RATE_HZ else np.inf
    for count in samples:
        if abs(count - 2 * b + a) > limit and a != MISSING and b != MISSING and count != MISSING:
            s.jump[lead] = 1
        a, b = b, count
        total += count
        missing += count == MISSING
        clipped += count >= RAIL or count <= -RAIL
    s.raw[lead, 0], s.raw[lead, 1] = a, b
    s.sum[lead] += total - missing * MISSING
    s.count[lead] += len(samples) - missing
    s.clipped[lead] += clipped - missing


@jit
def _sample_loop(d: Any, s: Any, r: Any, out: Any, n: int, at: Any, waves: Any, sample: Any) -> None:
    """Feed ``n`` samples of every lead, and the waves; without ``at`` (below 0) they are missing."""
    done = 0
    while done < n:
        take = min(n - done, r.step - s.phase)
        for lead in range(s.leads):
            if at[lead] >= 0:
                _sum(s, lead, sample[at[lead] + done : at[lead] + done + take])
            else:
                s.raw[lead] = MISSING
        done += take
        s.phase += take
        s.position += take
        if s.phase == r.step:
            s.phase = 0
            if outer(s, s.position - 1) >= d.due:
                apply_due(d, s, outer(s, s.position - 1))
            if take_block(s, r):
                accept(d, s, r, out)
            over = end_block(s, r)
            if over:
                if s.flows:
                    follow_waves(s, waves, sample)
                look_around(d, s, r, out, over)


@jit
def _session(d: Any, s: Any, out: Any, session: int) -> bool:
    """Return whether a packet's session is the running one or a new one; close the old one."""
    if d.has_session and session == d.session:
        return True
    for old in d.seen:
        if old == session and d.has_session:
            return False
    stop(d, s, out, missing=True)
    if d.has_session:
        for i in range(len(d.seen) - 1, 0, -1):
            d.seen[i] = d.seen[i - 1]
        d.seen[0] = d.session
    return True


@jit
def _behind(s: Any, other_rate: bool, first: int, start_ns: int) -> bool:
    """Return whether a packet lies before what is expected; samples of another rate are compared by time.

    By time, what is further back than a minute comes from a clock that was set back: no device must go
    unwatched until it catches up.
    """
    if other_rate:
        back_ns = time_of(s, float(s.position)) - start_ns
        return bool(ANCHOR_TOLERANCE_NS < back_ns <= MAX_GAP_S * 1e9)
    return bool(first < s.position)


@jit
def feed_packet(
    device: Any, signal: Any, blank: Any, row: int, table: Any, p: Any, channel_i: Any, channel_f: Any,
    pace: Any, sample: Any, out: Any,
) -> None:  # fmt: skip
    """Take one packet."""
    d = device[row]
    found = np.empty(MAX_LEADS, np.int64)
    leads = _leads(channel_i, channel_f, p[P_CHANNEL_AT], p[P_CHANNELS], table, found)
    if not _session(d, signal[row], out, p[P_SESSION]):
        d.stale += 1
        return
    anew = not d.has_session or p[P_SESSION] != d.session
    restarted = anew and d.has_session == 1
    d.has_session = 1
    d.session = p[P_SESSION]
    if anew:
        signal[row] = blank[0]
    if leads == 0:
        return
    s = signal[row]
    rate = channel_f[found[0], F_RATE]
    ratio = channel_f[p[P_CHANNEL_AT], F_RATE] / rate
    first = round(p[P_FIRST] / ratio)
    n = channel_i[found[0], C_SAMPLES]
    for lead in range(leads):
        n = min(n, channel_i[found[lead], C_SAMPLES])
    r = table[round(rate) - FIRST_RATE_HZ]
    other_rate = s.started == 1 and (rate != s.rate_hz or ratio != s.ratio)
    changed = s.started and (other_rate or leads != s.leads)
    if s.started and _behind(s, other_rate, first, p[P_START_NS]):
        d.stale += 1
        return
    expected = s.position
    gap = first - expected if s.started and not changed else 0
    lost = gap > MAX_GAP_S * rate
    if changed or lost:
        stop(d, s, out, lost)
        signal[row] = blank[0]
        gap = 0
    if not s.started:
        _start(d, s, out, rate, ratio, leads, first, p[P_START_NS], r)
        if restarted:
            begin(d, s, out, _RESTARTED, float(first), float(first))
            end(d, s, out, _RESTARTED, float(first))
        if lost:
            begin(d, s, out, _GAP, float(expected), float(first))
    elif s.segment < 0:
        begin_segment(d, s, out)
    _samples(d, s, r, out, p, channel_i, channel_f, found, pace, sample, gap, n)


@jit
def _samples(
    d: Any, s: Any, r: Any, out: Any, p: Any, channel_i: Any, channel_f: Any, found: Any,
    pace: Any, sample: Any, gap: int, n: int,
) -> None:  # fmt: skip
    """Feed the gap before a packet, then its samples."""
    at = np.full(MAX_LEADS, -1)
    waves = np.zeros((WAVES, 2), np.int64)
    if gap > 0:
        _sample_loop(d, s, r, out, gap, at, waves, sample)
        close_waves(s, waves, sample, 1)
    open_waves(s, channel_i, channel_f, p[P_CHANNEL_AT], p[P_CHANNELS], waves)
    if abs(p[P_START_NS] - time_of(s, float(s.position))) > ANCHOR_TOLERANCE_NS:
        s.anchor = s.position
        s.anchor_ns = p[P_START_NS]
    s.mask = 0
    s.assessable = 0
    for lead in range(s.leads):
        c = found[lead]
        at[lead] = channel_i[c, C_AT]
        s.gain[lead] = channel_f[c, F_GAIN]
        s.offset[lead] = channel_f[c, F_OFFSET]
        s.mask |= channel_i[c, C_OFF] << lead
        st_lead(s, lead, channel_i[c, C_CODE], channel_f[c, F_HIGH_PASS])
    begun = s.position
    done = 0
    for j in range(p[P_PACE_AT], p[P_PACE_AT] + p[P_PACES]):
        mark = min(n - 1, int(pace[j] / s.ratio))
        if mark >= done:
            _sample_loop(d, s, r, out, mark - done, at, waves, sample)
            at[: s.leads] += mark - done
            done = mark
        s.pace[s.paces % len(s.pace)] = begun + mark
        s.paces += 1
        s.pulse[: s.leads] = 1
        s.paced_block = s.block
    _sample_loop(d, s, r, out, n - done, at, waves, sample)
    close_waves(s, waves, sample, 2)


@jit
def room(out: Any, seconds: float) -> bool:
    """Return whether the output has room for what so many seconds of one device can bring."""
    n = int(seconds) + 3
    return bool(
        out.n[N_BEATS] + 6 * n <= len(out.beats)
        and out.n[N_RHYTHMS] + 2 * n <= len(out.rhythms)
        and out.n[N_TRENDS] + MINUTES * MINUTE_ROWS + n <= len(out.trends)
        and out.n[N_CONDITIONS] + ROWS_A_SECOND * n <= len(out.conditions)
        and out.n[N_SEGMENTS] + 2 <= len(out.segments)
        and out.n[N_GAPS] + 1 <= len(out.gaps)
    )


@jit
def longest(signal: Any, row: int, p: Any, channel_i: Any, channel_f: Any) -> float:
    """Return the seconds that a packet can bring, the gap before it included."""
    c = p[P_CHANNEL_AT]
    seconds = channel_i[c, C_SAMPLES] / channel_f[c, F_RATE]
    s = signal[row]
    if s.started and p[P_FIRST] > s.position * s.ratio:
        seconds += min(MAX_GAP_S, (p[P_FIRST] / s.ratio - s.position) / s.rate_hz)
    return float(seconds)
