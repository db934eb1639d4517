"""Faust's way to Kafka, with what a poll brought of a partition as one message.

Faust hands every record to its stream through two tasks of the event loop, which takes longer than the
detectors need for the record of a small gateway. All behind the poll (assignment, flow control, the stream,
the agent) is Faust's own.
"""

from collections.abc import AsyncIterator
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka
from faust.types import TP, ConsumerMessage

log = structlog.get_logger()


class _Consumer(aiokafka.Consumer):
    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield a message a partition: its value is the list of records, its offset the last one's."""
        polled, _ = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if polled is None or self.should_stop:
            return
        if not self.flow_active:
            await self._go_back()
            return
        for tp, records in polled.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # a rebalance, behind which everything is read again from where it is committed
            if records:
                yield tp, _message(tp, records, generation)

    def answered_ms(self, tp: TP) -> int | None:
        """Return when (wall clock, ms) the broker last told the end of a partition; None: not yet."""
        consumer: Any = self._thread._ensure_consumer()
        answered: int | None = consumer.last_poll_timestamp(tp)
        return answered

    async def _go_back(self) -> None:
        """Let what came while nothing was to come be read again; as Faust does."""
        try:
            await self.perform_seek()
        except KafkaError as error:
            log.warning("seek_refused", error=type(error).__name__)


def _message(tp: TP, records: Any, generation: int) -> ConsumerMessage:
    last = records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000,
        last.timestamp_type,
        [],
        None,
        records,
        None,
        tp=tp,
        generation_id=generation,
    )


class Transport(aiokafka.Transport):
    """See above.

    Args:
        app: whose consumer it makes; its ``transport`` is to be set to this.
    """

    Consumer = _Consumer

    def __init__(self, app: faust.App) -> None:
        super().__init__(app.conf.broker_consumer, app)
