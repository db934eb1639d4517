"""What a spool notes beside its records is forgotten where the disk has damaged it, and no record with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devices.errors import SpoolDamagedError
from devices.ledger import Play
from devices.spool import Spool
from devices.tally import Lost
from tests.devices.lines import FakeLine, ends, seqs
from tests.devices.shipping import Gateway
from tests.devices.spooling import bundle


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gw.spool")
    yield made
    made.spool.close()


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as disk:
        assert disk.execute(statement).rowcount == 1
        disk.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gap SET from_record = from_record + 32",
        "UPDATE gap SET to_record = to_record + 4611686018427387904",
        "UPDATE gap SET from_sample = -1",
        "UPDATE gap SET device = 'b'",
        "UPDATE gap SET device = CAST(x'FF' AS TEXT)",
        "UPDATE gap SET shard = 5",
    ],
)
def test_a_backlog_without_its_gap_is_planned_for_anew(gateway: Gateway, statement: str) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(200)))
    gateway.step(line)
    line.acknowledge()
    for _ in range(40):
        gateway.step(line, 0.1)
        line.acknowledge()
    gateway.step(line)
    gateway.spool.commit()
    gateway.die()
    damage(gateway.path, statement)
    gateway.restart()
    again = FakeLine()
    gateway.drain(again)
    sent = line.log + again.log
    assert sorted({*seqs(sent), *seqs(sent, "ecg.backfill")}) == list(range(200))
    assert {end.device for end in ends(again.log)} == {"a"}
    assert gateway.spool.tally.lost == Lost()
    gateway.spool.commit()
    assert gateway.spool.gaps() == []


def test_a_device_without_its_course_is_as_one_that_is_new(gateway: Gateway) -> None:
    for device in "ab":
        gateway.spool.come(device, b"a course")
    gateway.spool.commit()
    gateway.die()
    damage(gateway.path, "UPDATE course SET value = x'61' WHERE device = 'a'")
    gateway.restart()
    assert gateway.spool.courses() == {"b": b"a course"}
    gateway.spool.come("a", b"another")
    gateway.spool.commit()
    gateway.restart()
    assert gateway.spool.courses() == {"a": b"another", "b": b"a course"}


def test_a_time_that_is_damaged_makes_nothing_too_old(tmp_path: Path) -> None:
    now_s = [0.0]
    path = tmp_path / "gw.spool"
    with closing(Spool(path, steady_s=lambda: now_s[0])) as spool:
        now_s[0] = 500.0
        spool.tally.lose(Lost(numbers=3))
        spool.put(1, 0, b"", [])
    damage(path, "UPDATE tally SET ran_s = ran_s + 1073741824")
    with closing(Spool(path, steady_s=lambda: now_s[0])) as spool:
        assert (spool.tally.ran_s, spool.tally.lost) == (500, Lost())
        now_s[0] += 7.0
        spool.put(1, 0, b"", [])
    with closing(Spool(path, steady_s=lambda: now_s[0])) as spool:
        assert spool.tally.ran_s == 507


def test_a_play_that_is_damaged_begins_anew(gateway: Gateway) -> None:
    play = Play("ward", 5, 6, 1.0, 1.0, ("a", "b"))
    gateway.spool.begin(play)
    gateway.spool.commit()
    gateway.die()
    damage(gateway.path, "UPDATE play SET first_record = 9223372036854775807")
    gateway.restart()
    assert gateway.spool.play is None
    assert gateway.spool.begin(play) == play


def test_numbers_beyond_all_that_can_be_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "gw.spool"
    with closing(Spool(path)) as spool:
        spool.put(1, 0, b"", [])
    damage(path, "UPDATE record SET number = 9223372036854775807")
    with pytest.raises(SpoolDamagedError, match="numbers that cannot be"):
        Spool(path)


def test_a_text_that_is_none_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "gw.spool"
    with closing(Spool(path)) as spool:
        spool.begin(Play("ward", 5, 6, 1.0, 1.0, ("a",)))
        spool.commit()
    with closing(sqlite3.connect(path)) as disk:
        disk.execute("INSERT INTO sent VALUES (CAST(x'FF' AS TEXT), 1, 1, 1, 1, 1, 1, 1)")
        disk.commit()
    with pytest.raises(SpoolDamagedError, match="set aside"):
        Spool(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET size = 'many'",
        "UPDATE record SET spooled_ns = 'late'",
        "UPDATE body SET value = 'text'",
    ],
)
def test_a_value_of_another_kind_is_a_damaged_record(gateway: Gateway, statement: str) -> None:
    """STRICT keeps it out on the way in, and looks at nothing on the way back."""
    gateway.take(bundle(0), bundle(1))
    gateway.die()
    with closing(sqlite3.connect(gateway.path)) as disk:
        disk.execute("PRAGMA writable_schema = 1")
        disk.execute("UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')')")
        disk.commit()
    damage(gateway.path, f"{statement} WHERE number = 1")
    gateway.restart()
    line = FakeLine()
    gateway.drain(line)
    assert seqs(line.log) == [1]
    assert gateway.spool.tally.lost == Lost(records=1)
