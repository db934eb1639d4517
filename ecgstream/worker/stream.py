"""The module that knows Faust (with ``transport``): an app with one agent on the ingest topic.

The protocol and every trap met are in ARCHITECTURE.md, "The worker". In short: the ingest topic is declared
with ``acks=False``, Faust commits nothing by itself; the agent only queues; ``_pump`` gathers what is waiting
into one call of the detector bank; ``Checkpoints`` owns the position. ``Backlog`` fills in what came late.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

import faust
import structlog
from faust.types import TP

import detectors
from ecgstream import clients
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.lifecycle import set_up_logging
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings
from ecgstream.worker import metrics, restore, watchdog
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.backlog import Backlog
from ecgstream.worker.checkpoint import Checkpoints
from ecgstream.worker.detect import Partition, Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, Saved
from ecgstream.worker.transport import Transport
from ecgstream.worker.watchdog import Pulse
from schemas import topics

log = structlog.get_logger()

GATHER_S = 0.1
"""How long records may gather before the bank is called: a call has a cost of its own, however full it is. A
tenth of a second of many small gateways makes a call worth it, and adds little to the delay of an alarm."""
GATHER_BYTES = 524_288
"""What one call takes at most, about 500 device-seconds: the event loop turns between calls, and outputs and
checkpoints need many of its turns."""
IDLE_S = 0.2
FROZEN_S = 5.0
PULSE_S = 0.5
QUEUE_BYTES = 64 * 1_048_576
SEND_TIMEOUT_S = 30.0
GAVE_UP = 70
"""Exit status of a worker that cannot go on (EX_SOFTWARE); its supervisor starts it again."""


def make_app(settings: Settings) -> faust.App:
    """Return the Faust app; every setting that differs from Faust's default has its reason here."""
    app: faust.App = faust.App(
        "ecgstream-worker",
        broker=f"kafka://{settings.kafka}",
        broker_credentials=_credentials(settings),
        store="memory://",  # no Faust tables: state lives in our snapshots
        datadir=Path(tempfile.gettempdir()) / f"ecgstream-{os.getuid()}",  # made, never written to
        web_enabled=False,  # it would serve what it knows to anyone
        topic_allow_declare=False,  # topics are made before a worker starts
        topic_disable_leader=True,
        value_serializer="raw",
        key_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker or None,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        broker_max_poll_interval=60.0,
        broker_commit_interval=1.0,
        producer_acks=-1,
        producer_linger_ms=5,
        producer_compression_type="zstd",
        producer_max_batch_size=262_144,  # one batch a partition is under way at a time
        producer_max_request_size=1_048_576,
        producer_request_timeout=SEND_TIMEOUT_S,
        stream_wait_empty=False,  # else SIGTERM waits for acknowledgements that never come
        stream_buffer_maxsize=16,  # polls, each of many records
        stream_processing_timeout=10.0,
        worker_redirect_stdouts=False,
        loghandlers=[],
    )
    app.transport = Transport(app)
    return app


def _credentials(settings: Settings) -> faust.SASLCredentials | None:
    """Return what lets Faust in at a closed broker."""
    found = clients.security(settings)
    if not found:
        return None
    return faust.SASLCredentials(
        username=found["sasl_plain_username"],
        password=found["sasl_plain_password"],
        ssl_context=found["ssl_context"],
        mechanism=found["sasl_mechanism"],
    )


class Worker:
    """Faust's events on one side, partitions and their checkpoints on the other."""

    def __init__(self, app: faust.App, settings: Settings, health: Health | None = None) -> None:
        self.pulse = Pulse()
        self._app = app
        self._settings = settings
        self._health = health or Health()
        self._partitions: dict[int, Live] = {}
        self._backfills: dict[int, Backfill] = {}
        self._queue: dict[int, deque[Record]] = {}
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._looked_s = time.monotonic()
        self._trusts_wall_from_s = 0.0
        self._has_been_assigned = False
        turns = max(1, round(settings.snapshot_spread_s / settings.checkpoint_s))
        self._checkpoints = Checkpoints(self, turns=turns, timeout_s=SEND_TIMEOUT_S, give_up=give_up)
        self._backlog = Backlog(
            settings,
            self._checkpoints,
            lambda: self._backfills,
            lambda: bool(self._queued_bytes),
            self._live_position,
        )
        self._connect()

    def _connect(self) -> None:
        app = self._app
        ingest = app.topic(topics.INGEST.name, value_type=bytes, value_serializer="raw", acks=False)
        app.agent(ingest, concurrency=1, name="detect")(self._receive)
        app.task(self._pump)
        app.task(self._fill)
        app.task(self._beat)
        app.timer(self._settings.checkpoint_s)(self._tick)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_rebalance_complete.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    # -- records

    async def _receive(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            partition = self._partitions.get(message.partition)
            if partition is None or partition.generation != message.generation_id:
                continue  # of an assignment that is over
            polled = [Record(r.offset, r.timestamp, r.value or b"") for r in message.value]
            self._queue.setdefault(message.partition, deque()).extend(polled)
            self._queued_bytes += sum(len(record.value) for record in polled)
            self._arrived.set()
            if self._queued_bytes >= QUEUE_BYTES:
                self._room.clear()
                await self._room.wait()

    async def _pump(self) -> None:
        while not self._app.should_stop:
            if not self._arrived.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), timeout=IDLE_S)
            await asyncio.sleep(GATHER_S if 0 < self._queued_bytes < GATHER_BYTES else 0)
            self._arrived.clear()
            self._notice_a_freeze()
            for partition in list(self._partitions.values()):
                if self._partitions.get(partition.number) is not partition:
                    continue  # a rebalance came while an output was sent: what waits is its successor's
                self._process(partition)
                await self._checkpoints.send(partition)
                await asyncio.sleep(0)
            self._room.set()

    def _process(self, partition: Live) -> None:
        """Take what is waiting for a partition: one synchronous step."""
        waiting = self._next(partition.number)
        if not waiting:
            self._idle(partition)
        records = []
        expected = partition.next_offset
        for record in waiting:
            if record.offset < expected:
                continue  # from before the restored position, or read twice
            if record.offset != expected:
                give_up(f"partition {partition.number}: offset {record.offset} came where {expected} belongs")
            expected += 1
            records.append(record)
        began_s = time.perf_counter()
        partition.process(records)
        metrics.processed(partition, records, time.perf_counter() - began_s)

    def _next(self, number: int) -> list[Record]:
        """Take from the queue of a partition what goes into one call; the rest is for the next turn."""
        queue = self._queue.get(number, deque())
        waiting: list[Record] = []
        size = 0
        while queue and size < GATHER_BYTES:
            waiting.append(queue.popleft())
            size += len(waiting[-1].value)
        self._queued_bytes -= size
        if queue:
            self._arrived.set()
        return waiting

    async def _fill(self) -> None:
        while not self._app.should_stop:
            await self._backlog.turn()
        await self._backlog.close()

    def _notice_a_freeze(self) -> None:
        """Distrust the wall clock for a while after a pause of ours.

        A process that was frozen knows an old end of the log: it would take its own silence for the devices'.
        Within the session's time-out it has fetched, or learnt that its partitions are another's.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s > FROZEN_S:
            self._trusts_wall_from_s = now_s + self._settings.session_timeout_s
        self._looked_s = now_s

    async def _beat(self) -> None:
        """Show that the loop turns; after a pause longer than the session our partitions are another's."""
        while not self._app.should_stop:
            age_s = self.pulse.age_s()
            if age_s > self._settings.session_timeout_s:
                give_up(f"it stood still for {age_s:.0f} s: its partitions are another's")
            self.pulse.beat()
            self._health.beat()
            await asyncio.sleep(PULSE_S)

    def _idle(self, partition: Live) -> None:
        """Let time pass where everything in the log is processed, up to when its broker last said so.

        With the broker away the log may hold more than what was heard of it.
        """
        if time.monotonic() < self._trusts_wall_from_s:
            return
        tp = TP(topics.INGEST.name, partition.number)
        consumer: Any = self._app.consumer
        answered_ms = consumer.answered_ms(tp)  # before the end, which may move on meanwhile
        if answered_ms is not None and consumer.highwater(tp) == partition.next_offset:
            partition.idle(answered_ms)

    def _live_position(self, number: int) -> int:
        live = self._partitions.get(number)
        return -1 if live is None else live.next_offset

    # -- checkpoints, assignment

    async def send(self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes | None) -> Any:
        """See ``checkpoint.Broker``. Not by Faust's topics: that way costs more than the producer's own."""
        producer = await self._app.maybe_start_producer()
        return await producer.send(topic.name, key, value, partition, None, None)

    async def commit(self, positions: dict[int, int]) -> bool:
        """See ``checkpoint.Broker``. Faust's public ``commit`` knows acknowledged offsets only."""
        offsets = {TP(topics.INGEST.name, p): offset for p, offset in positions.items()}
        consumer: Any = self._app.consumer
        return bool(await consumer._commit(offsets))

    @property
    def _all(self) -> list[Partition]:
        return [*self._partitions.values(), *self._backfills.values()]

    async def _tick(self) -> None:
        if self._partitions and not self._app.rebalancing:
            with metrics.checkpoint(self._checkpoints):
                await self._checkpoints.take(self._all)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        await self._checkpoints.take(self._all, everything=True)
        self._let_go()

    def _let_go(self) -> None:
        self._partitions, self._backfills = {}, {}
        self._queue.clear()
        self._queued_bytes = 0
        self._checkpoints.forget()
        self._health.ready(is_ready=False)

    async def _assigned(self, *_: Any, **__: Any) -> None:
        """Restore; Faust waits for this, then seeks to the committed offsets and lets records flow."""
        self._has_been_assigned = True
        generation = self._app.consumer_generation_id
        mine = sorted(
            tp.partition for tp in self._app.consumer.assignment() if tp.topic == topics.INGEST.name
        )
        self._let_go()
        began = time.perf_counter()
        saved = await restore.read(self._settings, mine)
        found = {number: self._restored(number, generation, of) for number, of in saved.items()}
        if not await self.commit({number: live.next_offset for number, live in found.items()}):
            log.info("restore_refused", reason="another rebalance is coming")
            return
        for number, live in found.items():
            if live.next_offset == 0:  # aiokafka takes a committed 0 for none, and would stay where it is
                await self._app.consumer.seek(TP(topics.INGEST.name, number), 0)
        if generation != self._app.consumer_generation_id:
            return
        self._backfills = {
            number: Backfill(number, generation, saved[number], live) for number, live in found.items()
        }
        self._partitions = found
        metrics.assigned(found.values())
        self._health.ready(is_ready=True)
        devices = sum(len(s.live.devices) for s in saved.values())
        took = round(time.perf_counter() - began, 3)
        log.info("ready", partitions=mine, devices=devices, generation=generation, restore_s=took)

    def _restored(self, number: int, generation: int, saved: Saved) -> Live:
        s = self._settings
        keys = Keys(saved)
        live = Live(number, generation, saved, keys, lost_link_s=s.lost_link_s, clock_rate=s.clock_rate)
        if saved.oldest is not None:
            live.lose(saved.oldest, time.time_ns() // 1_000_000)
        return live

    async def _shut_down(self, *_: Any, **__: Any) -> None:
        await self._checkpoints.take(self._all, everything=True)

    # -- as the watchdog's thread sees it

    def crash(self) -> str:
        """See ``watchdog.Patient``."""
        return repr(self._app.crash_reason) if watchdog.has_crashed(self._app) else ""

    def is_member(self) -> bool:
        """See ``watchdog.Patient``. Faust and aiokafka tell it to nobody."""
        # Faust makes its consumer when it is first asked for, and must not be asked from this thread.
        if not self._has_been_assigned:
            return False
        if self._checkpoints.refused * self._settings.checkpoint_s > self._settings.session_timeout_s:
            return False
        thread: Any = getattr(self._app.consumer, "_thread", None)
        consumer = getattr(thread, "_consumer", None)
        return consumer is not None and consumer._coordinator.generation > 0

    def unread(self) -> dict[int, int]:
        """See ``watchdog.Patient``."""
        waiting = {}
        for p in list(self._partitions.values()):
            highwater = self._app.consumer.highwater(TP(topics.INGEST.name, p.number))
            if highwater is not None and highwater > p.next_offset:
                waiting[p.number] = p.next_offset
        return waiting


def give_up(reason: str) -> NoReturn:
    """End the process at once, without a last checkpoint; an agent has no other way that cannot hang."""
    log.error("worker_ends_itself", reason=reason)
    os._exit(GAVE_UP)


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "worker")
    be_ready(settings, Service.WORKER)
    health = serve(settings, "worker")
    detectors.warm_up()
    app = make_app(settings)
    watchdog.start(Worker(app, settings, health), give_up)
    # Logging is set up already; Faust would write lines of its own form.
    faust_worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    faust_worker.spinner = None
    faust_worker.execute_from_commandline()
