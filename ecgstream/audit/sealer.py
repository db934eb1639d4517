"""The sealer: what was said comes into the chain, and each minute the chain's head is signed.

A service of its own, since the key must be with nobody who has something to say. It has three threads, so
that what one waits for keeps nothing from the others:

* the *chain*: every second, what waits in the inbox is chained (``ecg.seal``); every minute the head is
  signed and kept in the database. Without the key the chain goes on, unsigned.
* the *copier*: copies the newest head to ``ecg.audit-heads``.
* the *follower*: reads alerts, pages, answers, rosters and what services tell from Kafka into the inbox, each
  record once: the offset behind it is noted in the same transaction.

What happens where something is away, docs/audit.md says; the watch tells of heads that do not come.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from psycopg.types.json import Jsonb

from ecgstream import clients
from ecgstream.audit import chain, metrics, told
from ecgstream.audit.errors import AuditError
from ecgstream.audit.keys import SigningKey, fingerprint, load
from ecgstream.audit.steps import Step, as_json, step_of
from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.ready import check
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import topics
from schemas.audit import AuditEntry, AuditHead
from schemas.codec import decode, encode
from schemas.errors import BadRecordError

ROLE = "ecg_sealer"
FOLLOWED = (topics.ALERTS, topics.NOTIFICATIONS, topics.ACKNOWLEDGEMENTS, topics.ROSTER, topics.AUDIT)
SEAL_S, SIGN_S = 1.0, 60.0
BATCH = 2000
_BACKOFF_S = 2.0
_SEND_S = 10.0
_MOST_KNOWN = 100_000
"""Alerts whose newest step is remembered; of others the chain is asked."""

log = structlog.get_logger()


class Chain:
    """The chain in the database; one thread calls it.

    Args:
        connection: in role ``ecg_sealer``, autocommit.
        clock: UTC ns.
    """

    def __init__(self, connection: psycopg.Connection, clock: Callable[[], int] = time.time_ns) -> None:
        self._connection = connection
        self._clock = clock

    def seal(self) -> int:
        """Chain what waits; return how many entries."""
        whole = 0
        while n := int(self._one("SELECT ecg.seal(%s)", (BATCH,))[0]):
            whole += n
        metrics.SEALED.inc(whole)
        return whole

    def note(self, entry: AuditEntry) -> None:
        """Put an entry of our own into the inbox."""
        said = (entry.who, entry.action, entry.kind, entry.object, entry.detail)
        self._connection.execute("SELECT ecg.note(%s, %s, %s, %s, %s::jsonb)", said)

    def sign(self, keys: list[SigningKey]) -> AuditHead:
        """Sign the head with the newest key and keep that; a key that is new comes into the chain before."""
        key = keys[-1]
        (name,) = self._one("SELECT hash FROM ecg.audit WHERE seq = 0")
        self._introduce(keys, bytes(name))
        seq, hash_ = self._one("SELECT seq, hash FROM ecg.audit ORDER BY seq DESC LIMIT 1")
        head = chain.signed_head(key, bytes(name), seq, bytes(hash_), self._clock())
        self._connection.execute(
            "INSERT INTO ecg.audit_head (at_ns, seq, hash, key, signature) VALUES (%s, %s, %s, %s, %s)",
            (head.at_ns, head.seq, head.hash, head.key, head.signature),
        )
        return head

    def _introduce(self, keys: list[SigningKey], name: bytes) -> None:
        row = self._connection.execute(
            "SELECT content::jsonb #>> '{detail,public}' FROM ecg.audit WHERE kind = 'key'"
            " ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        public = keys[-1].public
        if row is not None and row[0] == public.hex():
            return
        detail = {"public": public.hex()}
        if row is not None:
            old = next((key for key in keys if key.public.hex() == row[0]), None)
            if old is None:
                log.error("key_not_vouched", key=fingerprint(public))
            else:
                detail["vouched"] = chain.vouched(old, name, public).hex()
        note = "SELECT ecg.note('sealer', 'key', 'key', %s, %s)"
        self._connection.execute(note, (fingerprint(public), Jsonb(detail)))
        self.seal()

    def _one(self, query: Any, values: tuple[object, ...] = ()) -> tuple[Any, ...]:
        row = self._connection.execute(query, values).fetchone()
        if row is None:
            raise AuditError("the chain has no first entry: `ecgstream migrate` makes it")
        return tuple(row)


class Follower:
    """Reads Kafka into the inbox; one thread calls it.

    Args:
        connection: in role ``ecg_sealer``, autocommit.
        reader: a consumer of no group.
        partitions: of every topic.
    """

    def __init__(self, connection: psycopg.Connection, reader: KafkaConsumer, partitions: int) -> None:
        self._connection = connection
        self._reader = reader
        self._known: dict[str, dict[str, Any]] = {}
        sources = [TopicPartition(t.name, p) for t in FOLLOWED for p in range(partitions)]
        rows = connection.execute("SELECT topic, partition, next FROM ecg.audit_position")
        stored = {TopicPartition(topic, partition): offset for topic, partition, offset in rows}
        reader.assign(sources)
        for source in sources:
            if source in stored:
                reader.seek(source, stored[source])
            else:
                reader.seek_to_beginning(source)

    def step(self, patience_s: float) -> int:
        """Take what is there; return how many entries that made."""
        made = 0
        for source, records in self._reader.poll(timeout_ms=round(patience_s * 1000)).items():
            steps = [step for record in records for step in self._steps(source, record)]
            until = records[-1].offset + 1
            said = (source.topic, source.partition, records[0].offset, until, as_json(steps))
            done = self._connection.execute("SELECT ecg.note_log(%s, %s, %s, %s, %s)", said).fetchone()
            if done is None or not done[0]:
                raise AuditError("another sealer has read this already: run one")
            made += len(steps)
        return made

    def _steps(self, source: TopicPartition, record: Any) -> Iterator[Step]:
        if record.value is None:
            return
        try:
            step = step_of(decode(record.value), self._newest)
        except BadRecordError as error:
            at = {"topic": source.topic, "partition": source.partition, "offset": record.offset}
            log.warning("bad_record", error=type(error).__name__, **at)
            return
        if step is None:
            return
        if step.action == "alert":
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[step.object] = step.detail
        yield step

    def _newest(self, alert: str) -> dict[str, Any] | None:
        if alert not in self._known:
            row = self._connection.execute(
                "SELECT content::jsonb -> 'detail' FROM ecg.audit"
                " WHERE kind = 'alert' AND object = %s AND action = 'alert' ORDER BY seq DESC LIMIT 1",
                (alert,),
            ).fetchone()
            if row is None:
                return None
            self._known[alert] = row[0]
        return self._known[alert]


@dataclass(slots=True)
class Shared:
    """What the threads know together.

    Attributes:
        start: that the sealer has started, until it is noted.
        heads: from the chain to the copier.
    """

    start: AuditEntry | None
    heads: queue.SimpleQueue[AuditHead] = field(default_factory=queue.SimpleQueue)


Work = Callable[[Settings, threading.Event, Health, Shared], None]


def run(settings: Settings) -> None:
    """Run the sealer until SIGTERM or Ctrl-C; wait where something is away."""
    set_up_logging(settings, "sealer")
    with serve(settings, "sealer") as health, stop_on_signals() as stop:
        shared = Shared(told.started(settings, str(Service.SEALER)))
        works: dict[Work, Health] = {_chain: health, _copy: Health(), _follow: Health()}
        threads = [
            threading.Thread(target=_again, args=(work, settings, stop, own, shared), name=work.__name__)
            for work, own in works.items()
        ]
        for thread in threads:
            thread.start()
        log.info("sealer_started")
        for thread in threads:
            thread.join()
        log.info("sealer_stopped")


def _again(work: Work, settings: Settings, stop: threading.Event, health: Health, shared: Shared) -> None:
    while not stop.is_set():
        try:
            work(settings, stop, health, shared)
        except psycopg.Error as error:
            metrics.FAILURES.labels("database").inc()
            log.warning("database_away", error=type(error).__name__, sqlstate=error.sqlstate)
        except (KafkaError, BrokerError) as error:
            metrics.FAILURES.labels("kafka").inc()
            log.warning("kafka_away", error=type(error).__name__)
        except AuditError as error:
            metrics.FAILURES.labels("chain").inc()
            log.warning("stands", said=str(error))
        health.beat()
        stop.wait(_BACKOFF_S)


def _chain(settings: Settings, stop: threading.Event, health: Health, shared: Shared) -> None:
    health.ready(is_ready=False)
    with _connect(settings) as connection:
        ours = Chain(connection)
        if shared.start is not None:
            ours.note(shared.start)
            shared.start = None
        sign_at_s = time.monotonic()
        while not stop.is_set():
            health.beat()
            ours.seal()
            if time.monotonic() >= sign_at_s:
                sign_at_s = time.monotonic() + SIGN_S
                health.ready(_sign(ours, settings, shared))
            stop.wait(SEAL_S)
        ours.seal()


def _sign(ours: Chain, settings: Settings, shared: Shared) -> bool:
    """Sign the head; say whether that was done. The chain goes on without."""
    try:
        shared.heads.put(ours.sign(load(settings.audit_key)))
    except AuditError as error:
        metrics.FAILURES.labels("key").inc()
        log.warning("not_signed", said=str(error))
        return False
    return True


def _copy(settings: Settings, stop: threading.Event, health: Health, shared: Shared) -> None:
    check(settings, Service.SEALER)
    with closing(clients.producer(settings)) as producer:
        while not stop.is_set():
            health.beat()
            try:
                head = shared.heads.get(timeout=SEAL_S)
            except queue.Empty:
                continue
            sent = producer.send(topics.AUDIT_HEADS.name, encode(head), key=head.chain)
            sent.get(_SEND_S)  # where it fails, the next minute's speaks for it
            metrics.SIGNED.inc()


def _follow(settings: Settings, stop: threading.Event, health: Health, _shared: Shared) -> None:
    check(settings, Service.SEALER)
    with _connect(settings) as connection, closing(clients.reader(settings)) as reader:
        follower = Follower(connection, reader, settings.partitions)
        while not stop.is_set():
            health.beat()
            follower.step(SEAL_S)


def _connect(settings: Settings) -> psycopg.Connection:
    url = settings.database.get_secret_value()
    return connect(url, autocommit=True, name="ecgstream-sealer", role=ROLE)
