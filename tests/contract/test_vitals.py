"""The contract of vital signs: any chunking, any restore, and numbers ahead of the ECG give the same."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.bank import Bank
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Association
from tests.detectors import synthetic as syn
from tests.detectors.signs import EMERGENCY, ON, URGENT, S, at, push, spot, stream, tell, watched

SEVEN = {"SPO2": 93.0, "RESP_RATE": 22.0, "PULSE_RATE": 115.0, "NIBP_SYS": 105.0}
FS = 100
MINE = (Code.DESATURATION, Code.APNOEA, URGENT, EMERGENCY, Code.SPO2_LOW)


@pytest.fixture(scope="module")
def made():
    return syn.packets(syn.counts(syn.ecg(70, 240, FS)), FS)


@pytest.fixture(scope="module")
def sent():
    """Numbers by which every condition of this file begins, and most end."""
    found = [*spot(CONSCIOUSNESS=1.0, TEMPERATURE=38.5), *stream(1, 70), *stream(70, 150, SPO2=78.0)]
    return [*found, *stream(150, 180, step=1, RESP_RATE=0.0), *stream(180, 230)]


def in_parts(bank, made, sent, cuts, *, restored_after=-1):
    """Push what has come up to each of some seconds, the signal first."""
    found = []
    for n, (first, last) in enumerate(zip([0, *cuts], [*cuts, 10**6], strict=True)):
        if n == restored_after:
            state, bank = bank.snapshot(0), Bank()
            bank.restore("d", state)
        due = [v for v in sent if first * S <= v.time_ns - syn.START_NS < last * S]
        found.append(bank.push(syn.bundle(made[first:last], due)))
    events = syn.joined(found)
    mine = np.isin(events.conditions["code"], [int(code) for code in MINE])
    of_numbers = events.trends[
        ~np.isin(events.trends["code"], [mdc.HEART_RATE, mdc.VPC_RATE, mdc.ECG_ANALYSED])
    ]
    return events.conditions[mine], of_numbers


SECONDS = list(range(1, 240))


@pytest.fixture(scope="module")
def whole(made, sent):
    return in_parts(watched(ON), made, sent, SECONDS)


def test_all_begins(whole):
    conditions, _ = whole
    assert set(conditions["code"][conditions["phase"] == 0].tolist()) == set(MINE)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 239), max_size=12, unique=True).map(sorted), st.integers(0, 12))
def test_any_chunking_and_restoring_anywhere_give_the_same(made, sent, whole, cuts, restored_after):
    found = in_parts(watched(ON), made, sent, cuts, restored_after=restored_after)
    assert syn.same(whole, found, skip=("entry",))


def test_numbers_ahead_of_the_ecg_go_by_what_holds_at_their_time(made, sent):
    """Scored from 20 s on; the patient is another one from 190 s on."""
    found = []
    for ahead in (False, True):
        bank = watched()
        for change, second in ((ON, 20), (Association("P-1"), 0), (Association("P-2"), 190)):
            tell(bank, change, 1, second * FS)
        if ahead:
            bank.push(syn.bundle(made[:1]))
            found.append(in_parts(bank, [], sent, []))
        else:
            found.append(in_parts(bank, made, sent, SECONDS))
    by_second, at_once = found
    conditions, _ = by_second
    mine = conditions[np.isin(conditions["code"], [URGENT, EMERGENCY])]
    first, last = mine[0], mine[-1]
    assert (first["code"], first["onset_ns"] - syn.START_NS) == (URGENT, 21 * S)
    assert (last["phase"], last["time_ns"] - syn.START_NS) == (2, 190 * S)
    # Whom a condition is told of follows the ECG.
    assert syn.same(by_second, at_once, skip=("entry", "patient"))


def test_the_state_stays_small_with_all_numbers_known():
    fs, leads = 1000, 12
    made = syn.packets(syn.counts(syn.ecg(80, 16, fs, leads=leads)), fs)
    bank, _ = syn.run(made, watched(ON, Association("P-1")))
    beside = [at(t, code, 61.37 + t / 7) for t in range(16) for code in (mdc.NIBP_DIA, mdc.NIBP_MEAN)]
    push(bank, *spot(CONSCIOUSNESS=1.0), *stream(1, 16, step=1, **SEVEN), *beside)
    assert len(bank.snapshot(0)) <= 8192
