"""What a poll brought reaches Faust as a message a partition, and as none once it is another's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from faust.types import TP, ConsumerMessage

from ecgstream.worker.transport import Transport

ONE, OTHER = TP("ecg.ingest", 0), TP("ecg.ingest", 1)
GENERATION = 4


def record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=1000 + offset, timestamp_type=0, value=b"%d" % offset)


def polled(
    brought: Mapping[TP, Sequence[Any]] | None, meanwhile: Callable[[Any], None] = lambda _: None
) -> tuple[list[ConsumerMessage], int]:
    """Return the messages of a poll, and how often the consumer went back; ``meanwhile``: after each."""

    seeks = []

    async def wait(_: float) -> Any:
        return brought, set()

    async def go_back() -> None:
        seeks.append(1)

    # A consumer of Faust's own would start a thread: this is what of it a poll needs.
    consumer: Any = SimpleNamespace(
        app=SimpleNamespace(consumer_generation_id=GENERATION), flow_active=True, should_stop=False
    )
    consumer._wait_next_records, consumer._go_back = wait, go_back

    async def poll() -> list[ConsumerMessage]:
        found = []
        async for _, message in Transport.Consumer.getmany(consumer, 1.0):
            found.append(message)
            meanwhile(consumer)
        return found

    if not brought:
        meanwhile(consumer)
    return asyncio.run(poll()), len(seeks)


def test_a_poll_is_a_message_a_partition() -> None:
    records = {ONE: [record(5), record(6)], OTHER: [record(9)]}
    found, seeks = polled(records)
    assert [(m.tp, m.offset, m.value, m.generation_id) for m in found] == [
        (ONE, 6, records[ONE], GENERATION),
        (OTHER, 9, records[OTHER], GENERATION),
    ]
    assert seeks == 0


def test_nothing_polled_is_no_message() -> None:
    assert polled({ONE: []}) == ([], 0)
    assert polled(None) == ([], 0)


def test_behind_a_rebalance_nothing_more_is_handed_over() -> None:
    def rebalance(consumer: Any) -> None:
        consumer.app.consumer_generation_id += 1

    found, _ = polled({ONE: [record(5)], OTHER: [record(9)]}, rebalance)
    assert [m.tp for m in found] == [ONE]


def test_what_came_while_the_flow_is_stopped_is_read_again() -> None:
    def stop(consumer: Any) -> None:
        consumer.flow_active = False

    found, _ = polled({ONE: [record(5)], OTHER: [record(9)]}, stop)
    assert [m.tp for m in found] == [ONE]
    assert polled({}, stop) == ([], 1)
