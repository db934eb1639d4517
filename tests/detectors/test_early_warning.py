"""The responses that NEWS2 asks for: when they are told, when not, and of whom."""

import numpy as np
import pytest

from detectors.evidence import NAMES
from schemas import mdc
from schemas.records import Association, Category, News2, Settings, Vital
from tests.detectors import synthetic as syn
from tests.detectors.signs import (
    ADULT,
    CALM,
    EMERGENCY,
    HOUR,
    ON,
    SPOT,
    URGENT,
    S,
    at,
    push,
    responses,
    spot,
    stream,
    tell,
    times,
    watched,
)

SIX = {"SPO2": 93.0, "RESP_RATE": 22.0, "PULSE_RATE": 115.0}
SEVEN = SIX | {"NIBP_SYS": 105.0}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"SPO2": 93.0, "RESP_RATE": 22.0}, []),
        ({"SPO2": 93.0, "RESP_RATE": 22.0, "PULSE_RATE": 95.0}, [URGENT]),
        (SIX, [URGENT]),
        (SEVEN, [EMERGENCY]),
        ({"CONSCIOUSNESS": 1.0}, [URGENT]),
        ({"SPO2": 91.0}, [URGENT]),
        ({"SPO2": 91.0, "RESP_RATE": 25.0, "NIBP_SYS": 110.0}, [EMERGENCY]),
    ],
)
def test_a_score_that_lasts_a_minute_asks_for_the_response_of_the_chart(values, expected):
    sent = {k: v for k, v in values.items() if getattr(mdc, k) in SPOT}
    events = push(
        watched(ON), *spot(**sent), *stream(1, 200, **{k: values[k] for k in values if k not in sent})
    )
    assert responses(events) == expected
    for code in expected:
        assert times(events, code, 0) == [61]
        assert times(events, code, 2) == []


def test_the_evidence_is_the_score_and_the_points_of_each_part():
    events = push(watched(ON), *spot(NIBP_SYS=105.0), *stream(1, 200, **SIX))
    for phase in (0, 1):
        row = syn.phases(events, EMERGENCY, phase)[0]
        assert dict(zip(NAMES[EMERGENCY], row["evidence"].tolist(), strict=False)) == {
            "score": 7, "respiration_points": 2, "spo2_points": 2, "oxygen_points": 0, "systolic_points": 1,
            "pulse_points": 2, "consciousness_points": 0, "temperature_points": 0,
        }  # fmt: skip


def test_a_response_becomes_the_other_without_a_time_in_which_there_is_none():
    bank = watched(ON)
    events = push(
        bank, *spot(), *stream(1, 200, **SIX), *spot(200, NIBP_SYS=105.0), *stream(201, 400, **SIX),
        *spot(400), *stream(401, 600, **SIX), *stream(601, 800),
    )  # fmt: skip
    assert times(events, URGENT, 0) == [61, 461]
    assert times(events, EMERGENCY, 0) == [261]
    assert times(events, EMERGENCY, 2) == [461]
    assert times(events, URGENT, 2) == [321, 661]


def test_a_score_that_moves_to_and_fro_between_both_is_told():
    sent = [
        v
        for t in range(1, 300, 20)
        for v in (*stream(t, t + 10, **SIX), *stream(t + 10, t + 20, **SIX | {"SPO2": 91.0}))
    ]
    events = push(watched(ON), *spot(), *sent)
    assert responses(events) == [URGENT]


def test_a_short_rise_is_not_told():
    events = push(watched(ON), *spot(), *stream(1, 50, SPO2=85.0), *stream(50, 200))
    assert responses(events) == []


@pytest.mark.parametrize(
    "settings_of",
    [
        ADULT,
        Settings(Category.ADULT, paced=False, news2=News2.OFF),
        Settings(Category.PAEDIATRIC, paced=False, news2=News2.SCALE_1),
        Settings(Category.NEONATE, paced=False, news2=News2.SCALE_2),
    ],
    ids=["not said", "off", "child", "neonate"],
)
def test_nobody_is_scored_of_whom_nobody_has_said_so(settings_of):
    bank = watched(settings_of)
    events = push(bank, *spot(CONSCIOUSNESS=4.0), *stream(1, 300, **SEVEN))
    assert responses(events) == []
    assert not set(events.trends["code"].tolist()) & {mdc.NEWS2, mdc.NEWS2_INPUTS}


def test_scale_2_only_where_it_is_set():
    values = {"SPO2": 88.0, "RESP_RATE": 16.0}
    for scale, expected in ((News2.SCALE_1, [URGENT]), (News2.SCALE_2, [])):
        bank = watched(Settings(Category.ADULT, paced=False, news2=scale))
        assert responses(push(bank, *spot(), *stream(1, 200, **values))) == expected
    bank = watched(Settings(Category.ADULT, paced=False, news2=News2.SCALE_2))
    assert responses(push(bank, *spot(OXYGEN_GIVEN=1.0), *stream(1, 200, SPO2=97.0))) == [URGENT]


@pytest.mark.parametrize("missing", CALM)
def test_without_any_one_input_there_is_no_score(missing):
    sent = [v for v in (*spot(CONSCIOUSNESS=4.0), *stream(1, 300, SPO2=80.0)) if v.code != missing]
    events = push(watched(ON), *sent)
    assert responses(events) == []
    found = events.trends
    assert mdc.NEWS2 not in found["code"]
    inputs = found[found["code"] == mdc.NEWS2_INPUTS]
    assert inputs["high"].tolist() == [6] * len(inputs)
    assert len(inputs) >= 4


def test_the_heart_rate_stands_in_for_a_pulse_that_is_missing_or_old():
    beside = [at(t, mdc.HEART_RATE, 135.0) for t in range(1, 400, 10)]
    sent = [v for v in stream(1, 400) if v.code != mdc.PULSE_RATE]
    events = push(watched(ON), *sorted([*spot(), *sent, *beside], key=lambda v: v.time_ns))
    assert responses(events) == [URGENT]
    stopped = [v for v in stream(1, 400) if v.code != mdc.PULSE_RATE or v.time_ns < syn.START_NS + 30 * S]
    events = push(watched(ON), *sorted([*spot(), *stopped, *beside], key=lambda v: v.time_ns))
    assert times(events, URGENT, 0) == [211]  # the last pulse at 21 s counts to 141 s


def test_minutes_have_full_scores_and_how_many_inputs_were_fresh():
    # The first comes 20 s after a full UTC minute; SpO2 is missing from 221 s on and too old from 340 s on.
    sent = [*spot(), *stream(1, 220, RESP_RATE=22.0)]
    sent += [v for v in stream(221, 581, RESP_RATE=22.0) if v.code != mdc.SPO2]
    found = push(watched(ON), *sent).trends

    def minutes(code):
        rows = found[found["code"] == code]
        return {int(row["minute_ns"] - syn.START_NS + 20 * S) // (60 * S): row for row in rows}

    score, inputs = minutes(mdc.NEWS2), minutes(mdc.NEWS2_INPUTS)
    assert (score[1]["mean"], score[1]["low"], score[1]["high"]) == (2, 2, 2)
    assert score[1]["n"] == inputs[1]["n"] == 18
    assert (inputs[0]["low"], inputs[1]["low"], inputs[7]["high"]) == (1, 7, 6)
    assert max(score) == 5
    assert 8 in inputs


def test_a_device_that_sends_a_score_of_its_own_is_not_heeded():
    events = push(
        watched(ON), *[at(t, code, 20.0) for t in range(200) for code in (mdc.NEWS2, mdc.NEWS2_INPUTS)]
    )
    assert len(events.trends) == len(events.conditions) == 0


# What is old.


@pytest.mark.parametrize(
    ("code", "fresh_s"),
    [(mdc.RESP_RATE, 120), (mdc.SPO2, 120), (mdc.PULSE_RATE, 120), *((code, 6 * HOUR) for code in SPOT)],
)
def test_each_input_counts_for_as_long_as_is_documented(code, fresh_s):
    for later, expected in ((fresh_s, 7), (fresh_s + 1, 6)):
        bank = watched(ON)
        first = [at(0, other, value) for other, value in CALM.items()]
        others = [at(later, other, value) for other, value in CALM.items() if other != code]
        events = push(
            bank, *first, *others, at(later + 60, mdc.RESP_RATE, 16.0), at(later + 120, mdc.RESP_RATE, 16.0)
        )
        inputs = events.trends[events.trends["code"] == mdc.NEWS2_INPUTS]
        minute = syn.START_NS + later * S
        (row,) = inputs[inputs["minute_ns"] == minute - minute % (60 * S)]
        assert row["high"] == expected


def test_what_becomes_incomplete_stays_open_until_a_full_score_is_below():
    bank = watched(ON)
    events = push(bank, *spot(), *stream(1, 200, SPO2=90.0))
    assert times(events, URGENT, 0) == [61]
    probe_off = [v for v in stream(201, 2000) if v.code != mdc.SPO2]
    told = syn.phases(push(bank, *probe_off), URGENT, 1)["time_ns"]
    assert (told.max() - syn.START_NS) / S <= 191 + 120  # nothing is said of it while it is not known
    after = push(bank, *stream(2001, 2200))
    assert times(after, URGENT, 2) == [2061]


def test_what_is_incomplete_raises_nothing_and_a_hold_begins_anew():
    low = [*spot(), *stream(1, 50, SPO2=90.0)]
    probe_off = [v for v in stream(51, 400, SPO2=90.0) if v.code != mdc.SPO2]
    bank = watched(ON)
    assert responses(push(bank, *low)) == []
    later = push(bank, *probe_off[: 3 * 2 * 2])
    assert responses(later) == [URGENT]  # while the last SpO2 counts
    bank = watched(ON)
    push(bank, *low[: 4 + 3 * 2])
    assert responses(push(bank, *[v for v in stream(200, 600) if v.code != mdc.SPO2])) == []
    assert times(push(bank, *stream(600, 700, SPO2=90.0)), URGENT, 0) == [660]


def test_a_late_spot_measurement_counts_with_the_next_number():
    bank = watched(ON)
    push(bank, *spot(), *stream(1, 900))
    late = push(bank, at(600, mdc.NIBP_SYS, 80.0))
    assert len(late.conditions[late.conditions["code"] == URGENT]) == 0
    assert times(push(bank, *stream(901, 1100)), URGENT, 0) == [961]


def test_a_clock_that_is_set_back_delays_by_the_hold_only():
    bank = watched(ON)
    push(bank, *spot(), *stream(1, 100))
    assert times(push(bank, *stream(-HOUR, -HOUR + 300, SPO2=90.0)), URGENT, 0) == [-HOUR + 60]


# Whose it is.


def open_urgent():
    bank = watched(ON, Association("P-1"))
    events = push(bank, *spot(CONSCIOUSNESS=2.0), *stream(1, 200))
    assert responses(events) == [URGENT]
    return bank


def test_measurements_of_one_patient_never_count_for_the_next():
    bank = open_urgent()
    tell(bank, Association("P-2"))
    events = push(bank, *stream(201, 400))
    assert times(events, URGENT, 2) == [201]
    assert np.isnan(syn.phases(events, URGENT, 2)["evidence"]).all()
    assert responses(events) == []
    own = push(bank, *spot(401), *stream(402, 600))
    assert responses(own) == []
    assert max(row["high"] for row in own.trends if row["code"] == mdc.NEWS2_INPUTS) == 7


def test_who_is_told_to_wear_it_again_is_the_same():
    bank = open_urgent()
    tell(bank, Association("P-1"))
    events = push(bank, *stream(201, 400))
    assert times(events, URGENT, 2) == []


def test_it_ends_when_it_is_switched_off_and_with_the_category():
    for change in (ADULT, Settings(Category.PAEDIATRIC, paced=False, news2=News2.SCALE_1)):
        bank = open_urgent()
        tell(bank, change)
        assert times(push(bank, *stream(201, 400)), URGENT, 2) == [201]


def test_a_new_session_ends_it_and_the_spot_measurements_still_count():
    bank = open_urgent()
    sent = [Vital("d", 2, v.time_ns, v.code, v.value) for v in stream(201, 400)]
    events = push(bank, *sent)
    assert times(events, URGENT, 2) == [201]
    assert times(events, URGENT, 0) == [261]


def test_settings_outlive_forgetting():
    bank = watched(Settings(Category.ADULT, paced=False, news2=News2.SCALE_2))
    bank.forget(0)
    assert bank.settings(0).news2 is News2.SCALE_2
    assert responses(push(bank, *spot(), *stream(1, 300, SPO2=89.0))) == []
