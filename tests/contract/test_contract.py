"""The one contract of all detectors, held by the bank in many configurations."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.bank import STATE_VERSION, Bank, StateError
from schemas import mdc
from schemas.bundle import Bundle, gather
from schemas.conditions import Code
from schemas.records import MISSING, Association, Control, Limit, Limits, Vital
from tests.detectors import synthetic as syn

SECONDS = 16
CONFIGURATIONS = [(100, 1), (128, 2), (250, 1), (360, 2), (500, 3), (1000, 12)]
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
configured = pytest.mark.parametrize(("fs", "leads"), CONFIGURATIONS)


def troubled(fs, leads):
    """Beats, ventricular beats, a pause with noise, missing samples, clipping, a lead off."""
    at = [*syn.regular(80, 0.4, 6.0), *syn.regular(75, 11.5, SECONDS)]
    clean = syn.beats(at, SECONDS, fs) + syn.beats([6.4, 6.8], SECONDS, fs, syn.VENTRICULAR)
    mv = np.stack([clean * (1 - 0.05 * i) + syn.noise(clean.size, 0.02, i) for i in range(leads)])
    mv[0, int(3.0 * fs) : int(3.4 * fs)] = np.nan
    mv[-1, int(12 * fs) : int(12.5 * fs)] = 1000.0
    return syn.counts(mv), [(leads - 1, int(13 * fs), SECONDS * fs)]


def wire(fs, leads, cuts):
    signal, off = troubled(fs, leads)
    marks = sorted({*cuts, off[0][1]})
    return syn.packets(signal, fs, marks, off=off, pace=(int(1.0 * fs), int(2.2 * fs)))


def cuts_of(fs):
    inner = st.integers(1, SECONDS * fs - 1)
    return st.lists(inner, max_size=30).map(lambda found: sorted({*found, *range(0, SECONDS * fs, 5 * fs)}))


@configured
def test_any_chunking_equals_one_pass(fs, leads):
    bank, whole = syn.run(wire(fs, leads, range(0, SECONDS * fs, 8 * fs)))
    assert len(whole.beats) >= 8

    @some
    @given(cuts_of(fs), st.sampled_from([1, 3, 10**6]))
    def check(cuts, together):
        other, events = syn.run(wire(fs, leads, cuts), together=together)
        assert syn.same(whole, events)
        assert other.snapshot(0) == bank.snapshot(0)

    check()


@configured
def test_snapshot_and_restore_anywhere(fs, leads):
    made = wire(fs, leads, range(0, SECONDS * fs, fs // 4))
    bank, whole = syn.run(made)

    @some
    @given(st.integers(0, len(made)))
    def check(at):
        events, snapshot = syn.restored(made, at)
        assert syn.same(whole, events)
        assert snapshot == bank.snapshot(0)

    check()


@configured
def test_state_is_small(fs, leads):
    bank, _ = syn.run(wire(fs, leads, range(0, SECONDS * fs, fs)))
    assert len(bank.snapshot(0)) <= 8192


def test_one_device_and_a_thousand_give_the_same():
    fs = 250
    alone = syn.run(wire(fs, 2, range(0, SECONDS * fs, fs)))[1]
    bank = Bank()
    names = [f"d{i}" for i in range(1000)]
    found = []
    for i in range(SECONDS):
        part = [p for p in wire(fs, 2, range(0, SECONDS * fs, fs)) if i * fs <= p.first_sample < (i + 1) * fs]
        one = syn.bundle(part)
        n, c = len(part), len(one.channel.code)
        many = Bundle(
            "gw", 0, 0, names,
            one.packet._replace(
                device=np.repeat(np.arange(1000, dtype=np.uint16), n),
                **{f: np.tile(getattr(one.packet, f), 1000) for f in one.packet._fields[1:]},
            ),
            type(one.channel)(*(np.tile(a, 1000) for a in one.channel)),
            np.tile(one.pace_mark, 1000), one.vital, np.tile(one.sample, 1000),
        )  # fmt: skip
        assert c * 1000 == many.channel.code.size
        found.append(bank.push(many))
    events = syn.joined(found)
    for entry in (0, 1, 499, 999):
        mine = type(events)(*(kind[kind["entry"] == entry] for kind in events))
        assert syn.same(alone, mine, skip=("entry",))


@configured
def test_input_is_not_mutated_and_may_be_read_only(fs, leads):
    one = syn.bundle(wire(fs, leads, range(0, SECONDS * fs, fs)))
    data = one.encode()
    decoded = Bundle.decode(data)
    assert not decoded.sample.flags.writeable
    a = Bank().push(decoded)
    assert decoded.encode() == data
    b = Bank().push(one)
    assert one.encode() == data
    assert syn.same(a, b)


def test_a_gap_equals_missing_samples():
    fs = 250
    signal = syn.counts(syn.ecg(70, 40, fs))
    signal[:, 15 * fs : 23 * fs] = MISSING
    made = syn.packets(signal, fs)
    explicit = syn.run(made)
    absent = syn.run(made[:15] + made[23:])
    assert syn.same(explicit[1], absent[1])
    assert explicit[0].snapshot(0) == absent[0].snapshot(0)
    gap = syn.phases(explicit[1], Code.SIGNAL_GAP, 0)
    assert len(gap) == 1
    assert abs(gap["onset_sample"][0] - 15 * fs) <= fs // 50
    assert len(syn.phases(explicit[1], Code.SIGNAL_GAP, 2)) == 1
    assert Code.ASYSTOLE not in syn.codes(explicit[1])


def test_a_gap_over_a_minute_starts_cold():
    fs = 250
    signal = syn.counts(syn.ecg(70, 20, fs))
    bank, _ = syn.run(syn.packets(signal, fs))
    after = syn.packets(signal, fs, first=100 * fs)
    _, events = syn.run(after, bank)
    gap = syn.phases(events, Code.SIGNAL_GAP, 0)
    assert gap["onset_sample"].tolist() == [20 * fs]
    cold = syn.run(after)[1]
    assert syn.same([cold.beats], [events.beats])


@configured
def test_duplicates_and_reordered_packets_are_ignored_and_counted(fs, leads):
    made = wire(fs, leads, range(0, SECONDS * fs, fs))
    _, whole = syn.run(made)
    bank, events = syn.run(
        [p for q in zip([made[0], *made[:-1]], made, strict=True) for p in (q[1], q[0], q[1])]
    )
    assert syn.same(whole, events)
    assert bank.ignored(0) == 2 * len(made)


def test_a_new_session_starts_cold_and_says_so():
    fs = 250
    signal = syn.counts(syn.ecg(150, 20, fs))
    first = syn.packets(signal, fs, session=10)
    second = syn.packets(signal, fs, session=20, start_ns=syn.START_NS + 60 * 10**9)
    cold = syn.run(second)[1]
    bank, events = syn.run(first + second + first)
    assert bank.ignored(0) == len(first)
    assert syn.same([cold.beats], [events.beats[events.beats["session"] == 20]])
    restarted = events.conditions[events.conditions["code"] == Code.DEVICE_RESTARTED]
    assert restarted["phase"].tolist() == [0, 2]
    of_first = events.conditions[events.conditions["session"] == 10]
    for code in set(of_first["code"].tolist()):
        assert (of_first["phase"][of_first["code"] == code] == 0).sum() == (
            of_first["phase"][of_first["code"] == code] == 2
        ).sum()


def test_change_of_rate_within_a_session():
    slow, fast = syn.counts(syn.ecg(70, 10, 250)), syn.counts(syn.ecg(70, 10, 500))
    later = syn.packets(fast, 500, first=5000, start_ns=syn.START_NS - 5000 * 2_000_000 + 10 * 10**9)
    _, events = syn.run(syn.packets(slow, 250) + later)
    assert (events.beats["sample"] > 5000 + 3 * 500).sum() >= 7
    back = syn.packets(slow, 250, first=5000, start_ns=syn.START_NS - 5000 * 4_000_000 + 20 * 10**9)
    _, events = syn.run(later + back)
    assert len(events.beats) >= 16


@pytest.mark.parametrize("offset_mv", [-2000.0, 300.0])
def test_a_constant_offset_of_volts_changes_nothing(offset_mv):
    fs = 250
    signal = syn.counts(syn.ecg(70, 15, fs, leads=2))
    plain = syn.run(syn.packets(signal, fs))[1]
    moved = syn.run(syn.packets(signal, fs, offset=-offset_mv * syn.GAIN))[1]
    assert np.array_equal(plain.beats["sample"], moved.beats["sample"])
    assert np.array_equal(plain.beats["code"], moved.beats["code"])


@configured
@pytest.mark.parametrize("value", [MISSING, 0, 32767, -32767])
def test_dead_signals_give_no_beat(fs, leads, value):
    signal = np.full((leads, 12 * fs), value, np.int16)
    _, events = syn.run(syn.packets(signal, fs))
    assert len(events.beats) == 0
    asystole = Code.ASYSTOLE in syn.codes(events)
    assert asystole == (value == 0)
    assert Code.VENTRICULAR_FIBRILLATION not in syn.codes(events)


def test_lead_lost_in_mid_stream_harms_no_beat():
    fs = 250
    mv = syn.ecg(80, 30, fs, leads=2)
    whole = syn.run(syn.packets(syn.counts(mv), fs))[1]
    for off in ([(0, 10 * fs, 20 * fs)], [(1, 10 * fs, 20 * fs)]):
        _, events = syn.run(syn.packets(syn.counts(mv), fs, off=off))
        assert len(events.beats) == len(whole.beats)
        assert np.abs(events.beats["sample"] - whole.beats["sample"]).max() <= 0.02 * fs
        assert Code.LEAD_OFF in syn.codes(events)
        assert Code.ALL_LEADS_OFF not in syn.codes(events)


def test_rubbish_is_survived_and_good_signal_is_read_again_within_3_s():
    fs = 250
    rng = np.random.default_rng(3)
    rubbish = rng.integers(-32768, 32768, (2, 10 * fs)).astype(np.int16)
    good = syn.counts(syn.ecg(75, 20, fs, leads=2))
    _, events = syn.run(syn.packets(np.concatenate([rubbish, good], axis=1), fs))
    found = events.beats["sample"] / fs - 10
    expected = syn.regular(75, 0.5, 20)
    for r in expected[(expected > 3.0) & (expected < 19.0)]:
        assert np.abs(found - r).min() < 0.05


@given(st.binary(max_size=200))
def test_snapshots_of_another_kind_are_refused(state):
    bank = Bank()
    bank.rows(["d"])
    before = bank.snapshot(0)
    with pytest.raises(StateError):
        bank.restore("d", state)
    with pytest.raises(StateError):
        bank.restore("d", before.replace(f"/{STATE_VERSION}\n".encode(), b"/0\n"))
    with pytest.raises(StateError):
        bank.restore("d", before[:-3])
    assert bank.snapshot(0) == before


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([25, 100, 250, 1000]), st.integers(0, 9))
def test_changes_hold_from_their_sample_in_any_chunking(cut, restored_after):
    fs = 250
    made = syn.packets(syn.counts(syn.ecg(100, 18, fs)), fs, range(0, 18 * fs, cut))
    bank = Bank()
    for i, (at, high) in enumerate([(5 * fs + 7, 90.0), (7 * fs + 1, 140.0), (14 * fs + 3, 95.0)]):
        change = Limits((Limit(mdc.HEART_RATE, 40.0, high),))
        bank.control(Control(str(i), "d", 1, at, 0, "nurse", change))
    bank.control(Control("p", "d", 1, 7 * fs, 0, "nurse", Association("patient-1")))
    found = []
    for i, packet in enumerate(made):
        if i == restored_after:
            state, bank = bank.snapshot(0), Bank()
            bank.restore("d", state)
        found.append(bank.push(syn.bundle([packet])))
    events = syn.joined(found)
    high = syn.phases(events, Code.HEART_RATE_HIGH, 0)
    tick = 32  # samples between two looks at the conditions at 250 Hz
    assert len(high) == 2
    assert 5 * fs + 7 <= high["onset_sample"][0] < 5 * fs + 7 + tick
    assert 14 * fs + 3 <= high["onset_sample"][1] < 14 * fs + 3 + tick
    ends = syn.phases(events, Code.HEART_RATE_HIGH, 2)
    assert 12 * fs + 1 <= ends["sample"][0] < 12 * fs + 1 + 2 * tick  # five seconds below the new limit
    assert events.conditions["patient"][0] == b""
    assert set(events.conditions["patient"][events.conditions["sample"] > 7 * fs].tolist()) == {b"patient-1"}
    assert bank.patient(0) == "patient-1"


def test_vitals_that_repeat_or_go_back_are_ignored():
    bank = Bank()
    t0 = syn.START_NS
    vitals = [Vital("d", 1, t0 + s * 10**9, mdc.SPO2, 80.0) for s in range(15)]
    twice = [v for v in vitals for v in (v, v)] + [Vital("d", 1, t0, mdc.SPO2, 99.0)]
    events = bank.push(syn.bundle([], twice))
    assert events.conditions["phase"].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("hours", [-1, 24])
def test_a_clock_that_jumps_changes_no_finding(hours):
    """Identity and intervals are samples; only the times shown follow the device's clock."""
    fs = 250
    made = syn.packets(syn.counts(syn.ecg(70, 40, fs)), fs)
    whole = syn.run(made)[1]
    for packet in made[15:]:
        packet.start_ns += hours * 3600 * 10**9
    jumped = syn.run(made)[1]
    assert syn.same(whole[:1], jumped[:1], skip=("time_ns",))
    assert syn.codes(whole) == syn.codes(jumped)
    late = jumped.beats[jumped.beats["sample"] > 16 * fs]
    assert (late["time_ns"] // 10**9 >= (syn.START_NS // 10**9) + hours * 3600).all()


def test_gathered_bundles_are_fed_one_after_the_other():
    """Vitals of a session that ends, gathered with the packets of the next one, still count."""
    old = syn.packets(syn.counts(syn.ecg(70, 4, 250)), 250, session=10)
    new = syn.packets(syn.counts(syn.ecg(70, 4, 250)), 250, session=20, start_ns=syn.START_NS + 4 * 10**9)
    times = [syn.START_NS + i * 10**9 for i in range(8)]
    sent = [
        syn.bundle([p], [Vital("d", p.session, t, mdc.SPO2, 80.0)])
        for p, t in zip([*old, *new], times, strict=True)
    ]
    alone, gathered = Bank(), Bank()
    for one in sent:
        alone.push(one)
    parts = np.arange(len(sent))
    gathered.push(gather([one.encode() for one in sent]).bundle, gathered.rows(["d"] * len(sent)), parts)
    assert alone.snapshot(0) == gathered.snapshot(0)


def test_vitals_are_watched_on_when_the_clock_is_set_back():
    hour = 3600 * 10**9
    good = [Vital("d", 1, syn.START_NS + i * 10**9, mdc.SPO2, 97.0) for i in range(20)]
    bad = [Vital("d", 1, syn.START_NS - hour + i * 10**9, mdc.SPO2, 80.0) for i in range(20)]
    events = Bank().push(syn.bundle([], good + bad))
    (onset,) = syn.phases(events, Code.SPO2_LOW, 0)
    assert onset["onset_ns"] == syn.START_NS - hour
