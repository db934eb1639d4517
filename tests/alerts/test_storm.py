"""A power cut: many technical conditions of one site are one page, and no patient's is in it."""

from __future__ import annotations

import pytest

from alerts.pipeline import Pipeline, Rules
from alerts.place import Place
from alerts.state import Event, State
from alerts.storm import AGAIN_S, LEAST
from schemas.records import Acknowledgement, Alert, AlertState, Phase
from tests.alerts.test_calls import duty
from tests.alerts.timeline import LATE_S, SECOND, SESSION, condition

ONSET, UPDATE, END = Phase
SITE = "henan.zhengzhou.h1"


class Site:
    """Devices of one site, at seconds of the devices' and of the pager's clock."""

    def __init__(self, state: State | None = None) -> None:
        self.pipeline = Pipeline(state or State(), Rules(LATE_S, duty, lambda device: Place(SITE)))
        self.said: list[Alert] = []
        self.offset = 0

    def at(self, t_s: float, *phases: tuple[str, Phase, str, float]) -> None:
        events = []
        for device, phase, code, onset_s in phases:
            self.offset += 1
            record = condition(t_s, phase, code, onset_s, device=device, source=self.offset)
            events.append(Event(record, 0, self.offset))
        self.said += self.pipeline.run(events, SESSION + round(t_s * SECOND))

    def wait(self, t_s: float) -> None:
        self.at(t_s)

    def calls(self, code: str = "LINK_LOST") -> list[tuple[str, int, float]]:
        """Of a condition: which device called, for how many others, and when, s."""
        return [
            (alert.device, alert.others, round((turn.at_ns - SESSION) / SECOND, 2))
            for alert in self.pipeline.state.alerts.values()
            for turn in alert.history
            if alert.condition == code and turn.what == "CALLED"
        ]


def lost(n: int, at_s: float = 0.0, first: int = 0) -> list[tuple[str, Phase, str, float]]:
    return [(f"d-{first + i:04}", ONSET, "LINK_LOST", at_s + i / 1000) for i in range(n)]


def test_a_thousand_lost_links_in_ten_seconds_are_one_page_and_three_arrests_page_alone_at_once() -> None:
    site = Site()
    for second in range(10):
        site.at(second + 1.0, *lost(100, float(second), 100 * second))
        if second in (0, 4, 9):
            arrest = (f"d-{100 * second:04}", ONSET, "VENTRICULAR_FIBRILLATION", float(second))
            site.at(second + 1.2, arrest)
    for quarter in range(60):
        site.wait(11 + quarter / 4)
    assert site.calls() == [("d-0000", 399, 4.0)]  # as many as there are by then
    assert [at for _, _, at in site.calls("VENTRICULAR_FIBRILLATION")] == [1.2, 5.2, 10.2]
    listed = [a for a in site.pipeline.state.alerts.values() if a.condition == "LINK_LOST"]
    assert len(listed) == 1000
    assert all(alert.state is AlertState.ACTIVE for alert in listed)


def test_a_device_whose_clock_is_wrong_keeps_no_others_from_their_storm() -> None:
    site = Site()
    wrong = ("a-clock", ONSET, "LINK_LOST", -100.0)
    site.at(1, wrong, *lost(2 * LEAST))
    site.wait(4)
    assert sorted(site.calls()) == [("a-clock", 0, 4.0), ("d-0000", 2 * LEAST - 1, 4.0)]


def test_fewer_than_a_storm_call_each_by_itself_within_three_seconds() -> None:
    site = Site()
    site.at(1, *lost(LEAST - 1))
    site.wait(3.9)
    assert sorted(site.calls()) == [(f"d-{i:04}", 0, 3.9) for i in range(LEAST - 1)]


def test_what_is_over_before_the_wait_is_has_called_all_the_same() -> None:
    site = Site()
    site.at(1, *lost(1))
    site.at(2, ("d-0000", END, "LINK_LOST", 0.0))
    site.wait(3.6)
    assert site.calls() == [("d-0000", 0, 3.6)]


@pytest.mark.parametrize("code", ["ALL_LEADS_OFF", "ECG_NOISY"])
def test_another_condition_is_another_group(code: str) -> None:
    site = Site()
    site.at(1, *lost(LEAST), *[(f"e-{i}", ONSET, code, 0.0) for i in range(LEAST)])
    site.wait(4)
    assert [(others, at) for _, others, at in site.calls()] == [(LEAST - 1, 4.0)]
    assert [(others, at) for _, others, at in site.calls(code)] == [(LEAST - 1, 4.0)]


def test_what_lasts_when_the_one_that_called_for_it_is_over_calls_again_a_minute_later() -> None:
    site = Site()
    site.at(1, *lost(2 * LEAST))
    site.wait(4)
    site.at(10, ("d-0000", END, "LINK_LOST", 0.0))
    site.wait(10 + AGAIN_S - 1)
    assert len(site.calls()) == 1
    site.wait(10 + AGAIN_S + 4)
    assert [(device, others) for device, others, _ in site.calls()] == [
        ("d-0000", 2 * LEAST - 1),
        ("d-0001", 2 * LEAST - 2),
    ]


def test_who_takes_the_page_on_has_taken_on_all() -> None:
    site = Site()
    site.at(1, *lost(LEAST))
    site.wait(4)
    (leader,) = (alert for alert in site.pipeline.state.alerts.values() if alert.others)
    site.pipeline.hear([Acknowledgement("a", leader.id, "li", "power cut", 0)], SESSION + 5 * SECOND)
    site.wait(20)
    site.at(30, ("d-0000", END, "LINK_LOST", 0.0))
    site.wait(5000)
    assert len(site.calls()) == 1


def test_a_crash_between_the_one_that_calls_and_the_others_leaves_nobody_out() -> None:
    site = Site()
    site.at(1, *lost(LEAST + 3))
    site.wait(1.2)
    grouped = [i for i, alert in enumerate(site.said) if alert.grouped]
    for cut in (grouped[0], grouped[2], grouped[-1]):
        after = Site(State.of(site.said[:cut]))
        after.wait(4)
        after.wait(5)
        assert [device for device, _, _ in after.calls()] == ["d-0000"]


def test_what_comes_back_while_the_first_still_waits_is_one_page() -> None:
    """As when the log is being caught up: onset, end and the next onset come at once."""
    site = Site()
    site.at(
        60,
        ("d-0000", ONSET, "LINK_LOST", 10.0),
        ("d-0000", END, "LINK_LOST", 10.0),
        ("d-0000", ONSET, "LINK_LOST", 40.0),
    )
    for second in range(61, 70):
        site.wait(second)
    assert [device for device, _, _ in site.calls()] == ["d-0000"]
    newest = max(site.pipeline.state.alerts.values(), key=lambda alert: alert.onset_ns)
    site.wait(63 + 61)
    assert (newest.joined != "", len(site.calls())) == (True, 2)  # nobody has answered: the back-up
