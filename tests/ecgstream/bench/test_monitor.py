"""The monitor's bench: screens see what the wall sends, and the socket's figures are of the same bytes."""

from __future__ import annotations

import time

import pytest

from ecgstream.bench import monitor
from ecgstream.bench.screens import Seen
from ecgstream.monitor.live import frames
from ecgstream.settings import Settings


def test_a_screen_counts_each_alarm_once_from_when_it_was_published() -> None:
    seen, known = Seen(), set[str]()
    since = time.time() * 1000 - 500
    alarms = {"n": 1, "alarms": [{"id": "a", "since": since}]}
    message = (
        frames.of_state(0.0, is_current=True, is_away=False)
        + frames.of_told(frames.Kind.ALARMS, alarms)
        + frames.of_signal(frames.Signal(1, 1, 0.0, []))
        + frames.of_lost(3)
    )
    for _ in range(2):
        seen.take(message, known)
    assert (seen.bytes, seen.signals, seen.lost) == (2 * len(message), 2, 6)
    (latency_ms,) = seen.latencies_ms
    assert 500 <= latency_ms < 60_000


def test_the_socket_beside_an_echo_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, small in {"FLOOD_S": 2.0, "TURNS": 1, "MOST_SECTORS": 2}.items():
        monkeypatch.setattr(monitor, name, small)
    found = monitor.throughput(Settings())
    assert found["made_mb_s"] > 0
    assert found["ratio"] == pytest.approx(found["wall_mb_s"] / found["echo_mb_s"], abs=0.1)
    bars = monitor.bars(found | {"ratio": 0.2, "p99_s": 0.5, "frames_a_second": 29.0})
    assert [met for *_, met in bars] == [False, True, False]
