"""Alerts that appear, vanish or move."""

from __future__ import annotations

from typing import Any

from ecgstream.replay.turns import APPEARS, MOVES, VANISHES, turns

S = 10**9


def alert(condition: str, onset_s: float, decided_s: float) -> dict[str, Any]:
    return {"condition": condition, "onset_ns": int(onset_s * S), "decided_ns": int(decided_s * S)}


def test_what_is_decided_at_the_same_time_stays() -> None:
    same = {("a",): alert("AFIB", 10, 40)}
    assert turns(same, same) == []


def test_an_alert_of_the_same_id_moves() -> None:
    (one,) = turns({("a",): alert("AFIB", 10, 40)}, {("a",): alert("AFIB", 10, 38)})
    assert (one.what, one.later_s) == (MOVES, -2.0)


def test_the_nearest_of_the_same_condition_has_moved_and_others_come_and_go() -> None:
    then = {
        ("a",): alert("ASYSTOLE", 100, 104),
        ("b",): alert("ASYSTOLE", 200, 204),
        ("c",): alert("VF", 300, 305),
    }
    now = {
        ("d",): alert("ASYSTOLE", 103, 106),
        ("e",): alert("ASYSTOLE", 110, 114),
        ("f",): alert("VFL", 300, 305),
    }
    found = [(t.what, t.alert["condition"], t.alert["onset_ns"] // S, t.later_s) for t in turns(then, now)]
    assert found == [
        (MOVES, "ASYSTOLE", 103, 2.0),
        (APPEARS, "ASYSTOLE", 110, 0.0),
        (VANISHES, "ASYSTOLE", 200, 0.0),
        (VANISHES, "VF", 300, 0.0),
        (APPEARS, "VFL", 300, 0.0),
    ]
