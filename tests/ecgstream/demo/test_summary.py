"""What the demo counts, and what it says."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ecgstream.demo.show import show
from ecgstream.demo.summary import AlertLine, Match, Packets, Summary, count_packets, match
from ecgstream.store.read import PacketCount

samples = st.lists(st.integers(0, 2000), unique=True, max_size=30).map(sorted)


@given(samples, samples, st.integers(0, 60))
def test_every_beat_is_matched_at_most_once(beats: list[int], annotations: list[int], within: int) -> None:
    matched, missed, extra = match(np.array(beats, np.int64), np.array(annotations, np.int64), within)
    assert matched + missed == len(annotations)
    assert matched + extra == len(beats)
    assert match(np.array(beats), np.array(beats), within) == (len(beats), 0, 0)


@given(samples, samples, st.integers(0, 60))
def test_no_pairing_matches_more(beats: list[int], annotations: list[int], within: int) -> None:
    """Each beat taking its earliest free annotation is a greatest pairing: windows are equally wide."""
    free = list(annotations)
    greatest = 0
    for beat in beats:
        for annotation in free:
            if abs(beat - annotation) <= within:
                free.remove(annotation)
                greatest += 1
                break
    assert match(np.array(beats, np.int64), np.array(annotations, np.int64), within)[0] >= greatest


def test_a_session_that_is_not_stored_at_all_is_lost() -> None:
    sent = [{"device": "a", "session": s, "packets": 10} for s in (1, 2)]
    stored = [PacketCount("a", 1, 10, 0)]
    assert count_packets(sent, stored) == Packets(20, 10, 10, 0)


def summary(alerts: list[AlertLine], packets: Packets) -> Summary:
    expected = [{"device": "sim-02", "trouble": "asystole", "codes": ["ASYSTOLE"], "onset_s": 120.0}]
    return Summary(
        {"sim-02": "SIMULATED: 2 leads"}, 300, 10.0, "b", "d", packets, {"sim-02": {"N": 3}},
        Match("sleepecg", 1, 2, 3), alerts, 4, 5, 60.0, expected,
    )  # fmt: skip


def shown(found: Summary) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=140))
    return out.getvalue()


def test_a_missing_alert_and_a_lost_packet_are_said() -> None:
    found = summary([], Packets(10, 9, 1, 0))
    assert found.missing() == ["sim-02: asystole"]
    assert "1 lost" in shown(found)
    assert "MISSING: sim-02: asystole" in shown(found)


def test_a_whole_run_says_so_and_shows_priority_by_more_than_colour() -> None:
    found = summary([AlertLine("sim-02", "ASYSTOLE", "HIGH", 120.0, 4.1, 0.2)], Packets(10, 10, 0, 0))
    assert found.missing() == []
    text = shown(found)
    assert "every scripted trouble has its alert" in text
    assert "!!! high" in text
    assert "SIMULATED" in text
