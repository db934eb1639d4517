"""A small synthesiser: beats as sums of Gaussians, packets and bundles of them, and how to compare events."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from detectors.bank import Bank
from detectors.output import Events
from ecgstream.evaluate.waveforms.shapes import lay
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, PRESSURE_KIND, Channel, Packet
from schemas.units import COUNTS, MILLIVOLT, MM_HG

GAIN = 200.0
START_NS = 1_700_000_000_000_000_000

# (mV, s after the R peak, s): P, Q, R, S, T; and a wide ventricular complex with its T wave.
NORMAL = (
    (0.12, -0.17, 0.02),
    (-0.1, -0.025, 0.008),
    (1.0, 0.0, 0.011),
    (-0.2, 0.03, 0.01),
    (0.25, 0.26, 0.045),
)
VENTRICULAR = ((1.6, 0.0, 0.045), (-0.6, 0.11, 0.05), (-0.4, 0.28, 0.06))


def beats(at_s, seconds, fs, shape=NORMAL):
    def gaussians(t):
        return sum(height * np.exp(-0.5 * ((t - shift) / width) ** 2) for height, shift, width in shape)

    return lay(at_s, seconds, fs, gaussians)


def regular(bpm, start_s, stop_s):
    return np.arange(start_s, stop_s, 60.0 / bpm)


def noise(n, mv=0.01, seed=1):
    return np.random.default_rng(seed).normal(0.0, mv, n)


def counts(mv, gain=GAIN):
    """mV of shape (leads, n) or (n,) as int16 counts of shape (leads, n); NaN is missing."""
    mv = np.atleast_2d(mv)
    with np.errstate(invalid="ignore"):
        found = np.clip(np.rint(mv * gain), -32767, 32767)
    return np.where(np.isnan(mv), MISSING, np.nan_to_num(found)).astype(np.int16)


def packets(
    signal,
    fs,
    cuts=None,
    *,
    device="d",
    session=1,
    first=0,
    off=(),
    gain=GAIN,
    offset=0.0,
    start_ns=START_NS,
    pace=(),
):
    """Cut counts (leads, n) at ``cuts`` (default: every second); ``off``: (lead, from, to) samples."""
    n = signal.shape[1]
    edges = sorted({0, n, *(range(0, n, int(fs)) if cuts is None else cuts)})
    made = []
    for seq, (a, b) in enumerate(pairwise(edges)):
        masked = {lead for lead, begin, end in off if begin <= a < end}
        channels = [
            Channel(mdc.ECG, ECG_KIND, MILLIVOLT, fs, gain, row[a:b].copy(), offset, lead_off=i in masked)
            for i, row in enumerate(signal)
        ]
        ns = start_ns + round((first + a) * 1e9 / fs)
        marks = [m - a for m in pace if a <= m < b]
        made.append(Packet(device, session, seq, first + a, ns, ns, channels, marks))
    return made


def pulse(at_s, seconds, fs, height=40.0, base=80.0, rise_s=0.12):
    """A pulse wave whose upstrokes begin at ``at_s``: a raised cosine, then a decay with a dicrotic wave."""
    t = np.arange(round(seconds * fs)) / fs
    wave = np.zeros_like(t)
    for at in at_s:
        since = t - at
        up = (since >= 0.0) & (since < rise_s)
        down = since >= rise_s
        late = since[down] - rise_s
        one = np.zeros_like(t)
        one[up] = 0.5 - 0.5 * np.cos(np.pi * since[up] / rise_s)
        one[down] = np.exp(-late / 0.25) + 0.12 * np.exp(-0.5 * ((late - 0.2) / 0.04) ** 2)
        wave += one
    return base + height * wave


def pressure(mmhg, fs, gain=50.0, off=False):
    """An arterial pressure as a channel, whole; NaN is missing."""
    return Channel(mdc.ABP, PRESSURE_KIND, MM_HG, fs, gain, counts(mmhg, gain)[0], lead_off=off)


def pleth(values, fs, gain=50.0, off=False):
    """A pleth as a channel, whole; NaN is missing."""
    return Channel(mdc.PLETH, PLETH_KIND, COUNTS, fs, gain, counts(values, gain)[0], lead_off=off)


def with_waves(made, fs, *channels, spans=None):
    """Give packets (of ``packets``, with ECG at ``fs`` from sample 0) their parts of the channels.

    ``spans``: from when to when each is there, s; by default always. A packet has it or not, as a whole; one
    that is shorter than a sample may have none of it.
    """
    for packet in made:
        a, b = packet.first_sample, packet.first_sample + packet.channels[0].samples.size
        for i, channel in enumerate(channels):
            begin_s, end_s = spans[i] if spans else (0.0, np.inf)
            if begin_s * fs <= a < end_s * fs:
                cut = slice(*(int(np.floor(edge / fs * channel.rate + 0.5)) for edge in (a, b)))
                if cut.stop > cut.start:
                    packet.channels.append(replace(channel, samples=channel.samples[cut]))
    return made


def bundle(made, vitals=()):
    return Bundle.of("gw", 0, 0, list(made), list(vitals))


def run(made, bank=None, together=10**9):
    """Feed packets, ``together`` a bundle; return bank and all events."""
    bank = bank or Bank()
    found = [bank.push(bundle(made[i : i + together])) for i in range(0, len(made), together)]
    return bank, joined(found)


def restored(made, at):
    """Feed packets, from the ``at``-th on in another bank and row; return events and last snapshot."""
    first, before = run(made[:at]) if at else (Bank(), None)
    first.rows(["d"])
    second = Bank()
    second.rows(["other", "one more"])
    row = second.restore("d", first.snapshot(0))
    after = run(made[at:], second)[1] if at < len(made) else None
    return joined([part for part in (before, after) if part is not None]), second.snapshot(row)


def joined(found):
    return Events(*(np.concatenate(kind) for kind in zip(*found, strict=True)))


def plain(column):
    return column.tolist() if column.dtype.hasobject else column.tobytes()


def same(a, b, skip=()):
    """Whether two sets of events are equal bit for bit (padding apart)."""
    for x, y in zip(a, b, strict=True):
        if len(x) != len(y):
            return False
        for name in x.dtype.names:
            if name not in skip and plain(x[name]) != plain(y[name]):
                return False
    return True


def ecg(bpm, seconds, fs, leads=1, seed=1, mv=1.0):
    clean = beats(regular(bpm, 0.5, seconds), seconds, fs)
    return np.stack([mv * clean * (1 - 0.2 * i) + noise(clean.size, 0.01, seed + i) for i in range(leads)])


def phases(events, code, phase):
    c = events.conditions
    return c[(c["code"] == code) & (c["phase"] == phase)]


def codes(events):
    """Codes of all onsets."""
    return sorted(set(events.conditions["code"][events.conditions["phase"] == 0].tolist()))
