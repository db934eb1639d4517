"""Which topics a sink reads first, where more waits than it can write. No I/O; the clock is handed in.

Behind an outage of the database hours of everything wait. What people act upon comes first: alerts and
conditions, of which there are few; then the signals and what was found in them; and what came late anyway
comes when all that is there. So live stays first; where a sink cannot keep up, the backlog waits, in Kafka.
"""

from collections.abc import Collection, Mapping, Sequence

from ecgstream.store.traces import Source
from schemas import topics

ORDER = (
    (topics.ALERTS.name, topics.CONDITIONS.name, topics.SEGMENTS.name),
    (topics.INGEST.name, topics.BEATS.name, topics.RHYTHMS.name, topics.TRENDS.name),
    (topics.BACKFILL.name,),
)
SLACK = 500
"""Records that may wait in a partition before what comes behind it has to: always on their way are some."""
PATIENCE_S = 5.0
"""After so long without a record, a partition's broker is away, and nothing waits for it."""


class Precedence:
    """Says which partitions are to be held back."""

    def __init__(
        self, order: Sequence[Collection[str]] = ORDER, *, slack: int = SLACK, patience_s: float = PATIENCE_S
    ) -> None:
        self._order = order
        self._slack = slack
        self._patience_s = patience_s
        self._moved_s: dict[Source, float] = {}  # when it was last seen to move, or had no chance to
        self._held: set[Source] = set()

    def held(self, waiting: Mapping[Source, int], came: Collection[Source], now_s: float) -> set[Source]:
        """Return the partitions not to be read from now on.

        Args:
            waiting: of each partition that is ours, how many records are known to wait.
            came: those of which records have come since the last call.
            now_s: the caller's clock.
        """
        for source in waiting:
            if source in came or source in self._held or source not in self._moved_s:
                self._moved_s[source] = now_s
        found: set[Source] = set()
        behind = False
        for tier in self._order:
            ours = [source for source in waiting if source[0] in tier]
            if behind:
                found.update(ours)
            behind = behind or any(
                waiting[s] > self._slack and now_s - self._moved_s[s] < self._patience_s for s in ours
            )
        self._held = found
        return found
