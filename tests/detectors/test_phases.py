"""When conditions begin and end, by the rules alone: as Python runs them."""

from types import SimpleNamespace

import numpy as np
import pytest

from detectors import output, phases
from detectors.output import END, ONSET

CODE, RATE = 3, 8.0  # a sample a tick


@pytest.fixture
def follow(monkeypatch):
    """Follow a condition tick by tick; returns its phases, each with the onset that is stated."""
    for name in ("now_of", "_open", "_close", "_decide"):
        monkeypatch.setattr(phases, name, getattr(phases, name).py_func)
    for name in ("outer", "time_of"):
        monkeypatch.setattr(phases, name, getattr(output, name).py_func)

    def play(begins, ends, onset):
        d = SimpleNamespace(
            **{k: np.zeros(64, np.int64) for k in ("open", "held", "since", "onset", "onset_ns", "told")}
        )
        s = SimpleNamespace(
            origin=0, rate_hz=RATE, internal_hz=RATE, ratio=1.0, anchor_ns=0, anchor=0, decided=0
        )
        s.decided_code, s.decided_phase = np.zeros(64, np.int64), np.zeros(64, np.int64)
        told = []
        for tick, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            s.block, s.decided = tick, 0
            phases.follow.py_func(d, s, CODE, begin, end, 0.0, 1.0, onset)
            told += [(int(phase), int(d.onset[CODE]), tick) for phase in s.decided_phase[: s.decided]]
        return [one for one in told if one[0] in (ONSET, END)]

    return play


def test_what_begins_anew_begins_behind_its_last_end_however_far_back_its_reason_reaches(follow):
    begins = [True] * 20 + [False] * 20 + [True] * 20
    first, over, second = follow(begins, [not one for one in begins], onset=2.0)
    assert (first[:2], over[0], second[0]) == ((ONSET, 2), END, ONSET)
    assert over[2] <= second[1] <= second[2]
