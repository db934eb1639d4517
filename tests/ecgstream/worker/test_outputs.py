"""From what the bank found to the records that travel."""

from __future__ import annotations

import json

import numpy as np

from detectors.bank import Bank
from ecgstream.worker import outputs
from schemas.conditions import Code
from schemas.records import Category, Control, Lane, News2, Settings
from tests.detectors import synthetic as syn
from tests.detectors.signs import spot, stream

SOURCE = outputs.Source(Lane.LIVE, 0, 1, np.array([7]), np.array([8]))
WATCHED = Settings(Category.ADULT, paced=True, news2=News2.SCALE_2)


def test_a_segment_says_how_the_patient_was_watched_and_a_score_what_it_is_made_of() -> None:
    bank = Bank()
    bank.control(Control("c", "d", 0, 0, 0, "ward", WATCHED))
    made = syn.packets(syn.counts(syn.ecg(70, 2, 250)), 250)
    events = bank.push(syn.bundle(made, [*spot(CONSCIOUSNESS=3.0), *stream(1, 100, SPO2=90.0)]))
    (segment,) = outputs.segments_of(events, ["d"], SOURCE)
    told = json.loads(segment.settings)
    assert (told["category"], told["paced"], told["news2"]) == ("ADULT", True, "SCALE_2")
    first = next(iter(outputs.conditions_of(events, ["d"], SOURCE)))
    assert first.code == Code.NEWS2_URGENT.name
    assert first.evidence == {
        "score": 3, "respiration_points": 0, "spo2_points": 0, "oxygen_points": 0, "systolic_points": 0,
        "pulse_points": 0, "consciousness_points": 3, "temperature_points": 0,
    }  # fmt: skip
