"""The National Early Warning Score 2: points as on the chart of the Royal College of Physicians (2017)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from detectors import news2

CALM = (16.0, 97.0, 0.0, 120.0, 70.0, 0.0, 37.0)
"""Respiration rate, SpO2, oxygen, systolic pressure, pulse, consciousness, temperature: no points."""
RESPIRATION, SPO2, OXYGEN, SYSTOLIC, PULSE, CONSCIOUSNESS, TEMPERATURE = range(7)


@njit
def _score(value, scale_2, points):
    return news2.score(value, scale_2, points)


def score(value, *, scale_2=False):
    points = np.full(7, np.nan)
    total = _score(np.array(value, np.float64), scale_2, points)
    assert total == points.sum()
    return total, points.tolist()


def points_of(part, value, *, scale_2=False, oxygen=0.0):
    told = [*CALM[:OXYGEN], oxygen, *CALM[OXYGEN + 1 :]]
    if scale_2:
        told[SPO2] = 90.0
    told[part] = value
    return score(told, scale_2=scale_2)[1][part]


# Each band of the chart by both of its edges, and the number next to it on either side.
CHART = {
    RESPIRATION: {3: (0, 8), 1: (9, 11), 0: (12, 20), 2: (21, 24), -3: (25, 60)},
    SPO2: {3: (0, 91), 2: (92, 93), 1: (94, 95), 0: (96, 100)},
    SYSTOLIC: {3: (0, 90), 2: (91, 100), 1: (101, 110), 0: (111, 219), -3: (220, 300)},
    PULSE: {3: (0, 40), 1: (41, 50), 0: (51, 90), -1: (91, 110), 2: (111, 130), -3: (131, 250)},
    CONSCIOUSNESS: {0: (0, 0), 3: (1, 4)},
    TEMPERATURE: {3: (25.0, 35.0), 1: (35.1, 36.0), 0: (36.1, 38.0), -1: (38.1, 39.0), 2: (39.1, 45.0)},
    OXYGEN: {0: (0, 0), 2: (1, 1)},
}
"""Points below 0: the same points on the upper side."""


@pytest.mark.parametrize("part", CHART)
def test_each_band_of_the_chart_by_its_edges(part):
    for points, edges in CHART[part].items():
        assert [points_of(part, edge) for edge in edges] == [abs(points)] * 2


SCALE_2 = [
    (83, 3, 3), (84, 2, 2), (85, 2, 2), (86, 1, 1), (87, 1, 1), (88, 0, 0), (92, 0, 0),
    (93, 0, 1), (94, 0, 1), (95, 0, 2), (96, 0, 2), (97, 0, 3), (100, 0, 3),
]  # fmt: skip


@pytest.mark.parametrize(("spo2", "on_air", "on_oxygen"), SCALE_2)
def test_scale_2_asks_for_88_to_92_on_oxygen_and_for_no_less_on_air(spo2, on_air, on_oxygen):
    assert points_of(SPO2, spo2, scale_2=True) == on_air
    assert points_of(SPO2, spo2, scale_2=True, oxygen=1.0) == on_oxygen


WORKED = {
    "nothing": (CALM, False, 0),
    "oxygen alone": ((16, 97, 1, 120, 70, 0, 37), False, 2),
    "pneumonia": ((22, 93, 0, 104, 112, 0, 38.6), False, 8),  # 2 2 0 1 2 0 1
    "hypercapnia on scale 1": ((22, 90, 1, 130, 95, 0, 37), False, 8),  # 2 3 2 0 1 0 0
    "hypercapnia on scale 2": ((22, 90, 1, 130, 95, 0, 37), True, 5),  # 2 0 2 0 1 0 0
    "too much oxygen on scale 2": ((12, 98, 1, 130, 60, 0, 37), True, 5),  # 0 3 2 0 0 0 0
    "new confusion alone": ((16, 97, 0, 120, 70, 1, 37), False, 3),
    "all that there is": ((30, 80, 1, 80, 140, 4, 34), False, 20),
}


@pytest.mark.parametrize(("value", "scale_2", "expected"), WORKED.values(), ids=WORKED.keys())
def test_scores_worked_by_hand(value, scale_2, expected):
    assert score(value, scale_2=scale_2)[0] == expected


@pytest.mark.parametrize(
    ("part", "value", "points"),
    [
        (RESPIRATION, 8.4, 3),
        (RESPIRATION, 8.5, 1),
        (SPO2, 95.4, 1),
        (SPO2, 95.5, 0),
        (SYSTOLIC, 90.4, 3),
        (PULSE, 130.6, 3),
        (TEMPERATURE, 35.04, 3),
        (TEMPERATURE, 35.06, 1),
        (TEMPERATURE, float(np.float32(38.1)), 1),
        (TEMPERATURE, 39.04, 1),
    ],
)
def test_numbers_are_rounded_as_the_chart_writes_them(part, value, points):
    assert points_of(part, value) == points


anything = st.tuples(
    st.floats(0, 80), st.floats(50, 100), st.sampled_from([0.0, 1.0, 4.0]), st.floats(30, 280),
    st.floats(0, 250), st.integers(0, 4).map(float), st.floats(25, 44),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(anything, st.booleans())
def test_a_score_is_0_to_20_and_a_part_0_to_3(value, scale_2):
    total, points = score(value, scale_2=scale_2)
    assert 0 <= total <= 20
    assert all(p in (0, 1, 2, 3) for p in points)
    assert points[OXYGEN] in (0, 2)


@settings(max_examples=300, deadline=None)
@given(anything, st.floats(0, 100))
def test_a_patient_who_is_worse_has_no_fewer_points(value, by):
    total = score(value)[0]

    def changed(part, to):
        return score([*value[:part], to, *value[part + 1 :]])[0]

    assert changed(SPO2, max(0.0, value[SPO2] - by)) >= total
    assert changed(CONSCIOUSNESS, 4.0) >= total
    assert changed(OXYGEN, 1.0) >= total
    for part, middle in ((RESPIRATION, 16), (SYSTOLIC, 120), (PULSE, 70), (TEMPERATURE, 37.0)):
        away = value[part] + by if value[part] >= middle else value[part] - by
        assert changed(part, away) >= total
