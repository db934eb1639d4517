"""What the worker does between Faust's events: rebalances in mid-loop, and a process that was frozen."""

import asyncio
from collections import deque
from typing import Any
from unittest.mock import MagicMock, PropertyMock

import pytest

from ecgstream.settings import Settings
from ecgstream.worker import stream
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, Saved


def partition(number: int, generation: int = 1) -> Live:
    return Live(number, generation, Saved(), Keys(Saved()), lost_link_s=10.0, clock_rate=1.0)


def test_a_rebalance_in_mid_loop_leaves_the_new_owners_records_alone() -> None:
    async def run() -> None:
        app = MagicMock()
        type(app).should_stop = PropertyMock(side_effect=[False, True])
        worker = stream.Worker(app, Settings(session_timeout_s=6.0))
        first, revoked, successor = partition(0), partition(1), partition(1, generation=2)
        worker._partitions = {0: first, 1: revoked}
        record: Any = MagicMock(generation_id=2, offset=0)

        async def rebalance(sent: Live) -> None:
            if sent is not first:
                return
            worker._partitions = {1: successor}
            worker._queue = {1: deque([record])}
            worker._queued_bytes = 1

        worker._checkpoints = MagicMock(send=rebalance)
        worker._arrived.set()
        await worker._pump()
        assert worker._queue == {1: deque([record])}

    asyncio.run(run())


def test_after_a_freeze_silence_counts_only_once_the_log_is_known_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(stream.time, "monotonic", lambda: now[0])
    app = MagicMock()
    app.consumer.highwater.return_value = 0
    app.consumer.answered_ms.return_value = 1
    worker = stream.Worker(app, Settings(session_timeout_s=6.0))
    told = MagicMock(number=0, next_offset=0)

    def loop() -> int:
        told.idle.reset_mock()
        worker._notice_a_freeze()
        worker._idle(told)
        return int(told.idle.call_count)

    assert loop() == 1
    now[0] += stream.FROZEN_S + 15.0
    assert loop() == 0
    now[0] += 3.0
    assert loop() == 0
    now[0] += 3.1
    assert loop() == 1
    app.consumer.highwater.return_value = 5
    assert loop() == 0


def test_silence_counts_up_to_the_brokers_last_answer() -> None:
    app = MagicMock()
    app.consumer.highwater.return_value = 7
    worker = stream.Worker(app, Settings())
    told = MagicMock(number=0, next_offset=7)

    app.consumer.answered_ms.return_value = None  # nothing is known of the log yet
    worker._idle(told)
    told.idle.assert_not_called()
    app.consumer.answered_ms.return_value = 1_700_000_000_000
    worker._idle(told)
    told.idle.assert_called_once_with(1_700_000_000_000)


def test_silence_does_not_count_for_records_that_come_while_the_end_is_asked_for() -> None:
    app = MagicMock()
    heard = iter([(1_000, 7), (2_000, 9)])
    end = [7]

    def answered_ms(_tp: Any) -> int:
        at, end[0] = next(heard)
        return at

    app.consumer.answered_ms.side_effect = answered_ms
    app.consumer.highwater.side_effect = lambda _tp: end[0]
    worker = stream.Worker(app, Settings())
    told = MagicMock(number=0, next_offset=7)
    worker._idle(told)
    worker._idle(told)
    told.idle.assert_called_once_with(1_000)
