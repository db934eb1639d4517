"""The one module that knows Faust: an app with one agent on the ingest topic.

The protocol and every trap met are in ARCHITECTURE.md, "The worker". In short: the ingest topic is declared
with ``acks=False``, Faust commits nothing by itself; the agent only queues; ``_pump`` gathers what is waiting
into one call of the detector bank; ``Checkpoints`` owns the position.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

import faust
import structlog
from faust.types import TP, Message

import detectors
from ecgstream import clients
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.lifecycle import set_up_logging
from ecgstream.settings import Settings
from ecgstream.worker import restore, watchdog
from ecgstream.worker.checkpoint import Checkpoints
from ecgstream.worker.detect import Partition, Record
from schemas import topics

log = structlog.get_logger()

GATHER_S = 0.02
"""How long records may gather before the bank is called: a call has a cost of its own, however full it is."""
GATHER_RECORDS = 256
IDLE_S = 0.2
FROZEN_S = 5.0
QUEUE_RECORDS = 2048
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
        producer_max_request_size=1_048_576,
        producer_request_timeout=SEND_TIMEOUT_S,
        stream_wait_empty=False,  # else SIGTERM waits for acknowledgements that never come
        stream_buffer_maxsize=256,
        stream_processing_timeout=10.0,
        worker_redirect_stdouts=False,
        loghandlers=[],
    )
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

    def __init__(self, app: faust.App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._partitions: dict[int, Partition] = {}
        self._queue: dict[int, list[Message]] = {}
        self._queued = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._looked_s = time.monotonic()
        self._trusts_wall_from_s = 0.0
        names = [t.name for t in topics.ALL]
        self._topics = {n: app.topic(n, value_type=bytes, value_serializer="raw") for n in names}
        turns = max(1, round(settings.snapshot_spread_s / settings.checkpoint_s))
        self._checkpoints = Checkpoints(self, turns=turns, timeout_s=SEND_TIMEOUT_S, give_up=give_up)
        self._connect()

    def _connect(self) -> None:
        app = self._app
        ingest = app.topic(topics.INGEST.name, value_type=bytes, value_serializer="raw", acks=False)
        app.agent(ingest, concurrency=1, name="detect")(self._receive)
        app.task(self._pump)
        app.timer(self._settings.checkpoint_s)(self._tick)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_rebalance_complete.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    # -- records

    async def _receive(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            self._queue.setdefault(message.partition, []).append(message)
            self._queued += 1
            self._arrived.set()
            if self._queued >= QUEUE_RECORDS:
                self._room.clear()
                await self._room.wait()

    async def _pump(self) -> None:
        while not self._app.should_stop:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout=IDLE_S)
                await asyncio.sleep(GATHER_S)
            self._arrived.clear()
            self._notice_a_freeze()
            for partition in list(self._partitions.values()):
                if self._partitions.get(partition.number) is not partition:
                    continue  # a rebalance came while an output was sent: what waits is its successor's
                self._process(partition)
                await self._checkpoints.send(partition)
            self._room.set()

    def _process(self, partition: Partition) -> None:
        """Take what is waiting for a partition: one synchronous step."""
        waiting = self._queue.pop(partition.number, [])
        if not waiting:
            self._idle(partition)
        if len(waiting) > GATHER_RECORDS:
            self._queue[partition.number] = waiting[GATHER_RECORDS:]
            waiting = waiting[:GATHER_RECORDS]
            self._arrived.set()
        self._queued -= len(waiting)
        records = []
        expected = partition.next_offset
        for m in waiting:
            if m.generation_id != partition.generation or m.offset < expected:
                continue  # of an assignment that is over, or from before the restored position
            if m.offset != expected:
                give_up(f"partition {partition.number}: offset {m.offset} came where {expected} belongs")
            expected += 1
            records.append(Record(m.offset, round(m.timestamp * 1000), m.value or b""))
        partition.process(records)

    def _notice_a_freeze(self) -> None:
        """Distrust the wall clock for a while after a pause of ours.

        A process that was frozen knows an old end of the log: it would take its own silence for the devices'.
        Within the session's time-out it has fetched, or learnt that its partitions are another's.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s > FROZEN_S:
            self._trusts_wall_from_s = now_s + self._settings.session_timeout_s
        self._looked_s = now_s

    def _idle(self, partition: Partition) -> None:
        """Let wall-clock time pass where everything in the log is processed."""
        if time.monotonic() < self._trusts_wall_from_s:
            return
        if self._app.consumer.highwater(TP(topics.INGEST.name, partition.number)) == partition.next_offset:
            partition.idle(time.time_ns() // 1_000_000)

    # -- checkpoints, assignment

    async def send(self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes) -> Any:
        """See ``checkpoint.Broker``."""
        return await self._topics[topic.name].send(key=key, value=value, partition=partition)

    async def commit(self, positions: dict[int, int]) -> bool:
        """See ``checkpoint.Broker``. Faust's public ``commit`` knows acknowledged offsets only."""
        offsets = {TP(topics.INGEST.name, p): offset for p, offset in positions.items()}
        consumer: Any = self._app.consumer
        return bool(await consumer._commit(offsets))

    async def _tick(self) -> None:
        if self._partitions and not self._app.rebalancing:
            await self._checkpoints.take(list(self._partitions.values()))

    async def _revoked(self, *_: Any, **__: Any) -> None:
        await self._checkpoints.take(list(self._partitions.values()), everything=True)
        self._partitions.clear()
        self._checkpoints.forget()

    async def _assigned(self, *_: Any, **__: Any) -> None:
        """Restore; Faust waits for this, then seeks to the committed offsets and lets records flow."""
        generation = self._app.consumer_generation_id
        mine = sorted(
            tp.partition for tp in self._app.consumer.assignment() if tp.topic == topics.INGEST.name
        )
        self._partitions.clear()
        self._queue.clear()
        self._queued = 0
        began = time.perf_counter()
        saved = await restore.read(self._settings, mine)
        if not mine:
            log.info("ready", partitions=[], generation=generation)
            return
        if not await self.commit({p: s.position for p, s in saved.items()}):
            log.info("restore_refused", reason="another rebalance is coming")
            return
        if generation != self._app.consumer_generation_id:
            return
        for number, found in saved.items():
            self._partitions[number] = self._restored(number, generation, found)
        devices = sum(len(s.devices) for s in saved.values())
        took = round(time.perf_counter() - began, 3)
        log.info("ready", partitions=mine, devices=devices, generation=generation, restore_s=took)

    def _restored(self, number: int, generation: int, found: restore.Saved) -> Partition:
        s = self._settings
        partition = Partition(
            number, generation, found.position, lost_link_s=s.lost_link_s, clock_rate=s.clock_rate
        )
        for snapshot in found.devices.values():
            partition.restore(snapshot)
        return partition

    async def _shut_down(self, *_: Any, **__: Any) -> None:
        await self._checkpoints.take(list(self._partitions.values()), everything=True)


def give_up(reason: str) -> NoReturn:
    """End the process at once, without a last checkpoint; an agent has no other way that cannot hang."""
    log.error("worker_ends_itself", reason=reason)
    os._exit(GAVE_UP)


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "worker")
    be_ready(settings, Service.WORKER)
    detectors.warm_up()
    app = make_app(settings)
    Worker(app, settings)
    watchdog.start(app, give_up)
    faust_worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False, quiet=True)
    faust_worker.spinner = None
    faust_worker.execute_from_commandline()
