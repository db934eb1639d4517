"""A disk that gives back other bits than it took: what is damaged is lost and counted, all else goes on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.backlog import WINDOW
from devices.rows import Record, head_of, record_of
from devices.spool import Spool
from devices.tally import Lost
from tests.devices.lines import FakeLine, ends, seqs
from tests.devices.shipping import Gateway
from tests.devices.spooling import bundle

BODY = "UPDATE body SET value = CAST(substr(value, 1, 300) || x'5A' || substr(value, 302) AS BLOB)"
SWAPPED = "UPDATE body SET value = (SELECT value FROM body WHERE number = 1)"
HEADS = [
    "UPDATE record SET shard = shard + 1",
    "UPDATE record SET live = 1 - live",
    "UPDATE record SET spooled_ns = spooled_ns + 256",
    "UPDATE record SET ran_s = ran_s + 256",
    "UPDATE record SET level = 1",
    "UPDATE record SET parts = replace(parts, ',1,', ',2,')",
    "UPDATE record SET parts = replace(parts, ']', '}')",
    "UPDATE record SET parts = CAST(x'5B22FF22' AS TEXT)",
]


def damage(path: Path, statement: str, *numbers: int) -> None:
    with closing(sqlite3.connect(path)) as disk:
        for number in numbers:
            disk.execute(f"{statement} WHERE number = ?", (number,))
        disk.commit()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gw.spool")
    yield made
    made.spool.close()


def damaged(gateway: Gateway, statement: str, *numbers: int) -> None:
    """The gateway dies, its disk loses bits of these, and it is started again."""
    gateway.die()
    damage(gateway.path, statement, *numbers)
    gateway.restart()


@pytest.mark.parametrize("statement", [BODY, SWAPPED, *HEADS])
def test_a_damaged_record_is_not_sent_and_all_others_are(gateway: Gateway, statement: str) -> None:
    gateway.take(*(bundle(n) for n in range(20)))
    damaged(gateway, statement, 3, 12)
    line = FakeLine()
    gateway.drain(line)
    assert seqs(line.log) == [n for n in range(20) if n + 1 not in (3, 12)]
    assert gateway.spool.tally.lost == Lost(records=2)
    assert gateway.spool.tally.lost_ns is not None
    assert (gateway.spool.held().records, gateway.spool.held().bytes) == (0, 0)


@pytest.mark.parametrize("statement", [BODY, HEADS[0]])
def test_a_damaged_record_stops_neither_live_nor_backlog(gateway: Gateway, statement: str) -> None:
    """The first, the one that overtakes, and two of the backlog are damaged."""
    gateway.take(*(bundle(n, "ab") for n in range(100)))
    damaged(gateway, statement, 1, WINDOW + 1, 50, 100)
    line = FakeLine()
    gateway.drain(line)
    sent = seqs(line.log) + seqs(line.log, "ecg.backfill")
    assert sorted(sent) == [n for n in range(100) if n + 1 not in (1, WINDOW + 1, 50, 100)]
    assert len(ends(line.log)) == 2
    assert gateway.spool.tally.lost.records == 4


def test_what_is_damaged_while_the_gateway_runs_is_lost_alone(gateway: Gateway) -> None:
    gateway.take(*(bundle(n) for n in range(40)))
    gateway.spool._connection.execute(f"{BODY} WHERE number = 2")
    gateway.spool._connection.execute(f"{HEADS[0]} WHERE number = 5")
    line = FakeLine()
    gateway.drain(line)
    assert seqs(line.log) == [n for n in range(40) if n not in (1, 4)]
    assert gateway.spool.tally.lost == Lost(records=2)


def test_what_was_lost_is_known_behind_a_restart(gateway: Gateway) -> None:
    gateway.take(bundle(0), bundle(1))
    damaged(gateway, BODY, 1)
    gateway.drain(FakeLine())
    gateway.spool.commit()
    at_ns = gateway.spool.tally.lost_ns
    for _ in range(2):
        gateway.restart()
        assert (gateway.spool.tally.lost, gateway.spool.tally.lost_ns) == (Lost(records=1), at_ns)


def test_a_record_of_before_checksums_is_sent_unless_it_cannot_be_read(gateway: Gateway) -> None:
    gateway.take(*(bundle(n) for n in range(3)))
    gateway.die()
    damage(gateway.path, "UPDATE record SET crc = NULL", 1, 2)
    damage(gateway.path, "UPDATE body SET crc = NULL", 1, 2)
    damage(gateway.path, HEADS[-1], 2)
    gateway.restart()
    line = FakeLine()
    gateway.drain(line)
    assert seqs(line.log) == [0, 2]


def test_a_record_of_before_checksums_that_cannot_be_taken_apart_is_lost_alone(gateway: Gateway) -> None:
    """a comes late, b is live: in the last records their ways part."""
    gateway.take(*(bundle(n, "ab" if n > 70 else "a") for n in range(100)))
    gateway.spool._connection.execute("UPDATE body SET value = x'00', crc = NULL WHERE number = 81")
    line = FakeLine()
    gateway.drain(line)
    assert seqs(line.log, device="b") == [n for n in range(71, 100) if n != 80]
    assert seqs(line.log) == [99]
    assert seqs(line.log, "ecg.backfill") == [n for n in range(99) if n != 80]
    assert gateway.spool.tally.lost == Lost(records=1)


def test_a_head_says_whether_any_of_it_has_changed() -> None:
    record = Record(5, 3, 10, [], spooled_ns=11, ran_s=7, level=1)
    head = [v.encode() if isinstance(v, str) else v for v in head_of(record)]
    assert record_of(tuple(head)) == record
    for at, value in enumerate(head):
        other = [*head]
        other[at] = value + (b" " if isinstance(value, bytes) else 1)  # type: ignore[operator]
        assert record_of(tuple(other)) is None


@given(st.binary(max_size=200) | st.text("[]{}\"',:0123e-nul", max_size=60).map(str.encode))
def test_a_head_without_a_checksum_is_read_or_damaged_whatever_stands_in_it(raw: bytes) -> None:
    found = record_of((5, 3, 1, 11, 10, raw, 0, 7, None))
    assert found is None or found.number == 5


def test_a_head_that_is_nested_without_end_is_damaged() -> None:
    assert record_of((5, 3, 1, 11, 10, b"[" * 200_000, 0, 7, None)) is None


def test_how_long_it_has_run_goes_on_behind_a_restart_and_never_back(tmp_path: Path) -> None:
    now_s = [1000.0]
    for begin_s, ran_s in ((1000.0, 0), (5.0, 90), (77.0, 180)):
        now_s[0] = begin_s  # a machine's steady clock begins anew with it
        with closing(Spool(tmp_path / "gw.spool", steady_s=lambda: now_s[0])) as spool:
            assert spool.tally.ran_s == ran_s
            now_s[0] += 90.0
            assert spool.put(1, 0, b"", []).ran_s == ran_s + 90
