"""The contract of changes in mid-stream: they hold from their sample on, in the order in which they came."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.bank import Bank
from schemas import mdc, wfdb
from schemas.conditions import Code
from schemas.limits import DEFAULTS
from schemas.records import Association, Category, Control, Limit, Limits, Settings, Vital
from tests.detectors import synthetic as syn

FS = 250
TICK = 32  # samples between two looks at the conditions at 250 Hz
ADULT, PAEDIATRIC, NEONATE = (Settings(category, paced=False) for category in Category)


def control(change, at=0, session=1):
    return Control(f"{session}/{at}", "d", session, at, 0, "ward", change)


def high_rate(limit_bpm):
    return Limits((Limit(mdc.HEART_RATE, 40.0, limit_bpm),))


def phases(events, code):
    return [syn.phases(events, code, phase)["sample"].tolist() for phase in (0, 2)]


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([25, 100, 250, 1000]), st.integers(0, 20))
def test_a_change_of_category_holds_from_its_sample_in_any_chunking(cut, restored_after):
    neonate, adult = 14 * FS + 7, 24 * FS + 3
    made = syn.packets(syn.counts(syn.ecg(160, 28, FS)), FS, range(0, 28 * FS, cut))
    bank = Bank()
    bank.control(control(NEONATE, neonate))
    bank.control(control(Settings(Category.ADULT, paced=True), adult))
    found = []
    for i, packet in enumerate(made):
        if i == restored_after:
            state, bank = bank.snapshot(0), Bank()
            bank.restore("d", state)
        expected = [Category.ADULT, Category.NEONATE][neonate < packet.first_sample < adult]
        assert bank.settings(0).category is expected
        found.append(bank.push(syn.bundle([packet])))
    events = syn.joined(found)
    for code in (Code.EXTREME_TACHYCARDIA, Code.HEART_RATE_HIGH):
        begins, ends = phases(events, code)
        assert len(begins) == 2
        assert begins[0] < neonate
        assert neonate + 5 * FS < ends[0] < neonate + 5 * FS + 2 * TICK  # five seconds below what ends it
        assert adult <= begins[1] < adult + FS + 2 * TICK  # a high rate must last for a second
    assert bank.settings(0) == Settings(Category.ADULT, paced=True)


@pytest.mark.parametrize(
    ("settings_of", "expected"),
    [(ADULT, [Code.EXTREME_TACHYCARDIA, Code.HEART_RATE_HIGH]), (PAEDIATRIC, []), (NEONATE, [])],
    ids=["adult", "paediatric", "neonate"],
)
def test_a_rate_that_is_extreme_for_an_adult_is_none_for_a_child(settings_of, expected):
    bank = Bank()
    bank.control(control(settings_of, session=0))
    _, events = syn.run(syn.packets(syn.counts(syn.ecg(155, 20, FS)), FS), bank)
    assert syn.codes(events) == expected
    rhythm = wfdb.SUPRAVENTRICULAR_TACHYCARDIA if expected else wfdb.SINUS
    assert events.rhythms["rhythm"][-1] == rhythm


CAME_IN_THIS_ORDER = {
    "the category's defaults replace limits that came before": ([high_rate(100.0), PAEDIATRIC], False),
    "limits that come behind the category hold": ([PAEDIATRIC, high_rate(100.0)], True),
    "limits stay while the category does": ([high_rate(100.0), Settings(Category.ADULT, paced=True)], True),
    "to and fro is a change": ([high_rate(100.0), NEONATE, ADULT], False),
    "the last limits hold": ([high_rate(90.0), high_rate(200.0)], False),
}


@pytest.mark.parametrize(("changes", "alarm"), CAME_IN_THIS_ORDER.values(), ids=CAME_IN_THIS_ORDER.keys())
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("session", [0, 1])
def test_changes_hold_in_the_order_in_which_they_came(changes, alarm, waits, session):
    """110 a minute: above 100 and below the defaults of adult and child. For one sample, or as they come."""
    made = syn.packets(syn.counts(syn.ecg(110, 20, FS)), FS)
    bank = Bank()
    head = made[:10] if waits else []
    before = syn.run(head, bank)[1] if head else None
    for change in changes:
        bank.control(control(change, 12 * FS if session else 0, session))
    events = syn.run(made[len(head) :], bank)[1]
    assert (Code.HEART_RATE_HIGH in syn.codes(events)) == alarm
    assert before is None or Code.HEART_RATE_HIGH not in syn.codes(before)


def test_a_change_that_holds_at_once_does_not_pass_one_that_is_due():
    """A change from a sample that has come, though nothing has come since: the later one wins."""
    made = syn.packets(syn.counts(syn.ecg(110, 20, FS)), FS)
    bank, _ = syn.run(made[:10])
    bank.control(control(Limits((Limit(mdc.HEART_RATE, None, 100.0),)), 10 * FS))
    bank.control(control(Association("P-1"), 10 * FS))
    bank.control(control(NEONATE, session=0))
    bank.control(control(Association("P-2"), session=0))
    _, events = syn.run(made[10:], bank)
    assert syn.codes(events) == []
    assert bank.patient(0) == "P-2"


def test_all_limits_of_vitals_become_the_categorys():
    """A vital may be ahead of the ECG: it goes by the limits of its own time."""
    numbers = {mdc.SPO2: 88.0, mdc.RESP_RATE: 45.0, mdc.NIBP_SYS: 70.0, mdc.PULSE_RATE: 150.0}
    made = syn.packets(syn.counts(syn.ecg(70, 2, FS)), FS)
    for at, alarms in ((2, False), (40, True)):
        bank, _ = syn.run(made)
        bank.control(control(NEONATE, at * FS))
        times = [syn.START_NS + s * 10**9 for s in range(5, 25)]
        vitals = [Vital("d", 1, t, code, value) for t in times for code, value in numbers.items()]
        assert bool(syn.codes(bank.push(syn.bundle([], vitals)))) == alarms


def test_of_more_changes_than_can_wait_the_first_hold_at_once():
    bank = Bank()
    for n in range(50):
        bank.control(control(Association(f"P-{n}"), session=9))
    assert bank.patient(0) == "P-1"
    second = Bank()
    second.restore("d", bank.snapshot(0))
    syn.run(syn.packets(syn.counts(syn.ecg(70, 2, FS)), FS, session=9), second)
    assert second.patient(0) == "P-49"


def test_a_state_in_which_all_kinds_of_change_wait_is_small():
    fs, leads = 1000, 12
    bank, _ = syn.run(syn.packets(syn.counts(syn.ecg(80, 16, fs, leads=leads)), fs))
    for category in Category:
        bank.control(control(Settings(category, paced=True), 10**6))
        bank.control(control(Limits(DEFAULTS[category]), 10**6))
        bank.control(control(Association(f"P-{category}"), 10**6))
    assert len(bank.snapshot(0)) <= 8192


def test_what_has_held_leaves_nothing_in_the_state():
    """But since when it is worn by somebody else."""
    made = syn.packets(syn.counts(syn.ecg(70, 4, FS)), FS)
    plain = Bank()
    for change in (Association("P-1"), Association("")):
        plain.control(control(change, 3 * FS))
    syn.run(made, plain)
    bank, _ = syn.run(made[:2])
    for change in (NEONATE, Association("P-1"), ADULT, Association("")):
        bank.control(control(change, 3 * FS))
    syn.run(made[2:], bank)
    assert plain.snapshot(0) == bank.snapshot(0)
