"""How long it takes until all is live again.

Recovery is counted from the end of a fault (the process that was killed is dead, the one that was paused runs
again, the broker or the database serves) until what it struck has caught up with the end of its log:

* signals: in every partition, and of every gateway that was struck, the newest status that the worker has put
  out tells of a sample measured after the fault's end and less than 10 s of signal ago, which are 5 s of the
  wall clock (1 s is usual: a packet, a flush);
* pager and sink: they have committed all that was in their topics a second before, which was after the
  fault's end; a process that was killed or paused is a new member of its group (conditions are rare: that
  none is left behind does not show that somebody reads them).

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

LIVE_S = 10.0
PATIENCE_S = 60.0
_BEHIND_S = 1.0
_STEP_S = 0.25
_FOLLOWED: dict[str, tuple[Topic, ...]] = {
    PAGER: (topics.CONDITIONS,),
    SINK: (topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was there at a moment of the steady clock.

    ``ends``: of the logs; ``done``: what groups had committed of them; ``members``: of groups at work.
    """

    at_s: float
    ends: Mapping[TopicPartition, int]
    done: Mapping[str, Mapping[TopicPartition, int]]
    members: Mapping[str, frozenset[str]]


class Progress:
    """Follows a site from a thread of its own.

    Args:
        settings: where Kafka is.
        signal_s: how much signal should have been played by now.
        slowness: of the machine, by which recovery may take longer.
    """

    def __init__(self, settings: Settings, signal_s: Callable[[], float], slowness: float) -> None:
        self._settings = settings
        self._signal_s = signal_s
        self._patience_s = PATIENCE_S * slowness
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

    def members(self, service: str) -> frozenset[str]:
        """Return who is in a service's group now."""
        with self._lock:
            return self._seen[-1].members.get(service, frozenset()) if self._seen else frozenset()

    def recover(self, struck: Collection[str], gone: frozenset[str] = frozenset()) -> float | None:
        """Wait from the end of a fault until what was struck is live; return how long, None if it is not.

        Args:
            struck: ``worker``, ``pager``, ``sink``, or gateways.
            gone: members of groups who can be members no longer.
        """
        began_s, played_s = time.monotonic(), self._signal_s()
        while time.monotonic() - began_s < self._patience_s and not self._stop.is_set():
            if all(self._is_live(one, began_s, played_s, gone) for one in struck):
                return time.monotonic() - began_s
            self._stop.wait(0.05)
        return None

    def _is_live(self, one: str, began_s: float, played_s: float, gone: frozenset[str]) -> bool:
        with self._lock:
            if one in _FOLLOWED:
                return caught_up(one, list(self._seen), began_s, gone)
            return is_live(one, self._newest_s, max(played_s + LIVE_S, self._signal_s()))

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
        return Seen(at_s, ends, done, {service: _members(admin, GROUPS[service]) for service in _FOLLOWED})


def _members(admin: KafkaAdminClient, group: str) -> frozenset[str]:
    found = admin.describe_groups([group]).get(group, {})
    at_work = found.get("group_state") == "Stable"
    return frozenset(member["member_id"] for member in found["members"]) if at_work else frozenset()


def is_live(one: str, newest_s: Mapping[str, float], signal_s: float) -> bool:
    """Return whether signals are analysed as they come: of a gateway, or with ``worker`` in every partition.

    >>> is_live("gw-3", {"sim-07": 100.0, "sim-08": 50.0}, 109.0), is_live("gw-3", {"sim-07": 100.0}, 111.0)
    (True, False)
    """
    wanted_s = min(signal_s, load.SIGNAL_S) - LIVE_S
    if one != WORKER:
        return max((newest_s.get(d, -math.inf) for d in load.GATEWAYS[one]), default=-math.inf) >= wanted_s
    newest_in = dict.fromkeys(range(load.PARTITIONS), -math.inf)
    for device, at_s in newest_s.items():
        newest_in[load.DEVICES[device]] = max(newest_in[load.DEVICES[device]], at_s)
    return min(newest_in.values()) >= wanted_s


def caught_up(service: str, seen: Sequence[Seen], since_s: float, gone: frozenset[str] = frozenset()) -> bool:
    """Return whether a group is at work and has committed what was there a second ago, but since a time."""
    last = seen[-1] if seen else None
    before = next((s for s in reversed(seen) if last and s.at_s <= last.at_s - _BEHIND_S), None)
    if last is None or before is None or before.at_s < since_s:
        return False
    members = last.members[service]
    if not members or members & gone:
        return False
    names = {t.name for t in _FOLLOWED[service]}
    done = last.done[service]
    return all(done.get(tp, 0) >= end for tp, end in before.ends.items() if tp.topic in names)
