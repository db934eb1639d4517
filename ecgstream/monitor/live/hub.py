"""All devices as they arrive in Kafka, and the screens that follow them. One thread reads; nothing is stored.

It begins a little before the newest signal, so that screens start full, at the newest conditions, and with
all alerts that stand.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ecgstream.member import end_offsets
from ecgstream.monitor import metrics
from ecgstream.monitor.live import alarms
from ecgstream.monitor.live.device import RING_S, Device
from ecgstream.monitor.live.view import Bed, View, Watch
from ecgstream.whole import records
from schemas import topics
from schemas.batches import Beats, DeviceStatuses
from schemas.bundle import Bundle
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Alert, Condition, Vital

CURRENT_S = 6.0
"""For so long what was read holds as current after the log was last known to have been read to its end."""
FOLLOWED = (topics.INGEST, topics.STATUS, topics.BEATS, topics.CONDITIONS)
RECALLED_AT_ONCE = 200
"""So that nobody waits for what was stored of thousands; the others come as access is looked up again."""
_ASK_S = 1.5
_POLL_MS = 100
_RETRY_S = 1.0

log = structlog.get_logger()


class Hub:
    """Follows the topics; any thread may look.

    Args:
        reader: makes a consumer without a group.
        partitions: of each topic.
        clock_ns: wall clock.
    """

    def __init__(
        self, reader: Callable[[], KafkaConsumer], partitions: int, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._reader = reader
        self._partitions = range(partitions)
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._devices: dict[str, Device] = {}
        self._views: set[View] = set()
        self._watched: dict[Watch, set[View]] = {}
        self._recalled: set[str] = set()
        self._over = alarms.Over()
        self._of_alert: dict[str, str] = {}  # which device an alert that stands is of
        self._ends: dict[TopicPartition, int] = {}
        self._asked_s = 0.0
        self._heard_s: float | None = None
        self._newest_ns: int | None = None

    @property
    def is_current(self) -> bool:
        """Whether what is shown is what Kafka holds."""
        return self._heard_s is not None and time.monotonic() - self._heard_s < CURRENT_S

    def signal_age_s(self) -> float:
        """Return how long ago the newest signal left its gateway; NaN: none has come."""
        return math.nan if self._newest_ns is None else (self._clock_ns() - self._newest_ns) / 1e9

    # -- screens

    @contextmanager
    def viewing(self, beds: Mapping[str, Bed]) -> Iterator[View]:
        """Give a view that is fed until it is left."""
        view = View()
        with self._lock:
            self._views.add(view)
        self.allow(view, beds)
        try:
            yield view
        finally:
            with self._lock:
                self._show(view, frozenset())
                self._views.discard(view)

    def allow(self, view: View, beds: Mapping[str, Bed]) -> None:
        """Set what a viewer may see; what is shown of anything else ends."""
        if beds == view.beds and view.beds:
            return
        with self._lock:
            devices = {name: self._device(name) for name in beds}
            self._show(view, frozenset(watch for watch in view.shown if watch.device in beds))
            view.restrict({device.number for device in devices.values()})
            view.devices(beds, devices)

    def show(self, view: View, wanted: Iterable[Watch]) -> None:
        """Show these devices; what the viewer may not see is left out, and a new one comes with its ring."""
        with self._lock:
            self._show(view, frozenset(watch for watch in wanted if watch.device in view.beds))

    def unrecalled(self, names: Iterable[str]) -> list[str]:
        """Return devices, not too many, of which nobody has yet said what was stored of them before."""
        with self._lock:
            lacking = (name for name in names if name not in self._recalled)
            return list(islice(lacking, RECALLED_AT_ONCE))

    def recall(self, names: Iterable[str], stored: Iterable[Vital]) -> None:
        """Take in what of these devices was stored last, of what is measured seldom."""
        found: defaultdict[str, list[Vital]] = defaultdict(list)
        for vital in stored:
            found[vital.device].append(vital)
        with self._lock:
            self._recalled.update(names)
            for name, vitals in found.items():
                self._device(name).recall(vitals, self._clock_ns())
            self._tell_numbers(found)

    def _show(self, view: View, shown: frozenset[Watch]) -> None:
        for watch in view.shown - shown:
            watching = self._watched[watch]
            watching.discard(view)
            if not watching:
                del self._watched[watch]
        for watch in shown - view.shown:
            self._watched.setdefault(watch, set()).add(view)
            device = self._device(watch.device)
            view.signal(*device.held(whole=watch.whole))
            if device.numbers_frame:
                view.numbers(device)
        view.shown = shown

    def _watching(self, name: str, *, whole: bool) -> Iterable[View]:
        return self._watched.get(Watch(name, whole), ())

    def _device(self, name: str) -> Device:
        return self._devices.setdefault(name, Device(len(self._devices)))

    # -- what arrives

    def take(self, found: Iterable[Any]) -> None:
        """Take records in; what cannot be read is the worker's to report."""
        now_ns = self._clock_ns()
        for record in found:
            try:
                content = decode(record.value) if record.value is not None else None
            except BadRecordError:
                continue
            with self._lock:
                if isinstance(content, Bundle):
                    self._take_bundle(content, now_ns)
                elif isinstance(content, DeviceStatuses):
                    self._take_statuses(content, now_ns)
                elif isinstance(content, Beats):
                    self._take_beats(content)
                elif isinstance(content, Condition):
                    device = self._device(content.device)
                    if alarms.of_condition(device.alarms, self._over, content, now_ns):
                        self._tell_alarms(content.device, device)
                elif isinstance(content, Alert):
                    self._take_alert(content)
                elif content is None and record.topic == topics.ALERTS.name:
                    self._forget_alert(record.key.decode("utf-8", "replace"))

    def _take_bundle(self, bundle: Bundle, now_ns: int) -> None:
        at_ns = min(bundle.created_ns, now_ns)
        self._newest_ns = max(at_ns, self._newest_ns or 0)
        for packet in bundle.packets():
            device = self._device(packet.device)
            frame = device.take(packet, at_ns)
            if frame is None:
                continue
            for view in self._watching(packet.device, whole=False):
                view.signal(frame)
            if watching := self._watching(packet.device, whole=True):
                whole = device.whole(device.ring[-1])
                for view in watching:
                    view.signal(whole)
        measured = {v.device for v in bundle.vitals() if self._device(v.device).measure(v, at_ns)}
        self._tell_numbers(measured)

    def _take_statuses(self, batch: DeviceStatuses, now_ns: int) -> None:
        rows = list(batch.rows())
        for row in rows:
            self._device(row.device).stand(row, min(row.published_ns, now_ns))
        self._tell_numbers({row.device for row in rows})

    def _take_beats(self, batch: Beats) -> None:
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for beat in batch.rows():
            found[beat.device].append(beat)
        for name, beats in found.items():
            frame = self._device(name).beat(beats)
            for view in self._watching(name, whole=True):
                view.signal(frame)

    def _take_alert(self, alert: Alert) -> None:
        device = self._device(alert.device)
        if alarms.of_alert(device.alarms, self._over, alert):
            self._tell_alarms(alert.device, device)
        if alert.id in device.alarms:
            self._of_alert[alert.id] = alert.device
        else:
            self._of_alert.pop(alert.id, None)

    def _forget_alert(self, id_: str) -> None:
        name = self._of_alert.pop(id_, None)
        if name is not None and self._devices[name].alarms.pop(id_, None) is not None:
            self._tell_alarms(name, self._devices[name])

    def _tell_numbers(self, names: Iterable[str]) -> None:
        for name in names:
            device = self._devices[name]
            device.tell_numbers()
            for whole in (False, True):
                for view in self._watching(name, whole=whole):
                    view.numbers(device)

    def _tell_alarms(self, name: str, device: Device) -> None:
        device.tell_alarms()
        for view in self._views:
            if name in view.beds:
                view.alarms(device)

    # -- Kafka

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        metrics.SIGNAL_AGE.set_function(self.signal_age_s)
        while not stop.is_set():
            try:
                with closing(self._reader()) as reader:
                    self._begin(reader)
                    while not stop.is_set():
                        self._follow(reader)
            except KafkaError as error:
                log.warning("live_not_followed", error=type(error).__name__)
                stop.wait(_RETRY_S)

    def _begin(self, reader: KafkaConsumer) -> None:
        """Take all alerts in, then stand where the rest begins."""
        told = self._sources(topics.ALERTS)
        newest = {record.key: record for _, record in records(reader, told)}
        self._forget_others({key.decode("utf-8", "replace") for key in newest if key is not None})
        self.take(newest.values())
        at = {source: reader.position(source) for source in told}
        followed = [source for topic in FOLLOWED for source in self._sources(topic)]
        ends = end_offsets(reader, followed)
        begin_ms = self._clock_ns() // 1_000_000 - round((RING_S + 1) * 1000)
        wanted = dict.fromkeys(self._sources(topics.INGEST, topics.STATUS, topics.BEATS), begin_ms)
        found = reader.offsets_for_times(wanted)
        at |= ends | {source: known.offset for source, known in found.items() if known is not None}
        reader.assign(list(at))
        for source, offset in at.items():
            reader.seek(source, offset)
        self._ends, self._asked_s = {}, 0.0
        log.info("live_followed", devices=len(self._devices))

    def _sources(self, *wanted: topics.Topic) -> list[TopicPartition]:
        return [TopicPartition(topic.name, number) for topic in wanted for number in self._partitions]

    def _forget_others(self, ids: set[str]) -> None:
        """Forget alarms that Kafka does not hold (any more): they have ended while it was away."""
        with self._lock:
            for name, device in self._devices.items():
                gone = device.alarms.keys() - ids
                for id_ in gone:
                    del device.alarms[id_]
                    self._of_alert.pop(id_, None)
                if gone:
                    self._tell_alarms(name, device)

    def _follow(self, reader: KafkaConsumer) -> None:
        for found in reader.poll(timeout_ms=_POLL_MS).values():
            self.take(found)
        if time.monotonic() - self._asked_s < _ASK_S:
            return
        # What the log held when it was last asked has been read; and it answers: a poll would not say.
        if self._ends and all(reader.position(source) >= end for source, end in self._ends.items()):
            self._heard_s = self._asked_s
        self._ends = end_offsets(reader, self._sources(topics.ALERTS, *FOLLOWED))
        self._asked_s = time.monotonic()
