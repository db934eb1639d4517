"""The spool's file outlives whatever happens to the process and to the disk."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from devices import spool as module
from devices import spool_file
from devices.backlog import Gap, Part, Plan, Run
from devices.errors import SpoolDamagedError, SpoolError
from devices.ledger import Mark, Play, Sent
from devices.rows import Record
from devices.spool import Spool

PLAY = Play("ward", 5, 6, 1.0, 1.0, ("a", "b"))


def parts(seq: int, device: str = "a") -> list[Part]:
    return [Part(device, (Run(7, 1, seq, seq, seq * 250, float(seq), seq + 1.0),), ())]


def put(spool: Spool, count: int, size: int = 1000, shard: int = 3) -> list[Record]:
    begin = spool.held().records
    return [spool.put(shard, 100 + n, bytes([n % 256]) * size, parts(n)) for n in range(begin, begin + count)]


def done(spool: Spool, record: Record, *, is_all: bool = True) -> None:
    spool.acknowledged(record, record.parts, record.size, is_all=is_all)


@contextmanager
def reopened(path: Path) -> Iterator[Spool]:
    with closing(Spool(path)) as spool:
        yield spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "gw.spool"


def test_what_is_committed_is_there_again_until_it_is_acknowledged(path: Path) -> None:
    with reopened(path) as spool:
        first, second, third = put(spool, 3)
        assert spool.commit()
        done(spool, second)
        assert (spool.undeleted(3), spool.held().records) == (1, 2)
        assert spool.commit()
        assert spool.undeleted(3) == 0
    with reopened(path) as spool:
        assert list(spool.records()) == [first, third]
        assert (spool.record(third.number), spool.read(third.number)) == (third, b"\2" * 1000)
        assert (spool.held().records, spool.held().bytes, spool.held().oldest_ns) == (2, 2000, 100)
        done(spool, first)
        assert spool.held().oldest_ns == 102
        done(spool, third)
        assert spool.is_empty
        assert spool.held().oldest_ns is None


def test_a_number_is_never_used_again_while_a_gap_may_name_it(path: Path) -> None:
    with reopened(path) as spool:
        records = put(spool, 5)
        gap = Gap("a", records[0].number, records[4].number, 7, 1000, 9)
        spool.planned(3, Plan([gap], []))
        for record in records:
            done(spool, record)
        assert not spool.is_empty
    with reopened(path) as spool:
        assert spool.gaps() == [(3, gap)]
        assert put(spool, 1)[0].number > gap.end
        spool.ended(gap)
    with reopened(path) as spool:
        assert spool.gaps() == []


def test_a_gap_that_grows_replaces_the_smaller_one(path: Path) -> None:
    small, large = Gap("a", 1, 5, 7, 0, 8), Gap("a", 1, 9, 7, 1000, 9)
    with reopened(path) as spool:
        spool.planned(3, Plan([small], []))
        spool.commit()
        spool.planned(3, Plan([large], [small]))
    with reopened(path) as spool:
        assert spool.gaps() == [(3, large)]


def test_a_record_whose_live_part_is_acknowledged_waits_for_its_backlog(path: Path) -> None:
    with reopened(path) as spool:
        old, other = put(spool, 1)[0], put(spool, 1, shard=4)[0]
        spool.commit()
        done(spool, old, is_all=False)
    with reopened(path) as spool:
        assert [r.is_live for r in spool.records()] == [False, True]
        assert spool.first_of(3, below=99) == old._replace(is_live=False)
        assert spool.first_of(4, below=other.number) is None
        assert spool.count_below(3, 99) == 1
        done(spool, old)
        assert spool.first_of(3, below=99) is None


def test_acknowledged_packets_are_counted_once_over_restarts(path: Path) -> None:
    with reopened(path) as spool:
        put(spool, 1)
        spool.begin(PLAY)
        records = put(spool, 4)
        spool.commit()
        for record in records[:2]:
            done(spool, record)
    with reopened(path) as spool:
        assert spool.play == PLAY
        assert spool.marks() == {"a": Mark((7, 4))}
        for record in spool.records():
            done(spool, record)
    with reopened(path) as spool:
        account = spool.account()
        # Not that which was there before the play.
        assert account.sent == {("a", 7): Sent(4, 1, 4)}
        assert (account.bundles, account.bytes, account.packets) == (4, 4000, 4)
        assert spool.begin(PLAY) == PLAY
        assert spool.begin(Play("next", 8, 9, 1.0, 1.0, ("a",))).name == "next"
        spool.commit()
    with reopened(path) as spool:
        assert (spool.account().sent, spool.marks()) == ({}, {})


# -- the process


CHILD = """
import sys
from pathlib import Path
from devices.spool import Spool

def say(word, numbers):
    print(word, *numbers, flush=True)

spool = Spool(Path(sys.argv[1]))
waiting = list(spool.records())
say("found", [r.number for r in waiting])
while True:
    new = []
    for _ in range(3):
        number = spool._next
        new.append(spool.put(1, number, number.to_bytes(4, "big") * 2000, []))
    say("given", [r.number for r in new])
    waiting += new
    while len(waiting) > 6:
        record = waiting.pop(0)
        say("gone", [record.number])
        spool.acknowledged(record, [], record.size, is_all=True)
    if not spool.commit():
        sys.exit(spool.trouble)
    say("safe", [r.number for r in new])
"""


def numbers(said: list[str], *words: str) -> set[int]:
    return {int(n) for line in said if line.split()[0] in words for n in line.split()[1:]}


def test_kill_9_at_any_moment_loses_nothing_that_was_safe(path: Path) -> None:
    moments = random.Random(7)  # noqa: S311
    said: list[str] = []
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first.startswith("found"), first + child.stdout.read()
        there = numbers([first], "found")
        assert numbers(said, "safe") - numbers(said, "gone") <= there <= numbers(said, "given")
        time.sleep(moments.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        said += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
    assert len(numbers(said, "safe")) > 50
    with reopened(path) as spool:
        for record in spool.records():
            assert spool.read(record.number) == record.number.to_bytes(4, "big") * 2000
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_second_process_is_refused_until_the_first_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        monkeypatch.setattr(spool_file, "PATIENCE_S", 0.1)
        with pytest.raises(SpoolError, match="in use by another process: end that one, or give this gateway"):
            Spool(path)
    finally:
        child.kill()
        child.communicate()
    with reopened(path) as spool:
        assert not spool.is_empty


# -- the disk


def test_a_full_disk_stops_nothing_and_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNWRITTEN_BYTES", 120_000)
    with reopened(path) as spool:
        on_disk = put(spool, 10, size=20_000)
        assert spool.commit()
        pages = spool._connection.execute("PRAGMA page_count").fetchone()[0]
        spool._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        in_memory = put(spool, 4, size=20_000)
        assert not spool.commit()
        assert "full" in spool.trouble
        assert spool.room
        assert spool.read(in_memory[0].number) == bytes([10]) * 20_000
        assert spool.held().records == 14
        put(spool, 2, size=20_000)
        assert not spool.room
        # What Kafka takes makes room, in memory and on the disk.
        done(spool, in_memory[0])
        assert spool.room
        for record in on_disk[:8]:
            done(spool, record)
        assert not spool.commit()  # it took what is deleted, so that
        assert spool.commit()
        assert spool.trouble == ""
    with reopened(path) as spool:
        assert [r.number for r in spool.records()] == [9, 10, 12, 13, 14, 15, 16]


def test_a_backlog_in_memory_is_found_too(path: Path) -> None:
    with reopened(path) as spool:
        spool._connection.execute("PRAGMA query_only = 1")
        (record,) = put(spool, 1)
        assert not spool.commit()
        done(spool, record, is_all=False)
        assert spool.first_of(3, below=99) == record._replace(is_live=False)
        done(spool, record)
        assert spool.first_of(3, below=99) is None
        spool._connection.execute("PRAGMA query_only = 0")
        assert spool.commit()


def test_after_an_outage_the_file_shrinks_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "_SPARE_PAGES", 50)
    monkeypatch.setattr(spool_file, "_VACUUM_PAGES", 200)
    with reopened(path) as spool:
        records = put(spool, 50, size=100_000)
        spool.commit()
        for record in records:
            done(spool, record)
        for _ in range(20):
            put(spool, 1, size=10)
            spool.commit()
    assert path.stat().st_size < 1_000_000


def damage(path: Path, at: int, *, size: int = 2000) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(range(1, 251)) * (size // 250))


def read_all(path: Path) -> None:
    with reopened(path) as spool:
        put(spool, 1)
        for record in spool.records():
            spool.read(record.number)


@pytest.mark.parametrize(
    ("at", "checked"), [(0, 0), (30 * 4096, 0), (0, 1000), (3 * 4096, 1000), (30 * 4096, 1000)]
)
def test_a_damaged_file_is_set_aside_and_said_and_a_new_one_begun(
    path: Path, at: int, checked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reopened(path) as spool:
        put(spool, 200)
    damage(path, at)
    before = path.read_bytes()
    monkeypatch.setattr(spool_file, "_CHECKED_PAGES", checked)
    with pytest.raises(SpoolDamagedError) as found:
        read_all(path)
    aside, *_ = sorted(path.parent.glob("gw.spool.damaged-*"))
    assert aside.read_bytes()[100:] == before[100:]
    assert f"set aside as {aside}" in str(found.value)
    assert "Start again" in str(found.value)
    with reopened(path) as fresh:
        assert fresh.is_empty


def test_what_another_program_made_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(SpoolError, match="a database of something else"):
        Spool(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM theirs").fetchone() == (0,)


THIRD = """
ALTER TABLE gap DROP COLUMN crc; ALTER TABLE course DROP COLUMN crc;
ALTER TABLE tally DROP COLUMN crc; ALTER TABLE play DROP COLUMN crc;
DROP TABLE stretch; DROP INDEX record_by_shard; CREATE INDEX record_by_shard ON record (shard, number);
PRAGMA user_version = 3;
"""
SECOND = f"""
{THIRD} DROP TABLE tally; DROP TABLE past; DROP INDEX record_by_level;
ALTER TABLE record DROP COLUMN level; ALTER TABLE record DROP COLUMN ran_s;
ALTER TABLE record DROP COLUMN crc; ALTER TABLE body DROP COLUMN crc;
PRAGMA user_version = 2;
"""
FIRST = f"{SECOND} DROP TABLE course; PRAGMA user_version = 1;"


@pytest.mark.parametrize("before", [FIRST, SECOND, THIRD])
def test_an_older_versions_spool_is_brought_up_to_date_with_what_it_holds(path: Path, before: str) -> None:
    with reopened(path) as spool:
        put(spool, 2)
    with closing(sqlite3.connect(path)) as older:
        older.executescript(before)
    for _ in range(2):
        with reopened(path) as spool:
            first, second = spool.records()
            assert (spool.read(first.number), spool.read(second.number)) == (bytes(1000), b"\1" * 1000)
            assert (first.parts, spool.held().bytes) == (parts(0), 2000)
            done(spool, second, is_all=False)  # an old head gets its checksum when it changes
            spool.come("a", b"course")
            assert spool.commit()
            assert spool.courses() == {"a": b"course"}


def test_a_newer_versions_spool_is_left_alone(path: Path) -> None:
    with reopened(path) as spool:
        put(spool, 1)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 5")
    with pytest.raises(SpoolError, match="version 5, not 4: use the newer ecgstream"):
        Spool(path)
    assert list(path.parent.glob("*damaged*")) == []


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="see that its folder can be written"):
        Spool(tmp_path / "file" / "gw.spool")


def test_only_its_owner_reads_it(path: Path) -> None:
    with reopened(path) as spool:
        put(spool, 1)
        spool.commit()
        assert {f.stat().st_mode & 0o077 for f in path.parent.iterdir()} == {0}


def test_a_person_can_read_what_waits(path: Path) -> None:
    with reopened(path) as spool:
        put(spool, 1)
    with closing(sqlite3.connect(path)) as connection:
        (said,) = connection.execute("SELECT parts FROM record").fetchone()
    assert json.loads(said) == [["a", [[7, 1, 0, 0, 0, 0.0, 1.0]], []]]
