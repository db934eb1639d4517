"""Nothing grows for ever: what is over is forgotten, and not told again."""

from __future__ import annotations

from alerts.told import KEPT_S
from ecgstream.pager.partition import FORGOTTEN_A_STEP
from schemas.records import AlertState, Phase
from tests.alerts.timeline import condition
from tests.ecgstream.pager.fake_kafka import SECOND, Process, World, live_through
from tests.ecgstream.pager.stories import STORY, acknowledgement, states, world

END = Phase.END
ACTIVE, LATCHED, ENDED, *_ = AlertState


def later(found: World, seconds: float) -> None:
    found.now_ns += round(seconds * SECOND)


def test_what_is_over_is_forgotten_on_both_topics_and_stays_forgotten() -> None:
    found = world(12, *STORY)
    found.acknowledgement(acknowledgement())
    process = Process(found, batch=9)
    process.settle()
    assert sum(state is ENDED for state in states(found).values()) == 2
    for _ in range(3):
        later(found, KEPT_S + 1)
        process.settle()
    assert states(found) == {"LEAD_OFF dev-1": ACTIVE}
    assert found.notifications() == {}
    pages = len(found.received)
    for one in STORY[:3]:  # a worker without snapshots finds them again
        found.condition(one)
    for again in (process, Process(found)):
        again.settle()
    assert states(found) == {"LEAD_OFF dev-1": ACTIVE}
    assert len(found.received) == pages


def test_what_is_over_is_kept_for_an_hour_at_least() -> None:
    found = world(12, *STORY)
    process = Process(found, batch=9)
    process.settle()
    later(found, KEPT_S)
    process.settle()
    later(found, KEPT_S / 2)
    found.condition(condition(KEPT_S * 1.5, END, "LEAD_OFF", device="dev-9", source=9))
    process.settle()
    later(found, KEPT_S / 2)
    process.settle()
    assert "SPO2_LOW dev-1" not in states(found)
    assert states(found)["LEAD_OFF dev-9"] is ENDED
    later(found, KEPT_S)
    process.settle()
    assert "LEAD_OFF dev-9" not in states(found)


def test_a_power_cut_while_forgetting_leaves_nothing_behind_for_ever() -> None:
    for cut in range(40):
        found = world(12, *STORY)
        found.acknowledgement(acknowledgement())
        live_through(found, batch=9)
        found.cuts = {len(found.acts) + cut: True}
        for _ in range(5):
            later(found, KEPT_S + 1)
            live_through(found, batch=9)
        assert states(found) == {"LEAD_OFF dev-1": ACTIVE}
        assert found.notifications() == {}
        for one in STORY[:3]:
            found.condition(one)
        live_through(found, batch=9)
        assert len(found.told()) == 2


def test_what_is_open_or_still_to_be_told_is_not_forgotten() -> None:
    found = world(12, *STORY)
    process = Process(found, room=0)
    for _ in range(4):
        process.settle()
        later(found, KEPT_S + 1)
    assert states(found) == {
        "ASYSTOLE dev-1": LATCHED,
        "SPO2_LOW dev-1": ENDED,
        "LEAD_OFF dev-1": ACTIVE,
    }
    process.sender.limit = 16
    process.settle()
    assert len(found.told()) == 2


def test_no_step_forgets_more_than_it_has_time_for() -> None:
    n = FORGOTTEN_A_STEP + 10
    conditions = [condition(4, END, "LEAD_OFF", device=f"dev-{i}", source=i) for i in range(n)]
    found = world(4, *conditions)
    process = Process(found, batch=n)
    process.settle(1)
    later(found, KEPT_S + 1)
    process.pager.step()  # from now on it is known how far they reach
    later(found, KEPT_S + 1)
    before = len(found.acts)
    process.pager.step()
    assert found.acts[before:].count("forget") == FORGOTTEN_A_STEP
    process.pager.step()
    assert found.alerts() == {}
