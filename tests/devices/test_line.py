"""The line with a producer that the test answers for."""

from typing import Any

import pytest

from devices import line as module
from devices.errors import LineError
from devices.line import Line, Outcome
from schemas.topics import BACKFILL, INGEST

KafkaError = module.KafkaError


class Future:
    def __init__(self) -> None:
        self.then: list[Any] = []

    def add_callback(self, callback: Any) -> None:
        self.then.append(callback)

    def add_errback(self, errback: Any) -> None:
        self.then.append(errback)

    def answer(self, error: Exception | None = None) -> None:
        self.then[0](None) if error is None else self.then[1](error)


class Producer:
    """Knows two partitions of any topic."""

    def __init__(self, **config: Any) -> None:
        self.config = config
        self.given: list[tuple[Any, ...]] = []
        self.futures: list[Future] = []
        self.closed_with: float | None = None
        self.given_up = False
        self.refuses: Exception | None = None
        self.unknown = ""
        self._sender = self

    def partitions_for(self, topic: str) -> set[int]:
        if topic == self.unknown:
            raise KafkaError("no metadata")
        return {0, 1}

    def send(self, topic: str, *, value: bytes, key: bytes | None, partition: int) -> Future:
        if self.refuses:
            raise self.refuses
        self.given.append((topic, partition, value, key))
        self.futures.append(Future())
        return self.futures[-1]

    def force_close(self) -> None:
        self.given_up = True

    def close(self, timeout: float) -> None:
        self.closed_with = timeout


def listens(address: str, patience_s: float) -> None:
    assert address == "nowhere:1"


def connected(partitions: int = 2, **more: Any) -> tuple[Line, Producer]:
    made: list[Producer] = []

    def make(**config: Any) -> Producer:
        made.append(Producer(**config))
        made[-1].unknown = more.get("unknown", "")
        return made[-1]

    woken = more.get("wake", lambda: None)
    return Line("nowhere:1", [INGEST, BACKFILL], partitions, wake=woken, reached=listens, make=make), made[0]


def test_what_is_sent_is_told_of_once_each_whatever_became_of_it() -> None:
    woken: list[int] = []
    line, producer = connected(wake=lambda: woken.append(1))
    line.send(INGEST, 1, b"one", 7)
    line.send(BACKFILL, 0, b"two", 8, key=b"dev")
    assert producer.given == [("ecg.ingest", 1, b"one", None), ("ecg.backfill", 0, b"two", b"dev")]
    assert line.outcomes() == []
    producer.futures[0].answer()
    producer.futures[1].answer(KafkaError("broken"))
    assert len(woken) == 2
    assert line.outcomes() == [Outcome(7, ""), Outcome(8, "KafkaError: broken")]
    assert line.outcomes() == []
    line.close(in_order=True)
    assert not producer.given_up


@pytest.mark.parametrize("error", [KafkaError("broken"), ValueError("no such partition")])
def test_what_cannot_be_sent_is_said_at_once(error: Exception) -> None:
    line, producer = connected()
    producer.refuses = error
    with pytest.raises(LineError, match=str(error)):
        line.send(INGEST, 1, b"one", 7)
    line.close(in_order=False)
    assert producer.given_up
    assert producer.closed_with is not None


def test_a_producer_waits_for_all_replicas_and_repeats_nothing() -> None:
    _, producer = connected()
    wanted = {"acks": "all", "enable_idempotence": True, "compression_type": "zstd"}
    assert {name: producer.config[name] for name in wanted} == wanted


def test_a_broker_that_is_not_there_is_said() -> None:
    def absent(**_: Any) -> None:
        raise KafkaError("NoBrokersAvailable")

    with pytest.raises(LineError, match="no broker answers at nowhere:1"):
        Line("nowhere:1", [INGEST], 2, reached=listens, make=absent)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", r"no broker answers at 127\.0\.0\.1:1 \(Connection refused\)"),
        ("127.0.0.1:1,[::1]:1", r"127\.0\.0\.1:1 .*, \[::1\]:1 "),
        ("127.0.0.1", "no broker answers at 127"),
    ],
)
def test_where_nobody_listens_no_producer_is_made(address: str, says: str) -> None:
    with pytest.raises(LineError, match=says):
        Line(address, [INGEST], 2, make=lambda **_: pytest.fail("made"))


def test_a_topic_that_is_not_as_it_must_be_is_said_and_the_connection_let_go() -> None:
    with pytest.raises(LineError, match=r"topic ecg\.ingest has 2 partitions, the settings say 3"):
        connected(3)
    with pytest.raises(LineError, match=r"topic ecg\.backfill is not there, or not for us"):
        connected(unknown="ecg.backfill")
