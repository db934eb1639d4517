"""A channel's budget outlives the pager that spent it."""

from __future__ import annotations

import pytest

from alerts.channels.budget import PER_MINUTE
from schemas.records import Phase
from tests.alerts.timeline import condition
from tests.ecgstream.pager.fake_kafka import SECOND, Process, World
from tests.ecgstream.pager.stories import world

ONSET = Phase.ONSET
DINGTALK = PER_MINUTE["dingtalk"]


def in_any_minute(found: World) -> int:
    """How many pages were taken in the minute in which most were."""
    return max(sum(at - 60 * SECOND < other <= at for other in found.received_ns) for at in found.received_ns)


@pytest.mark.parametrize("lives_s", [7, 20, 59])
def test_a_pager_that_starts_again_has_no_second_budget(lives_s: int) -> None:
    found = world(4, *(condition(4, ONSET, device=f"dev-{n}") for n in range(3 * DINGTALK)))
    for _ in range(240 // lives_s):
        process = Process(found, batch=9, per_minute=DINGTALK)
        process.settle(lives_s)
        process.pager._finish()
    assert len(found.told()) == len(found.received) == 3 * DINGTALK
    assert in_any_minute(found) == DINGTALK


def test_a_pager_that_reads_its_own_log_again_counts_nothing_twice() -> None:
    found = world(4, *(condition(4, ONSET, device=f"dev-{n}") for n in range(DINGTALK - 1)))
    process = Process(found, batch=9, per_minute=DINGTALK)
    process.settle(5)
    process.pager._partitions.clear()  # as after a failure to write
    found.condition(condition(9, ONSET, device="dev-99"))
    process.settle(5)
    assert len(found.received) == DINGTALK
