"""A start reads what may go live, and goes on as one that has read everything."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import stretches as module
from devices.parts import parts_of
from devices.rows import Record
from devices.shipper import Shipper
from devices.spool import Spool
from schemas.bundle import Bundle
from tests.devices.lines import FakeLine
from tests.devices.shipping import Gateway
from tests.devices.spooling import bundle

SMALL = 10
NOW_NS = 5


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RECORDS", SMALL)
        yield


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gw.spool")
    yield made
    made.spool.close()


def read_at_start(path: Path) -> list[int]:
    """The records that a start reads, in their order."""
    read: list[int] = []

    class Watched(Spool):
        def _whole(self, row: tuple[object, ...]) -> Record | None:
            read.append(int(str(row[0])))
            return super()._whole(row)

    copy = path.with_name("copy.spool")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    with closing(Watched(copy)) as spool:
        Shipper(spool, gateway="gw", partitions=4)
    return read


def test_behind_an_outage_that_was_planned_for_a_start_reads_the_end(gateway: Gateway) -> None:
    gateway.take(*(bundle(n, "ab") for n in range(300)))
    assert len(read_at_start(gateway.path)) == 300
    gateway.shipper.plan(NOW_NS)
    gateway.spool.commit()
    read = read_at_start(gateway.path)
    assert read == list(range(291, 301))  # a stretch: the one that the live signal goes on in


def test_a_device_that_was_there_for_a_while_and_is_not_late_is_found(gateway: Gateway) -> None:
    gateway.take(*(bundle(n, "abc" if 100 <= n < 105 else "ab") for n in range(300)))
    gateway.shipper.plan(NOW_NS)
    gateway.spool.commit()
    assert read_at_start(gateway.path) == [*range(101, 111), *range(291, 301)]


def test_a_spool_of_before_is_read_whole(gateway: Gateway) -> None:
    gateway.take(*(bundle(n) for n in range(100)))
    gateway.shipper.plan(NOW_NS)
    gateway.spool.commit()
    gateway.spool._connection.execute("DELETE FROM stretch")
    assert len(read_at_start(gateway.path)) == 100


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE stretch SET first = 25 WHERE first = 21",
        "UPDATE stretch SET devices = '[]' WHERE first = 21",
        "UPDATE stretch SET devices = CAST(x'FF22' AS TEXT) WHERE first = 21",
        "UPDATE stretch SET shard = 3 WHERE first = 21",
    ],
)
def test_where_a_row_is_damaged_none_is_believed(gateway: Gateway, damage: str) -> None:
    gateway.take(*(bundle(n) for n in range(100)))
    gateway.shipper.plan(NOW_NS)
    gateway.spool.commit()
    gateway.spool._connection.execute(damage)
    assert len(read_at_start(gateway.path)) == 100


def test_numbers_that_are_used_again_are_of_new_stretches(gateway: Gateway) -> None:
    """All has gone, and a start begins to count anew: what was known of a number is of another record."""
    gateway.take(*(bundle(n, "a") for n in range(55)))
    gateway.drain(FakeLine())
    gateway.spool.commit()
    gateway.restart()
    gateway.take(*(bundle(n, "b") for n in range(100, 300)))
    rows = gateway.spool._connection.execute("SELECT first, devices FROM stretch ORDER BY first").fetchall()
    assert [row for row in rows if row[1] != '["b"]'] == []


def test_stretches_whose_records_have_gone_are_forgotten(gateway: Gateway) -> None:
    line = FakeLine(at_once=True)
    for n in range(200):
        gateway.take(bundle(n))
        gateway.step(line)
        gateway.step(line)
    (kept,) = gateway.spool._connection.execute("SELECT count(*) FROM stretch").fetchone()
    assert kept <= 3


DEVICES = st.sampled_from(["a", "ab", "abc", "b", "c"])


@given(
    stays=st.lists(st.tuples(DEVICES, st.integers(1, 90), st.booleans()), min_size=1, max_size=5),
    sent=st.integers(0, 30),
    plans=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_start_goes_on_as_one_that_has_read_everything(
    stays: list[tuple[str, int, bool]], sent: int, *, plans: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gw.spool"
        gateway, line, seq = Gateway(path), FakeLine(at_once=True), 0
        for devices, seconds, is_past in stays:
            for _ in range(seconds):
                one = bundle(seq, devices, shard=9 + (seq % 7 == 0))
                _take_past(gateway, one) if is_past and seq % 3 == 0 else gateway.take(one)
                seq += 1
            for _ in range(sent):
                gateway.step(line, 0.1)
            if plans:
                gateway.shipper.plan(NOW_NS)
                gateway.spool.commit()
        gateway.die()
        shutil.copy(path, f"{path}-whole")
        with closing(sqlite3.connect(f"{path}-whole")) as whole:
            whole.execute("DELETE FROM stretch")
            whole.commit()
        logs = []
        for one_of_them in (path, Path(f"{path}-whole")):
            again, heard = Gateway(one_of_them), FakeLine()
            again.drain(heard)
            again.spool.close()
            logs.append([(s.topic, s.partition, s.value) for s in heard.log])
        assert logs[0] == logs[1]


def _take_past(gateway: Gateway, one: Bundle) -> None:
    record = gateway.spool.put(one.shard, one.created_ns, one.encode(), parts_of(one), is_live=False)
    gateway.spool.commit()
    gateway.shipper.take(record)
