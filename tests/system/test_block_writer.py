"""Trace blocks in the database: whatever comes in whatever order, cut and repetition, the same rows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from pcodec import ChunkConfig, standalone

from ecgstream.store import tables
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate, migrations
from ecgstream.store.trace_codec import decode_block
from ecgstream.store.traces import Block, TraceBuilder, Wave
from ecgstream.store.writer import Writer
from schemas import topics
from schemas.bundle import Bundle
from schemas.records import MISSING
from tests.system.made import RATE, SECOND, SESSION, packet

DEVICE = "dev-1"
PATIENCE_S = 180.0
DAY_S = 86_400


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def reader(url: str) -> Iterator[psycopg.Connection]:
    with connect(url, autocommit=True) as connection:
        yield connection


def blocks(*packets: int) -> list[Block]:
    """What a builder makes of these packets, in this order, each from the record that it lay in."""
    builder = TraceBuilder()
    for seq in packets:
        builder.add(Bundle.of("gw-1", 0, SESSION, [packet(DEVICE, seq)], []), (topics.INGEST.name, 0), seq)
    return builder.drain()


def block(first_sample: int, samples: Any, *, rate: float = RATE, session: int = SESSION) -> Block:
    filled = np.asarray(samples, np.int16)
    return Block(
        DEVICE, session, 0, first_sample, Wave(1, 0, 0, rate, 200.0, 0.0, None, 40.0, None), session, filled
    )


def stored(reader: psycopg.Connection) -> list[tuple[Any, ...]]:
    return reader.execute("SELECT t.* FROM ecg.trace AS t ORDER BY t").fetchall()


def versions(reader: psycopg.Connection) -> list[tuple[Any, ...]]:
    return reader.execute("SELECT first_sample, xmin FROM ecg.trace WHERE channel = 0 ORDER BY 1").fetchall()


def test_any_order_cut_and_repetition_ends_alike(url: str, reader: psycopg.Connection) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], blocks(*range(35)))
    expected = stored(reader)
    assert len(expected) == 8
    for turn in range(12):
        reader.execute("TRUNCATE ecg.trace")  # the session stays: its origin is what came first
        packets = [*range(35), *chance.choices(range(35), k=turn)]
        chance.shuffle(packets)
        while packets:
            n = chance.randint(1, 9)
            writer.write([], blocks(*packets[:n]))
            packets = packets[n:]
            if chance.random() < 0.3:
                writer.close()
                writer = Writer(connect(url, role="ecg_sink"))
        assert stored(reader) == expected, turn
    writer.close()


def test_what_is_stored_is_not_written_again(url: str, reader: psycopg.Connection) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], blocks(*range(15)))
    before = versions(reader)
    writer.write([], blocks(*range(15)))
    assert versions(reader) == before
    writer.write([], blocks(*range(9, 16)))  # of the first block, nothing new; the second grows
    first, second = versions(reader)
    assert first == before[0]
    assert second != before[1]
    writer.close()


def test_a_time_is_the_one_that_the_database_would_compute(url: str, reader: psycopg.Connection) -> None:
    """As it did for earlier versions: the time is part of the key."""
    chance = random.Random(7)  # noqa: S311 - no secret
    rates = [250.0, 360.0, 62.5, 0.01, 1000.0, 999.7, 1 / 3, 100_000.0]
    made = [
        block(chance.randrange(int(rate * 10**digits)), [1], rate=rate, session=SESSION + i)
        for i, digits in enumerate([2, 3, 4, 5, 6] * 10 + [9])
        for rate in rates
    ]
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], made)
    writer.close()
    assert reader.execute(
        "SELECT count(*), count(*) FILTER (WHERE time <>"
        " ecg.at_ns(s.origin_ns + (first_sample / rate * 1e9)::bigint))"
        " FROM ecg.trace JOIN ecg.session AS s USING (device, session)"
    ).fetchone() == (len(made), 0)


def test_a_block_of_an_earlier_version_is_filled(url: str, reader: psycopg.Connection) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], [block(0, [1, 2, MISSING, 4])])
    old = standalone.simple_compress(np.array([1, 2, MISSING, 4], np.int16), ChunkConfig(compression_level=8))
    reader.execute("UPDATE ecg.trace SET codec = 'pcodec', data = %s", (old,))
    writer.write([], [block(0, [MISSING, MISSING, 3, MISSING, 5])])
    writer.close()
    with connect(url, role="ecg_sink") as connection:
        assert np.array_equal(_read(connection), [1, 2, 3, 4, 5])


def test_a_stored_block_that_cannot_be_read_is_replaced(url: str, reader: psycopg.Connection) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], [block(0, [1, 2]), block(2500, [3])])
    reader.execute("UPDATE ecg.trace SET data = 'nonsense' WHERE first_sample = 0")
    writer.write([], [block(0, [7, 8, 9])])
    writer.close()
    assert np.array_equal(_read(reader), [7, 8, 9])


def test_a_block_that_comes_in_between_is_merged(url: str, reader: psycopg.Connection) -> None:
    """Without the partition's lock, as nobody should: the unique key tells, and nothing is refused."""
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], [block(2500, [0])])  # so that the session is there
    other = connect(url, role="ecg_sink")
    intruder = Writer(other)
    with other.transaction():
        intruder.write([], [block(0, [1, MISSING])])
        late = threading.Thread(target=writer.write, args=([], [_of_partition(1, block(0, [MISSING, 2]))]))
        late.start()
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        deadline = time.monotonic() + PATIENCE_S
        while reader.execute(waits).fetchone() is None:
            assert late.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    late.join(PATIENCE_S)
    assert not late.is_alive()
    assert np.array_equal(_read(reader), [1, 2])
    writer.close()
    intruder.close()


def _of_partition(partition: int, of: Block) -> Block:
    of.source = (topics.INGEST.name, partition)
    return of


def test_a_writer_that_was_overtaken_merges_all_the_same(url: str, reader: psycopg.Connection) -> None:
    """A paused sink holds for new what another one stored meanwhile."""
    paused, other = (Writer(connect(url, role="ecg_sink")) for _ in range(2))
    paused.write([], [block(0, [1])])
    other.write([], [block(2500, [2, MISSING, 4]), block(5000, [5])])
    paused.write([], [block(2500, [2, 3]), block(5000, [5, 6]), block(7500, [7])])
    assert [_read(reader, first).tolist() for first in (0, 2500, 5000, 7500)] == [[1], [2, 3, 4], [5, 6], [7]]
    paused.write([], [block(2500, [MISSING, MISSING, MISSING, 8]), block(10_000, [9])])
    assert [_read(reader, first).tolist() for first in (2500, 10_000)] == [[2, 3, 4, 8], [9]]
    paused.close()
    other.close()


def test_what_is_known_to_be_new_is_not_asked_for(url: str, reader: psycopg.Connection) -> None:
    connection = connect(url, role="ecg_sink")
    writer = Writer(connection)
    writer.write([], [block(0, [1])])
    asked = _spied(connection)
    writer.write([], [block(2500, [2])])
    assert not asked
    writer.write([], [block(2500, [2, 3]), block(5000, [4])])
    writer.write([], [block(0, [1, 2]), block(7500, [5])])
    assert len(asked) == 2
    assert [_read(reader, first).tolist() for first in (0, 2500)] == [[1, 2], [2, 3]]
    writer.close()


def _spied(connection: psycopg.Connection) -> list[Any]:
    """What the connection copies of keys from now on."""
    asked: list[Any] = []

    class Spied(psycopg.Cursor[Any]):
        def copy(self, statement: Any, *args: Any, **more: Any) -> Any:
            if statement == tables.BLOCK_KEY.copy:
                asked.append(statement)
            return super().copy(statement, *args, **more)

    connection.cursor_factory = Spied
    return asked


def test_a_rolled_back_origin_is_not_remembered(url: str, reader: psycopg.Connection) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    bad = block(0, [1])
    bad.device = "dev\0"
    with pytest.raises(psycopg.DataError):
        writer.write([], [block(0, [1]), bad])
    assert stored(reader) == []
    reader.execute("INSERT INTO ecg.session VALUES (%s, %s, %s)", (DEVICE, SESSION, SESSION + 5 * SECOND))
    writer.write([], [block(0, [1])])  # another sink was first
    writer.close()
    assert reader.execute(
        "SELECT time = ecg.at_ns(%s) FROM ecg.trace", (SESSION + 5 * SECOND,)
    ).fetchall() == [(True,)]


def test_only_chunks_of_the_times_that_come_are_asked(
    timescale_url: str, new_database: Callable[[str], str]
) -> None:
    url = new_database(timescale_url)
    migrate(url)
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([], [block(day * DAY_S * RATE, [1]) for day in range(4)])
    writer.close()
    with connect(url, autocommit=True) as owner:
        owner.execute(tables.BLOCK_KEY.stage)
        for days in ((1, 1), (0, 3)):
            bounds = [datetime.fromtimestamp(SESSION // SECOND + d * DAY_S, UTC) for d in days]
            plan = owner.execute("EXPLAIN " + tables.BLOCK_KEY.upsert, bounds, prepare=False).fetchall()
            assert "".join(line for (line,) in plan).count("on _hyper") == days[1] - days[0] + 1


def test_blocks_stay_in_their_rows_in_chunks_that_are_there_too(database_url: str) -> None:
    migrate(database_url, [m for m in migrations() if m.number != 6])
    with connect(database_url, autocommit=True) as owner:
        writer = Writer(connect(database_url, role="ecg_sink"))
        noise = np.random.default_rng(1).integers(-1000, 1000, 2500)
        writer.write([], [block(0, noise)])
        migrate(database_url)
        writer.write([], [block(2500, noise), block(2500 * DAY_S, noise)])
        writer.close()
        sizes = owner.execute(
            "SELECT first_sample, pg_relation_size(c.reltoastrelid) > 0 FROM ecg.trace AS t"
            " JOIN pg_class AS c ON c.oid = t.tableoid ORDER BY 1"
        ).fetchall()
        kept = owner.execute(
            "SELECT count(*), count(*) FILTER (WHERE 'toast_tuple_target=8160' = ANY(reloptions))"
            " FROM pg_class WHERE oid IN (SELECT tableoid FROM ecg.trace)"
        ).fetchone()
    assert kept is not None
    assert kept[0] == kept[1]
    if kept[0] > 1:  # the second chunk has nothing outside of its rows
        assert sizes[-1] == (2500 * DAY_S, False)


def _read(reader: psycopg.Connection, first_sample: int = 0) -> Any:
    query = "SELECT codec, data, n FROM ecg.trace WHERE first_sample = %s"
    row = reader.execute(query, (first_sample,), binary=True).fetchone()
    assert row is not None
    return decode_block(*row)
