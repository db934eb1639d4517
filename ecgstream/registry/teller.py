"""The teller: what the registry has changed goes to Kafka, at least once and in order.

Triggers put a device into ``ecg.tell`` in the transaction that changes what must be known of it. A step:

1. in one snapshot, take what is due and read the truth about these devices, whatever it has become since;
2. publish what differs from what was told last, and wait until all replicas have it;
3. in one transaction, note what was told and remove what was taken.

Ended between 2 and 3, the same is told again, which changes nothing. What was told long ago is told anew, so
that the log always holds it: a worker that starts without snapshots finds whom it watches, and by which
limits.
One teller works at a time; others wait for its lock. It also tells the pager of cases of consultation
(``ecgstream.consulting.calls``): that queue is of the same kind, in the same database, and this is the one
service that has both a login that writes there and a line to Kafka.
"""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.ready import be_ready
from ecgstream.clients import producer
from ecgstream.consulting.calls import tell
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.registry import metrics
from ecgstream.registry.truth import Truth, read
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import codec, topics
from schemas.records import Control, Limits
from schemas.records import Settings as PatientSettings

BATCH = 2000
PATIENCE_S = 30.0
IDLE_S = 1.0  # between two looks for what has become due meanwhile
BACKOFF_S = 2.0
TELL_ANEW = timedelta(days=1)  # the ingest topic keeps a week
_LOCK = 0x65636702  # whoever holds this advisory lock tells

log = structlog.get_logger()


class _Taken(NamedTuple):
    ids: list[int]
    accounts: dict[str, str]
    """Device to the account whose change came last."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A record to be published, and how it is remembered."""

    device: str
    what: str
    digest: bytes
    topic: str
    partition: int | None
    value: bytes


class Teller:
    """Tells Kafka; one thread calls ``step`` again and again.

    Args:
        connection: in role ``ecg_registry``, autocommit; it stays open.
        sender: a ``KafkaProducer`` that waits for all replicas.
        partitions: of the ingest topic.
        clock: UTC ns.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        sender: KafkaProducer,
        *,
        partitions: int,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._connection = connection
        self._sender = sender
        self._partitions = partitions
        self._clock = clock
        connection.execute("LISTEN ecg_tell")

    def may_work(self) -> bool:
        """Take the lock, once; return whether this teller is the one that works from now on."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        return row is not None and bool(row[0])

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as something has changed."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    def step(self) -> int:
        """Tell what is due, at most ``BATCH`` changes; return how many were taken.

        Raises:
            KafkaError: Kafka has not taken a record; nothing is noted, and the next step tells it.
        """
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            taken = self._take()
            if not taken.accounts:
                return 0
            known = self._told(taken.accounts)
            messages = [
                message
                for truth in read(self._connection, taken.accounts)
                for message in self._messages(truth, taken.accounts[truth.enrolment.device], known)
            ]
        self._publish(messages)
        with self._connection.transaction():
            self._note(messages)
            self._connection.execute("DELETE FROM ecg.tell WHERE id = ANY(%s)", (taken.ids,))
        metrics.TOLD.inc(len(messages))
        log.info("told", devices=len(taken.accounts), records=len(messages))
        return len(taken.ids)

    def tell_anew(self) -> None:
        """Ask for what was told a day ago to be told again.

        Where there is none, nothing is inserted: an insert of no row wakes this teller too.
        """
        with self._connection.transaction():
            old = self._connection.execute(
                "DELETE FROM ecg.told WHERE device IN (SELECT device FROM ecg.told"
                " WHERE at < now() - %s LIMIT %s) RETURNING device",
                (TELL_ANEW, BATCH),
            ).fetchall()
            if old:
                self._connection.execute(
                    "INSERT INTO ecg.tell (device, account) SELECT DISTINCT unnest(%s::text[]), 'registry'",
                    ([device for (device,) in old],),
                )

    def _take(self) -> _Taken:
        rows = self._connection.execute(
            "SELECT id, device, account FROM ecg.tell WHERE due <= clock_timestamp() ORDER BY id LIMIT %s",
            (BATCH,),
        ).fetchall()
        return _Taken([row[0] for row in rows], {row[1]: row[2] for row in rows})

    def _told(self, devices: Collection[str]) -> dict[tuple[str, str], bytes]:
        rows = self._connection.execute(
            "SELECT device, what, digest FROM ecg.told WHERE device = ANY(%s)", (list(devices),)
        )
        return {(device, what): digest for device, what, digest in rows}

    def _messages(
        self, truth: Truth, account: str, known: dict[tuple[str, str], bytes]
    ) -> Iterator[_Message]:
        device = truth.enrolment.device
        now_ns = self._clock()
        digest = _digest(truth.enrolment)
        if known.get((device, "Enrolment")) != digest:
            enrolment = codec.encode(replace(truth.enrolment, changed_ns=now_ns))
            yield _Message(device, "Enrolment", digest, topics.ENROLMENT.name, None, enrolment)
        partition = topics.partition_of(truth.enrolment.shard, self._partitions)
        resets_limits = False
        for change in truth.changes:
            what, digest = type(change).__name__, _digest(change)
            if known.get((device, what)) == digest and not (resets_limits and isinstance(change, Limits)):
                continue
            resets_limits |= isinstance(change, PatientSettings)
            control = Control(str(uuid.uuid4()), device, 0, 0, now_ns, account, change)
            yield _Message(device, what, digest, topics.INGEST.name, partition, codec.encode(control))

    def _publish(self, messages: Collection[_Message]) -> None:
        sent = [
            self._sender.send(m.topic, m.value, key=m.device.encode(), partition=m.partition)
            for m in messages
        ]
        self._sender.flush(timeout=PATIENCE_S)
        for future in sent:
            future.get(timeout=PATIENCE_S)

    def _note(self, messages: Collection[_Message]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ecg.told (device, what, digest) VALUES (%s, %s, %s)"
                " ON CONFLICT (device, what) DO UPDATE SET digest = excluded.digest, at = clock_timestamp()",
                [(m.device, m.what, m.digest) for m in messages],
            )


def _digest(content: object) -> bytes:
    return hashlib.sha256(repr(content).encode()).digest()


def tell_everything(connection: psycopg.Connection) -> None:
    """Ask for everything to be told anew, as a new Kafka needs it; in role ``ecg_registry``."""
    connection.execute("DELETE FROM ecg.told")
    connection.execute("INSERT INTO ecg.tell (device, account) SELECT device, 'registry' FROM ecg.enrolment")


def is_settled(connection: psycopg.Connection) -> bool:
    """Return whether all that is due has been told; ``connection`` in role ``ecg_registry``."""
    row = connection.execute(
        "SELECT NOT EXISTS (SELECT FROM ecg.tell WHERE due <= clock_timestamp())"
    ).fetchone()
    return row is not None and bool(row[0])


def run(settings: Settings, *, everything: bool) -> None:
    """Run the teller until SIGTERM or Ctrl-C; wait where the database or Kafka is away.

    ``everything``: begin with telling everything anew.
    """
    set_up_logging(settings, "registry")
    be_ready(settings, Service.REGISTRY)
    with serve(settings, "registry") as health, stop_on_signals() as stop:
        if everything:
            with _connect(settings) as connection:
                tell_everything(connection)
        while not stop.is_set():
            try:
                _serve(settings, stop, health)
            except psycopg.Error as error:
                metrics.FAILURES.labels("database").inc()
                log.warning("database_away", error=type(error).__name__, sqlstate=error.sqlstate)
            except (KafkaError, BrokerError) as error:
                metrics.FAILURES.labels("kafka").inc()
                log.warning("kafka_away", error=type(error).__name__)
            health.beat()
            health.ready(is_ready=False)
            stop.wait(BACKOFF_S)


def _serve(settings: Settings, stop: threading.Event, health: Health) -> None:
    sender: Any = None
    with _connect(settings) as connection:
        try:
            sender = producer(settings)
            teller = Teller(connection, sender, partitions=settings.partitions)
            log.info("teller_started")
            health.ready(is_ready=True)
            while not teller.may_work():
                health.beat()
                if stop.wait(IDLE_S):
                    return
            while not stop.is_set():
                health.beat()
                tell(connection, sender, settings.partitions)
                if not teller.step():
                    teller.tell_anew()
                    teller.wait(IDLE_S)
        finally:
            if sender is not None:
                sender.close(timeout=5)


def _connect(settings: Settings) -> psycopg.Connection:
    url = settings.database.get_secret_value()
    return connect(url, autocommit=True, name="ecgstream-registry", role="ecg_registry")
