"""What the sink keeps of a device: the newest wins, in whatever order and cut the records come."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import numpy as np
import psycopg
import pytest

from ecgstream.store import rows, tables
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.rows import Rows
from ecgstream.store.writer import Writer
from schemas import codec, mdc, topics
from schemas.batches import Rhythms
from schemas.bundle import Bundle
from schemas.records import Channel, ClockCorrection, Control, Packet, Vital
from schemas.wfdb import RHYTHMS
from tests.system.made import RATE, SECOND, SESSION

MILLISECOND = SECOND // 1000
DEVICE = "dev-1"


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


def bundle(
    received_ms: int,
    *,
    skew_ms: int | None = None,
    battery: float | None = None,
    session: int = 1,
    by: int = 1,
) -> Rows:
    """A gateway's record of one device: a packet with this skew, a charge, or a vital sign alone."""
    at = SESSION + received_ms * MILLISECOND
    packets = []
    if skew_ms is not None:
        lead = Channel(mdc.LEADS["II"], 0, 0, RATE, 200.0, np.zeros(RATE, np.int16))
        packets = [Packet(DEVICE, session, 0, 0, at - SECOND + skew_ms * MILLISECOND, at, [lead])]
    vitals = [Vital(DEVICE, session, at, mdc.SPO2, 97.0)]
    if battery is not None:
        vitals.append(Vital(DEVICE, session, 5, mdc.BATTERY_CHARGE, battery))  # its clock may say anything
    return rows.of_bundle(Bundle.of(f"gw-{by}", 0, at, packets, vitals), 1)


def rhythm(session: int, sample: int, name: str, generation: int = 1) -> Rows:
    one = np.ones(1, np.int64)
    index = np.array([RHYTHMS.index(name)], np.uint8)
    batch = Rhythms(
        0, generation, "1", [DEVICE], 0 * one, session * one, sample * one, SESSION + sample * one, index, one
    )
    return rows.OF[topics.RHYTHMS.name](batch.encode())


def corrected(at_ms: int, ahead_ms: int) -> Rows:
    at_ns = SESSION + at_ms * MILLISECOND
    change = ClockCorrection(ahead_ms * MILLISECOND)
    control = Control("i", DEVICE, 1, at_ms, at_ns, "gw-1", change)
    return rows.of_control(control, codec.encode(control), at_ms)


WORDS = [
    corrected(900, 3_600_000),
    corrected(2900, -500),
    bundle(1000, skew_ms=-40),
    bundle(3000, skew_ms=70),
    bundle(3000, skew_ms=90),  # came in one with the one before
    bundle(2000, skew_ms=10, battery=60.0),
    bundle(4000, battery=50.0, session=2),  # no packet: it tells nothing of the clock
    bundle(2500, battery=55.0),
    bundle(4000, session=2, by=2),
    rhythm(1, 250, "N"),
    rhythm(1, 900, "VT"),
    rhythm(2, 100, "AFIB"),
    rhythm(2, 50, "N"),
]
FOUND = (
    *("gw-2", 2, SESSION + 900 * MILLISECOND, SESSION + 4 * SECOND),
    *(SESSION + 3 * SECOND, 90.0, SESSION + 4 * SECOND, 50.0, "AFIB", SESSION + 100),
    *(-500 * MILLISECOND, -410.0, 2),
)


def found(connection: psycopg.Connection) -> Any:
    return connection.execute(
        "SELECT gateway, session, first_seen_ns, last_seen_ns, skew_ns, skew_ms, battery_ns, battery_percent,"
        " rhythm, rhythm_ns, clock_ahead_ns, own_skew_ms, (SELECT count(*) FROM ecg.clock_correction)"
        " FROM ecg.device WHERE device = %s",
        (DEVICE,),
    ).fetchone()


def test_any_order_cut_and_repetition_ends_alike(url: str) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    with connect(url, autocommit=True) as reader:
        for turn in range(30):
            reader.execute("TRUNCATE ecg.device, ecg.rhythm, ecg.clock_correction")
            words = WORDS + chance.choices(WORDS, k=turn % 4)
            chance.shuffle(words)
            writer = Writer(connect(url, role="ecg_sink"))
            while words:
                n = chance.randint(1, len(words))
                writer.write(words[:n], ())
                words = words[n:]
            assert found(reader) == FOUND, turn
            writer.close()


def test_a_rhythm_that_is_corrected_is_followed(url: str) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([bundle(1000, skew_ms=0), rhythm(1, 250, "VT", generation=2)], ())
    with connect(url, autocommit=True) as reader:
        assert found(reader)[8] == "VT"
        writer.write([rhythm(1, 250, "N", generation=1)], ())  # of a stale worker
        assert found(reader)[8] == "VT"
        writer.write([rhythm(1, 250, "N", generation=3)], ())
        assert found(reader)[8] == "N"
    writer.close()


def test_a_sink_that_waited_for_another_sees_what_that_one_wrote(url: str) -> None:
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write([bundle(1000, skew_ms=0)], ())
    with connect(url, role="ecg_sink") as other, connect(url, autocommit=True) as reader:
        other.execute(tables.LOCK_DEVICES, ([DEVICE],))
        other.execute(
            "INSERT INTO ecg.rhythm VALUES (%s, 1, 900, %s, now(), 'VT', 1, 1, '1')", (DEVICE, SESSION + 900)
        )
        other.execute(tables.FOLLOW_RHYTHM, ([DEVICE],))
        older = threading.Thread(target=writer.write, args=([rhythm(1, 250, "N")], ()))
        older.start()
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while reader.execute(waits).fetchone() is None:
            assert older.is_alive()
            time.sleep(0.01)
        other.commit()
        older.join(30)
        assert found(reader)[8] == "VT"
    writer.close()
