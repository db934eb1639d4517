"""The contract of all detectors, held with pulse waves beside the ECG."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.evidence import NAMES
from schemas.conditions import Code
from tests.detectors import synthetic as syn

SECONDS = 24
CONFIGURATIONS = [
    (100, 1, 62.5, 125.0),
    (250, 1, 125.0, 62.5),
    (250, 2, 240.0, 250.0),
    (360, 2, 62.5, 75.0),
    (500, 3, 500.0, 100.0),
    (1000, 12, 125.0, 125.0),
]
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
configured = pytest.mark.parametrize(("fs", "leads", "pressure_hz", "pleth_hz"), CONFIGURATIONS)


def wire(cuts, fs, leads, pressure_hz, pleth_hz):
    """An ECG that stops at 12 s; pulses that go on, but for a lost sample; a pleth from 3 s on."""
    at = syn.regular(80, 0.4, SECONDS)
    clean = syn.beats(at[at < 12.0], SECONDS, fs)
    mv = np.stack([clean * (1 - 0.05 * i) + syn.noise(clean.size, 0.02, i) for i in range(leads)])
    pressure = syn.pulse(at + 0.2, SECONDS, pressure_hz) + syn.noise(round(SECONDS * pressure_hz), 0.3)
    pressure[round(6.1 * pressure_hz)] = np.nan
    pleth = syn.pulse(at + 0.3, SECONDS, pleth_hz) + syn.noise(round(SECONDS * pleth_hz), 0.3)
    channels = syn.pressure(pressure, pressure_hz), syn.pleth(pleth, pleth_hz)
    packets = syn.packets(syn.counts(mv), fs, sorted({*cuts, 3 * fs}))
    return syn.with_waves(packets, fs, *channels, spans=[(0.0, np.inf), (3.0, np.inf)])


def cuts_of(fs):
    inner = st.integers(1, SECONDS * fs - 1)
    close = st.lists(inner, max_size=4).map(lambda found: {k + i for k in found for i in range(5)})
    apart = st.lists(inner, max_size=30).map(set)
    both = st.tuples(apart, close).map(
        lambda found: found[0] | found[1] | set(range(0, SECONDS * fs, 5 * fs))
    )
    # Where a channel begins is known by its first packet, which therefore holds a sample of it.
    return both.map(lambda found: {k for k in found if k < SECONDS * fs and not 0 < k % (3 * fs) < fs / 20})


def shown(events):
    """How many records of an asystole name the pulse."""
    rows = events.conditions[events.conditions["code"] == Code.ASYSTOLE]
    slot = NAMES[Code.ASYSTOLE].index("pulse_before_onset_s")
    return int((rows["evidence"][:, slot] > 2.0).sum())


@configured
def test_any_chunking_equals_one_pass(fs, leads, pressure_hz, pleth_hz):
    bank, whole = syn.run(wire(range(0, SECONDS * fs, 8 * fs), fs, leads, pressure_hz, pleth_hz))
    assert shown(whole) >= 5

    @some
    @given(cuts_of(fs), st.sampled_from([1, 3, 10**6]))
    def check(cuts, together):
        made = wire(cuts, fs, leads, pressure_hz, pleth_hz)
        other, events = syn.run(made, together=together)
        assert syn.same(whole, events)
        assert other.snapshot(0) == bank.snapshot(0)

    check()


@configured
def test_snapshot_and_restore_anywhere(fs, leads, pressure_hz, pleth_hz):
    made = wire(range(0, SECONDS * fs, fs // 4), fs, leads, pressure_hz, pleth_hz)
    bank, whole = syn.run(made)

    @some
    @given(st.integers(0, len(made)))
    def check(at):
        events, snapshot = syn.restored(made, at)
        assert syn.same(whole, events)
        assert snapshot == bank.snapshot(0)

    check()


@configured
def test_state_is_small(fs, leads, pressure_hz, pleth_hz):
    bank, _ = syn.run(wire(range(0, SECONDS * fs, fs), fs, leads, pressure_hz, pleth_hz))
    assert len(bank.snapshot(0)) <= 8192
