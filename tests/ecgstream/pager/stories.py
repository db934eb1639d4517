"""Conditions that pagers answer in the tests, and what they have made of them."""

from __future__ import annotations

from alerts.notify import NotifyError, Reason
from schemas.records import Acknowledgement, AlertState, Condition, Phase
from tests.alerts.timeline import SESSION, condition, id_of
from tests.ecgstream.pager.fake_kafka import SECOND, World

ONSET, UPDATE, END = Phase
AWAY = NotifyError(Reason.UNREACHABLE, retryable=True)


def world(now_s: float, *conditions: Condition) -> World:
    made = World(SESSION + round(now_s * SECOND))
    for one in conditions:
        made.condition(one)
    return made


def states(found: World) -> dict[str, AlertState]:
    return {f"{a.condition} {a.device}": a.state for a in found.alerts().values()}


def acknowledgement(code: str = "ASYSTOLE", by: str = "li") -> Acknowledgement:
    return Acknowledgement(f"ack-{by}", id_of(code), by, "seen", 0)


STORY = [
    condition(4, ONSET, source=1),
    condition(6, ONSET, "SPO2_LOW", 5, source=2),
    condition(9, END, source=3),
    condition(10, ONSET, "LEAD_OFF", 8, source=4),
    condition(11, END, "SPO2_LOW", 5, source=5),
]


def story() -> World:
    found = world(12, *STORY)
    found.answers = [AWAY]
    return found
