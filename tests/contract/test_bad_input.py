"""Bad input of every kind, mixed at random: nothing raises, nothing grows, good signal is read again in 3 s.

A fuzz with a time bound: ``ECGSTREAM_FUZZ_S`` seconds (8 by default), seeds counted from 1. A failure names
its seed; ``check(seed)`` tries it again.
"""

import dataclasses
import itertools
import os
import time

import numpy as np
import pytest

import detectors
from detectors.bank import Bank
from detectors.evidence import evidence_of
from schemas.conditions import Code
from schemas.records import MISSING
from tests.detectors import synthetic as syn

FS = 250
LEADS = 2
GOOD_S, BAD_S, AFTER_S = 12, 8, 16
FROM, TO = GOOD_S * FS, (GOOD_S + BAD_S) * FS
WITHIN_S = 3.0
# A level that is learnt from nothing but spikes (a lead less is a new beginning) takes longer to fall.
WITHIN_SPIKES_S = 6.0
NEAR_S = 0.06
FUZZ_S = float(os.environ.get("ECGSTREAM_FUZZ_S", "8"))


def _missing(counts, rng):
    counts[rng.integers(LEADS), FROM:TO] = MISSING


def _all_missing(counts, rng):
    counts[:, FROM : FROM + rng.integers(1, TO - FROM)] = MISSING


def _rail(counts, rng):
    counts[:, FROM:TO] = rng.choice([32767, -32767])


def _flat(counts, rng):
    counts[rng.integers(LEADS), FROM:TO] = rng.integers(-2000, 2000)


def _spikes(counts, rng):
    for at in rng.integers(FROM, TO, 30):
        counts[:, at] = np.clip(counts[:, at] + 10 * syn.GAIN, -32767, 32767)


def _bursts(counts, rng):
    t = np.arange(TO - FROM) / FS
    wave = 3.0 * np.sin(2 * np.pi * t) * (np.sin(2 * np.pi * t / 4) > 0)
    counts[:, FROM:TO] = np.clip(counts[:, FROM:TO] + wave * syn.GAIN, -32767, 32767)


def _mains(counts, rng):
    t = np.arange(TO - FROM) / FS
    counts[:, FROM:TO] = counts[:, FROM:TO] + 2.0 * syn.GAIN * np.sin(2 * np.pi * rng.choice([50, 60]) * t)


def _noise(counts, rng):
    counts[:, FROM:TO] = rng.integers(-32768, 32767, (LEADS, TO - FROM))


def _upside_down(counts, rng):
    counts[rng.integers(LEADS), FROM:] *= -1


def _swapped(counts, rng):
    counts[:, FROM:] = counts[::-1, FROM:].copy()


SIGNALS = (
    _missing, _all_missing, _rail, _flat, _spikes, _bursts, _mains, _noise, _upside_down, _swapped,
)  # fmt: skip


def _lost(packets, rng):
    first = FROM + rng.integers(BAD_S - 3) * FS
    end = first + rng.integers(1, 4) * FS
    return [p for p in packets if not first <= p.first_sample < end]


def _doubled(packets, rng):
    return list(itertools.chain.from_iterable((p, p) if rng.random() < 0.3 else (p,) for p in packets))


def _out_of_order(packets, rng):
    found = list(packets)
    bad = [i for i, p in enumerate(packets) if FROM <= p.first_sample < TO - 2 * FS]
    at = int(rng.choice(bad))
    found[at], found[at + 1] = found[at + 1], found[at]
    return found


def _clock_set_back(packets, rng):
    by = int(rng.integers(1, 10**6)) * 10**9
    return [
        dataclasses.replace(p, start_ns=p.start_ns - by) if p.first_sample >= FROM else p for p in packets
    ]


def _other_gain(packets, rng):
    """The same signal, told with half the gain."""

    def halved(c):
        absent = c.samples == MISSING
        return dataclasses.replace(
            c, gain=c.gain / 2, samples=np.where(absent, MISSING, c.samples // 2).astype(np.int16)
        )

    return [
        dataclasses.replace(p, channels=[halved(c) for c in p.channels]) if p.first_sample >= FROM else p
        for p in packets
    ]


def _lead_gone(packets, rng):
    """From the bad stretch on there is one lead less."""
    return [dataclasses.replace(p, channels=p.channels[:1]) if p.first_sample >= FROM else p for p in packets]


WIRES = (_lost, _doubled, _out_of_order, _clock_set_back, _other_gain, _lead_gone)


def troubled(seed):
    """Packets of good signal, troubles, and good signal; where its beats are, s; what was done."""
    rng = np.random.default_rng(seed)
    seconds = GOOD_S + BAD_S + AFTER_S
    at = syn.regular(int(rng.integers(50, 130)), 0.5, seconds)
    mv = np.stack(
        [syn.beats(at, seconds, FS) * h + syn.noise(seconds * FS, 0.01, i) for i, h in enumerate((1.0, 0.7))]
    )
    counts = syn.counts(mv)
    chosen = [rng.choice(SIGNALS) for _ in range(rng.integers(0, 3))]
    for trouble in chosen:
        trouble(counts, rng)
    packets = syn.packets(counts, FS)
    on_the_wire = [rng.choice(WIRES) for _ in range(rng.integers(0, 3))]
    for trouble in on_the_wire:
        packets = trouble(packets, rng)
    return packets, at, [one.__name__ for one in (*chosen, *on_the_wire)]


def check(seed):
    packets, at, done = troubled(seed)
    bank = Bank()
    room = None
    found = []
    for packet in packets:
        found.append(bank.push(syn.bundle([packet])))
        room = room or [len(a) for a in bank._out[:6]]
    events = syn.joined(found)
    said = f"seed {seed}: {done}"
    assert [len(a) for a in bank._out[:6]] == room, f"{said}: its memory has grown"
    assert np.all(np.diff(events.beats["sample"]) > 0), f"{said}: beats go back"
    _phases_are_in_order(events, said)
    heard = events.beats["sample"] / FS
    within = WITHIN_SPIKES_S if {"_spikes", "_lead_gone"} <= set(done) else WITHIN_S
    good_s = GOOD_S + BAD_S + within
    due = at[(at > good_s) & (at < GOOD_S + BAD_S + AFTER_S - 1)]
    missed = [t for t in due if not np.any(np.abs(heard - t) < NEAR_S)]
    assert not missed, f"{said}: beats missed at {missed}"
    false = [t for t in heard[heard > good_s] if not np.any(np.abs(at - t) < NEAR_S)]
    assert not false, f"{said}: beats invented at {false}"
    return events, done


def _phases_are_in_order(events, said):
    opened = set()
    for row in events.conditions:
        code = int(row["code"])
        assert (row["phase"] == 0) == (code not in opened), f"{said}: {Code(code).name} out of order"
        assert np.isfinite(row["delay_s"])
        if row["phase"] == 0:
            opened.add(code)
        elif row["phase"] == 2:
            opened.discard(code)


def test_bad_input_of_every_kind():
    detectors.warm_up()
    until = time.monotonic() + FUZZ_S
    tried = 0
    for seed in itertools.count(1):
        check(seed)
        tried += 1
        if time.monotonic() > until:
            break
    assert tried > 20


@pytest.mark.parametrize(
    ("trouble", "code", "kind", "leads"),
    [
        (_missing, Code.LEAD_OFF, "off", 1),
        (_rail, Code.ALL_LEADS_OFF, "saturated", 2),
        (_flat, Code.LEAD_OFF, "flat", 1),
        (_noise, Code.ECG_NOISY, "muscle", 2),
        (_mains, Code.ECG_NOISY, "mains", 2),
    ],
)
def test_each_has_its_technical_alarm(trouble, code, kind, leads):
    at = syn.regular(75, 0.5, GOOD_S + BAD_S + AFTER_S)
    mv = np.stack([syn.beats(at, GOOD_S + BAD_S + AFTER_S, FS) * h for h in (1.0, 0.7)])
    counts = syn.counts(mv + syn.noise(mv.shape[1]))
    trouble(counts, np.random.default_rng(1))
    _, events = syn.run(syn.packets(counts, FS))
    (onset,) = syn.phases(events, code, 0)
    assert FROM <= onset["onset_sample"] <= onset["sample"] <= FROM + 7 * FS
    (end,) = syn.phases(events, code, 2)
    assert TO <= end["sample"] <= TO + WITHIN_S * FS + FS
    assert evidence_of(code, onset["evidence"])[f"leads_{kind}"] == leads


def test_missing_packets_have_theirs():
    _, events = syn.run(
        _lost(syn.packets(syn.counts(syn.ecg(75, 36, FS, LEADS)), FS), np.random.default_rng(1))
    )
    assert Code.SIGNAL_GAP in syn.codes(events)
