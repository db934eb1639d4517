"""Whoever keeps the newest record of an alert keeps the last: no two are stamped alike, by whatever clock."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Act, Phase
from tests.alerts.timeline import Timeline

ONSET, UPDATE, END = Phase
CODES = (
    "VENTRICULAR_FIBRILLATION",
    "VENTRICULAR_TACHYCARDIA",
    "HEART_RATE_HIGH",
    "VENTRICULAR_COUPLET",
    "SPO2_LOW",
)


@given(
    st.lists(
        st.tuples(st.sampled_from((*Phase, *Act)), st.sampled_from(CODES), st.integers(-30, 40)), max_size=25
    )
)
def test_each_change_is_stamped_later_than_the_one_before(made: list[tuple[Phase | Act, str, int]]) -> None:
    t = Timeline()
    at_s, now_s = 10, 100
    for act, code, passes_s in made:
        at_s, now_s = at_s + 1, max(0, now_s + passes_s)
        if isinstance(act, Phase):
            t.at(at_s, act, code, 5.0, now_s=now_s, sent_s=now_s)
        elif act is not Act.TEST:
            t.acknowledge(now_s, "li", code=code, onset_s=5.0, act=act, silent_s=20.0)
        t.wait(now_s)
    stamps: dict[str, list[int]] = {}
    for alert in t.said:
        stamps.setdefault(alert.id, []).append(alert.updated_ns)
    for found in stamps.values():
        assert all(one < other for one, other in pairwise(found))


def test_what_ended_while_it_was_inhibited_says_by_what_for_good() -> None:
    t = Timeline()
    t.at(5, ONSET, "VENTRICULAR_FIBRILLATION")
    t.at(8, ONSET, "HEART_RATE_HIGH", 6)
    t.at(30, END, "HEART_RATE_HIGH", 6)
    t.at(30, END, "VENTRICULAR_FIBRILLATION")
    t.wait(40)
    assert t.alert("HEART_RATE_HIGH", 6).inhibited_by == t.alert("VENTRICULAR_FIBRILLATION").id
    assert [turn.what for turn in t.alert("HEART_RATE_HIGH", 6).history] == ["ACTIVE", "INHIBITED", "ENDED"]
