"""The contract of ST by lead: any chunking and any restore give the same minutes, and both lanes make one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.bank import Bank
from schemas import mdc
from tests.detectors import synthetic as syn
from tests.detectors.test_st_trends import found, packets

FS = 250
SECONDS = 200


def made(cuts):
    return packets((0.1, -0.2), SECONDS, FS, cuts=cuts)


@pytest.fixture(scope="module")
def by_seconds():
    return made(range(0, SECONDS * FS, FS))


@pytest.fixture(scope="module")
def whole(by_seconds):
    bank, events = syn.run(by_seconds)
    assert len(events.trends[np.isin(events.trends["code"], list(mdc.ST_LEADS.values()))]) == 6
    return events, bank.snapshot(0)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, SECONDS * FS - 1), max_size=30), st.sampled_from([1, 3, 10**6]))
def test_minutes_do_not_depend_on_chunking(whole, cuts, together):
    bank, events = syn.run(made([*cuts, *range(0, SECONDS * FS, 5 * FS)]), together=together)
    assert syn.same(whole[0], events)
    assert bank.snapshot(0) == whole[1]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, SECONDS))
def test_minutes_go_on_where_a_snapshot_is_restored(whole, by_seconds, at):
    events, snapshot = syn.restored(by_seconds, at)
    assert syn.same(whole[0], events)
    assert snapshot == whole[1]


def test_packets_that_come_twice_count_once(whole, by_seconds):
    _, events = syn.run([packet for packet in by_seconds for _ in range(2)])
    assert syn.same(whole[0], events)


def test_minutes_of_both_lanes_make_the_minute(by_seconds):
    def values(*parts):
        total: dict[tuple[str, int], int] = {}
        for events in parts:
            for lead, rows in found(events).items():
                for row in rows:
                    key = lead, int(row["minute_ns"])
                    total[key] = total.get(key, 0) + int(row["n"])
        return total

    whole_bank, whole = syn.run(by_seconds)
    live_bank, live = syn.run(by_seconds[:20] + by_seconds[110:])
    second = Bank()
    row = second.resume("d", live.gaps["state"][0])
    _, filled = syn.run(by_seconds[20:110], second)
    undisturbed = values(whole, whole_bank.stop(np.array([0])))
    both = values(live, filled, second.stop(np.array([row])), live_bank.stop(np.array([0])))
    assert both.keys() == undisturbed.keys()
    # Behind the gap the live lane has begun anew: its ten seconds lie elsewhere.
    assert all(abs(both[key] - n) <= 2 for key, n in undisturbed.items())
