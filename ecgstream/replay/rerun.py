"""A device's records through the worker's own lanes once more: no Kafka, no clock, nobody is told."""

import math

from ecgstream.replay.errors import ReplayError
from ecgstream.replay.findings import Collected
from ecgstream.replay.log import Step
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.detect import Record
from ecgstream.worker.live import Live
from ecgstream.worker.outputs import Output
from ecgstream.worker.snapshots import Keys, Saved
from schemas import codec, mdc, topics
from schemas.batches import Beats, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.records import Condition, DeadLetter, Lane, Segment, Vital


class Rerun:
    """Both lanes of one device, from nothing on.

    Links are not supervised: their timers run on the broker's time, which is not stored.

    Args:
        into: gets what is found.
    """

    def __init__(self, into: Collected) -> None:
        saved = Saved()
        self._live = Live(0, 0, saved, Keys(saved), lost_link_s=math.inf, clock_rate=1.0)
        self._lanes = {Lane.LIVE: self._live, Lane.BACKFILL: Backfill(0, 0, saved, self._live)}
        self._into = into
        self._next = 0

    @property
    def device_seconds(self) -> float:
        """Signal taken in, s."""
        return sum(lane.device_seconds for lane in self._lanes.values())

    def take(self, step: Step) -> None:
        """Take records.

        Raises:
            ReplayError: a record is refused, which was taken once.
        """
        lane = self._lanes[step.lane]
        lane.process(step.records)
        if step.lane is Lane.LIVE:
            self._next = step.records[-1].offset + 1
        outbox, lane.outbox = lane.outbox, []
        for output in outbox:
            self._collect(output)

    def finish(self, device: str) -> None:
        """End all, for the sake of the minutes that are open: the other ends are none that happened."""
        end = Vital(device, 2**61, 2**61, mdc.BATTERY_CHARGE, 0.0)
        self._live.process([Record(self._next, 0, Bundle.of("replay", 0, 0, [], [end]).encode())])
        self._live.lose(self._next + 1, 0)
        for output in self._live.outbox:
            if output.topic is topics.TRENDS and output.value is not None:
                self._into.trends(codec.decode_as(Trends, output.value), are_open=True)

    def _collect(self, output: Output) -> None:
        if output.topic in (topics.STATUS, topics.SNAPSHOTS) or output.value is None:
            return
        found = codec.decode(output.value)
        if isinstance(found, Trends):
            self._into.trends(found)
        elif isinstance(found, Beats):
            self._into.beats(found)
        elif isinstance(found, Rhythms):
            self._into.rhythms(found)
        elif isinstance(found, Condition):
            self._into.condition(found)
        elif isinstance(found, Segment):
            self._into.segment(found)
        elif isinstance(found, DeadLetter):
            raise ReplayError(f"what is stored is refused: {found.reason}")
