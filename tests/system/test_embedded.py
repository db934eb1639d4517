"""The embedded services, for real: data, restarts, neighbours, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import kafka_is_here
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.postgres import EmbeddedPostgres
from tests.system import services
from tests.system.conftest import lacking

# kafka-python reads its schemas by a deprecated function while it is imported
pytestmark = pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning")

ROUND_TRIP = """\
CREATE TABLE beat (at timestamptz PRIMARY KEY, code text NOT NULL);
INSERT INTO beat VALUES ('2024-02-29T12:00:00Z', 'V');
"""


@pytest.fixture(scope="module")
def jars() -> None:
    try:
        services.kafka_classpath()
    except ServiceUnavailableError as error:
        lacking(error)


def make_topic(bootstrap: str, topic: str) -> None:
    from kafka.admin import KafkaAdminClient, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()


def send(bootstrap: str, topic: str, value: bytes) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(topic, value).get(30)
    producer.close()


def receive(bootstrap: str, topic: str, count: int) -> list[bytes]:
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    values = []
    for record in consumer:
        values.append(record.value)
        if len(values) == count:
            break
    consumer.close()
    return values


def children_of(mark: str) -> list[int]:
    """The processes whose working directory lies below a path."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            directory = (process / "cwd").readlink()
        except OSError:
            continue
        if str(directory).startswith(mark):
            found.append(int(process.name))
    return found


def until(condition: Callable[[], bool], patience_s: float = 20.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_broker_keeps_its_records_and_a_neighbour(jars: None, tmp_path: Path) -> None:
    directory = tmp_path / "a broker, with a comma"
    with EmbeddedKafka(directory) as one:
        make_topic(one.bootstrap, "beats")
        send(one.bootstrap, "beats", b"first")
        before = one.bootstrap
    assert children_of(str(tmp_path)) == []

    with EmbeddedKafka(tmp_path / "neighbour") as neighbour, EmbeddedKafka(directory) as one:
        assert len({before, neighbour.bootstrap, one.bootstrap}) == 3
        send(one.bootstrap, "beats", b"second")
        assert receive(one.bootstrap, "beats", 2) == [b"first", b"second"]
    assert children_of(str(tmp_path)) == []


def test_no_topic_comes_of_a_mistyped_name(kafka: str) -> None:
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    producer = KafkaProducer(bootstrap_servers=kafka, max_block_ms=2_000)
    with pytest.raises(KafkaError):
        producer.send("no-such-topic", b"x").get(10)
    producer.close()


def test_a_directory_serves_one_broker(jars: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as one:
        monkeypatch.setattr("ecgstream.embedded.broker.lock_directory", lambda _: None)
        with pytest.raises(ServiceUnavailableError, match="another process uses"):
            EmbeddedKafka(tmp_path / "kafka").start()
        make_topic(one.bootstrap, "still-here")


def test_a_broker_that_fails_shows_its_log(jars: None, tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka"):
        pass
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")
    with pytest.raises(ServiceUnavailableError, match=r"(?s)does not start\. The end of .*kafka\.log:.*node"):
        EmbeddedKafka(tmp_path / "kafka").start()
    assert children_of(str(tmp_path)) == []


@pytest.mark.parametrize("name", ["plain", "with a space, a comma and 'quotes'", "/".join(["x" * 120] * 4)])
def test_a_database_keeps_its_rows_wherever_it_lies(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    with EmbeddedPostgres(directory) as server, psycopg.connect(server.url) as connection:
        connection.execute(ROUND_TRIP)
    with EmbeddedPostgres(directory) as server, psycopg.connect(server.url) as connection:
        row = connection.execute(
            "SELECT code, at::text, current_database(), current_setting('fsync') FROM beat"
        ).fetchone()
        assert row == ("V", "2024-02-29 12:00:00+00", "ecgstream", "on")
    assert children_of(str(tmp_path)) == []


def test_nobody_logs_in_as_a_person_to_a_server_that_has_no_pgaudit(tmp_path: Path) -> None:
    """Also to a folder that an older version made, and with a login that it let somebody have."""
    with EmbeddedPostgres(tmp_path / "pg") as server, psycopg.connect(server.url, autocommit=True) as owner:
        owner.execute("CREATE ROLE person_li LOGIN")
        owner.execute("CREATE ROLE sink_1 LOGIN")
    (tmp_path / "pg" / "pg_hba.conf").unlink()
    (tmp_path / "pg" / "data" / "pg_hba.conf").write_text("local all all trust\n")
    with EmbeddedPostgres(tmp_path / "pg") as server:
        psycopg.connect(server.url, user="sink_1").close()
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
            psycopg.connect(server.url, user="person_li")


def test_databases_side_by_side(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "one") as one, EmbeddedPostgres(tmp_path / "other") as other:
        assert one.url != other.url
        for url in (one.url, other.url):
            with psycopg.connect(url) as connection:
                connection.execute(ROUND_TRIP)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home to keep shut")
def test_a_directory_above_the_data_stays_shut(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    with EmbeddedPostgres(shut / "data"):
        assert shut.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("service", ["kafka.EmbeddedKafka", "postgres.EmbeddedPostgres"])
def test_nothing_outlives_a_killed_parent(jars: None, tmp_path: Path, service: str) -> None:
    module, name = service.split(".")
    program = f"""
import threading, time
from pathlib import Path
from ecgstream.embedded.{module} import {name}
# started by a thread that ends long before its process does
thread = threading.Thread(target=lambda: print({name}(Path({str(tmp_path)!r})).start(), flush=True))
thread.start()
thread.join()
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() != b""
        time.sleep(0.5)
        assert children_of(str(tmp_path)) != []  # the thread's end did not end the service
        parent.send_signal(signal.SIGKILL)
    assert until(lambda: children_of(str(tmp_path)) == [])
    # and its directory is good for the next
    if module == "postgres":
        with EmbeddedPostgres(tmp_path) as server, psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    else:
        with EmbeddedKafka(tmp_path) as broker:
            make_topic(broker.bootstrap, "again")


def test_a_fresh_database_each(database_url: str, request: pytest.FixtureRequest) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(ROUND_TRIP)  # fails where a test before left its table
        available = connection.execute(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
    assert available == (int("timescale" in request.node.name),)


def test_the_jars_stay_in_the_cache(jars: None) -> None:
    assert kafka_is_here()
