"""How long it takes until all is live again.

Recovery is counted from the end of a fault (the process that was killed is dead, the one that was paused runs
again, the broker or the database serves) until what it struck has caught up with the end of its log:

* signals: in every partition, and of every gateway that was struck, the newest status that the worker has put
  out tells of a sample measured less than 4 s of signal ago (about 2 s is usual: a packet, a flush);
* pager and sink: they have committed all that was in their topics a second before.

The slower of these is the recovery where several are struck.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ecgstream import clients
from ecgstream.centre import GROUPS
from ecgstream.chaos import load
from ecgstream.chaos.schedule import PAGER, SINK, WORKER
from ecgstream.settings import Settings
from schemas import topics
from schemas.batches import DeviceStatuses
from schemas.codec import decode_as
from schemas.errors import BadRecordError
from schemas.topics import Topic

LIVE_S = 4.0
PATIENCE_S = 60.0
_BEHIND_S = 1.0
_STEP_S = 0.25
_FOLLOWED: dict[str, tuple[Topic, ...]] = {
    PAGER: (topics.CONDITIONS,),
    SINK: (topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was there at a moment of the steady clock: log ends, and what groups had committed of them."""

    at_s: float
    ends: Mapping[TopicPartition, int]
    done: Mapping[str, Mapping[TopicPartition, int]]


class Progress:
    """Follows a site from a thread of its own.

    Args:
        settings: where Kafka is.
        signal_s: how much signal should have been played by now.
    """

    def __init__(self, settings: Settings, signal_s: Callable[[], float]) -> None:
        self._settings = settings
        self._signal_s = signal_s
        self._newest_s: dict[str, float] = {}
        self._seen: deque[Seen] = deque(maxlen=round(10 / _STEP_S))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def recover(self, struck: Collection[str], since_s: float) -> float | None:
        """Wait until what was struck is live again; return how long that took, None if it did not come.

        Args:
            struck: ``worker``, ``pager``, ``sink``, or gateways.
            since_s: the end of the fault, steady clock.
        """
        while time.monotonic() - since_s < PATIENCE_S and not self._stop.is_set():
            if all(self._is_live(one, since_s) for one in struck):
                return time.monotonic() - since_s
            self._stop.wait(0.05)
        return None

    def _is_live(self, one: str, since_s: float) -> bool:
        with self._lock:
            if one in _FOLLOWED:
                return caught_up(one, list(self._seen), since_s)
            return is_live(one, self._newest_s, self._signal_s())

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(KafkaError):  # a broker is away; connections are made anew
                self._follow()
            self._stop.wait(_STEP_S)

    def _follow(self) -> None:
        consumer, admin = clients.reader(self._settings), clients.admin(self._settings)
        try:
            partitions = range(self._settings.partitions)
            consumer.assign([TopicPartition(topics.STATUS.name, p) for p in partitions])
            consumer.seek_to_end()
            while not self._stop.is_set():
                for records in consumer.poll(timeout_ms=round(_STEP_S * 1000), max_records=2000).values():
                    for record in records:
                        self._take(record.value)
                seen = self._look(consumer, admin)
                with self._lock:
                    self._seen.append(seen)
        finally:
            consumer.close()
            admin.close()

    def _take(self, value: bytes) -> None:
        with suppress(BadRecordError):
            statuses = decode_as(DeviceStatuses, value)
            with self._lock:
                for status in statuses.rows():
                    at_s = (status.time_ns - load.START_NS) / 1e9
                    self._newest_s[status.device] = max(at_s, self._newest_s.get(status.device, -math.inf))

    def _look(self, consumer: KafkaConsumer, admin: KafkaAdminClient) -> Seen:
        at_s = time.monotonic()
        followed = {t.name for found in _FOLLOWED.values() for t in found}
        tps = [TopicPartition(name, p) for name in followed for p in range(self._settings.partitions)]
        ends = consumer.end_offsets(tps)
        done = {
            service: {tp: found.offset for tp, found in admin.list_group_offsets(group)[group].items()}
            for service, group in GROUPS.items()
            if service in _FOLLOWED
        }
        return Seen(at_s, ends, done)


def is_live(one: str, newest_s: Mapping[str, float], signal_s: float) -> bool:
    """Return whether signals are analysed as they come: of a gateway, or with ``worker`` in every partition.

    >>> is_live("gw-3", {"sim-07": 100.0, "sim-08": 50.0}, 103.0), is_live("gw-3", {"sim-07": 100.0}, 105.0)
    (True, False)
    """
    wanted_s = min(signal_s, load.SIGNAL_S) - LIVE_S
    if one != WORKER:
        return max((newest_s.get(d, -math.inf) for d in load.GATEWAYS[one]), default=-math.inf) >= wanted_s
    newest_in = dict.fromkeys(range(load.PARTITIONS), -math.inf)
    for device, at_s in newest_s.items():
        newest_in[load.DEVICES[device]] = max(newest_in[load.DEVICES[device]], at_s)
    return min(newest_in.values()) >= wanted_s


def caught_up(service: str, seen: Sequence[Seen], since_s: float) -> bool:
    """Return whether a group has committed what was there a second before, and has been looked at since."""
    if not seen or seen[-1].at_s < since_s:
        return False
    last = seen[-1]
    before = next((s for s in reversed(seen) if s.at_s <= last.at_s - _BEHIND_S), None)
    if before is None:
        return False
    names = {t.name for t in _FOLLOWED[service]}
    done = last.done[service]
    return all(done.get(tp, 0) >= end for tp, end in before.ends.items() if tp.topic in names)
