"""What a spool gives up when it is too large or too old: the least first, in order, and all of it counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import bounds
from devices.bounds import Bounds, Keeper
from devices.ledger import Mark, Play
from devices.tally import Lost
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Vital
from tests.devices.bounded import DAY_S, NS, RATE, ROOMY, Ward, bundles, second
from tests.devices.lines import FakeLine, ends, seqs
from tests.devices.spooling import SESSION, START_NS


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    made = Ward(tmp_path / "gw.spool", Bounds())
    yield made
    made.spool.close()


def away(ward: Ward, seconds: int, devices: str = "a") -> None:
    """So much comes, and Kafka takes nothing; then nothing comes for a while."""
    ward.take(*(second(n, devices) for n in range(seconds)))
    ward.s += bounds.YOUNG_S + 1


def within(ward: Ward, max_bytes: float, max_age_s: float = 1000 * DAY_S) -> None:
    ward.keeper = Keeper(ward.spool, ward.shipper, Bounds(max_bytes, max_age_s))


def all_sent(ward: Ward) -> FakeLine:
    line = FakeLine()
    ward.drain(line)
    return line


# -- by size


def test_within_its_bounds_nothing_is_given_up(ward: Ward) -> None:
    away(ward, 200)
    within(ward, ward.bytes)
    assert ward.trim() == 0
    assert [b.encode() for b in bundles(all_sent(ward).log)] != []
    assert ward.lost == Lost()


def test_numbers_are_thinned_first_from_the_oldest_and_only_as_far_as_needed(ward: Ward) -> None:
    away(ward, 200)
    whole = ward.bytes
    within(ward, whole - 500)
    assert ward.trim() > 0
    assert whole - 600 < ward.bytes <= whole - 500
    assert ward.lost == Lost(numbers=ward.lost.numbers)
    line = all_sent(ward)
    numbers = [v for b in bundles(line.log, "ecg.backfill") for v in b.vitals() if v.code == mdc.SPO2]
    at_s = [(v.time_ns - SESSION) // NS for v in numbers]
    assert at_s == [0, *range(at_s[1], 199)]  # thinned up to somewhere, whole from there
    assert len(at_s) + ward.lost.numbers == 199
    pressures = [v for b in bundles(line.log) for v in b.vitals() if v.code == mdc.NIBP_SYS]
    assert len(pressures) == 5
    assert sorted(seqs(line.log) + seqs(line.log, "ecg.backfill")) == list(range(200))


def test_then_other_waves_go_and_ecg_goes_last_from_the_oldest(ward: Ward) -> None:
    away(ward, 200)
    within(ward, 0.75 * ward.bytes)
    ward.trim()
    assert ward.lost.numbers == 199 - 4
    assert 0 < ward.lost.wave_s < 199
    assert ward.lost.ecg_s == 0
    within(ward, 0.25 * ward.bytes)
    ward.trim()
    assert ward.lost.wave_s == 199
    gone = int(ward.lost.ecg_s)
    assert 0 < gone < 199
    line = all_sent(ward)
    assert seqs(line.log, "ecg.backfill") == list(range(gone, 199))
    assert seqs(line.log) == [199]
    (newest,) = bundles(line.log, "ecg.ingest")
    assert newest.encode() == second(199).encode()  # live, as it was
    (end,) = ends(line.log)
    assert (end.device, end.from_sample) == ("a", 199 * RATE)


def test_what_goes_live_and_what_is_young_is_never_given_up(ward: Ward) -> None:
    away(ward, 50)  # less than a minute: it goes in order
    within(ward, 1.0)
    assert ward.trim() == 0
    ward.take(*(second(n) for n in range(50, 200)))
    ward.trim()
    assert seqs(all_sent(ward).log, "ecg.backfill") == list(range(50, 199))


def test_what_kafka_may_have_is_not_given_up_until_it_says_so(ward: Ward) -> None:
    away(ward, 100)
    line = FakeLine()
    ward.step(line)
    line.acknowledge()
    ward.step(line)
    assert seqs(line.sent, "ecg.backfill") == [0]
    within(ward, 1.0)
    ward.trim()
    assert ward.spool.held().records == 1
    ward.shipper.lost([])
    assert ward.trim() == 0
    again = all_sent(ward)
    assert [b.encode() for b in bundles(again.log)] == [second(0).encode()]
    assert len(ends(again.log)) == 1
    assert ward.lost.ecg_s == 98


def test_devices_that_went_live_from_a_record_have_lost_nothing_of_it(ward: Ward) -> None:
    """b was heard late, so that it goes live from records that a's backlog waits in."""
    ward.take(*(second(n, "ab" if n > 70 else "a") for n in range(100)))
    ward.s += bounds.YOUNG_S + 1
    line = FakeLine()
    for _ in range(40):
        line.at_once = True
        ward.step(line)
    within(ward, 1.0)
    ward.trim()
    sent = bundles(line.log)
    ecg = {(p.device, p.seq) for b in sent for p in b.packets()}
    assert {seq for device, seq in ecg if device == "b"} == set(range(71, 100))
    assert ward.lost.ecg_s + len([1 for device, _ in ecg if device == "a"]) == 100


def test_a_disk_with_little_room_is_a_bound_too(ward: Ward) -> None:
    away(ward, 200)
    before = ward.bytes
    ward.trim(bounds.RESERVE_BYTES)
    assert ward.bytes == before
    ward.trim(bounds.RESERVE_BYTES - 20_000)
    # What was given up is room within the file: no more is given up than that.
    assert 0 < before - ward.bytes < 100_000
    assert ward.trim(bounds.RESERVE_BYTES - 20_000) == 0


def test_a_disk_that_takes_nothing_gives_up_nothing_twice(ward: Ward) -> None:
    away(ward, 200)
    within(ward, 1.0)
    ward.spool._connection.execute("PRAGMA query_only = 1")
    for _ in range(5):
        assert not ward.keeper.step(START_NS, ROOMY)
    assert ward.lost == Lost()
    ward.spool._connection.execute("PRAGMA query_only = 0")
    ward.trim()
    assert ward.lost.ecg_s == 199


def test_a_damaged_record_is_counted_as_such_and_stops_nothing(ward: Ward) -> None:
    away(ward, 100)
    damage = "UPDATE body SET value = x'00', crc = iif(number = 5, crc, NULL) WHERE number IN (5, 9)"
    ward.spool._connection.execute(damage)
    within(ward, 1.0)
    ward.trim()
    assert (ward.lost.records, ward.lost.ecg_s) == (2, 97)
    assert ward.spool.held().records == 1


# -- by age


def test_what_is_too_old_is_dropped_live_too(ward: Ward) -> None:
    ward.take(*(second(n, "b") for n in range(3)))
    ward.s += DAY_S
    away(ward, 100)
    within(ward, ROOMY, DAY_S + 10)
    assert ward.trim() == 1
    assert ward.lost == Lost(numbers=4, wave_s=3.0, ecg_s=3.0)
    line = all_sent(ward)
    assert seqs(line.log, device="b") == []
    assert len(seqs(line.log) + seqs(line.log, "ecg.backfill")) == 100


def test_a_clock_that_is_set_ages_nothing_and_a_restart_does_not_make_young(ward: Ward) -> None:
    ward.take(second(0), Bundle.of("gw", 9, START_NS - 10**18, [], [Vital("b", 7, 5, mdc.SPO2, 97.0)]))
    ward.s += DAY_S - 10
    ward.take(second(1))
    ward.within = Bounds(ROOMY, DAY_S)
    ward.restart()
    assert ward.trim() == 0
    ward.s += 100
    assert ward.trim() == 0
    ward.shipper._shards[9].lanes._again.clear()  # as if nothing had gone before the restart
    assert ward.trim() == 1
    assert ward.lost == Lost(numbers=3, wave_s=1.0, ecg_s=1.0)


def test_a_play_goes_on_behind_what_its_devices_have_given_and_the_spool_has_lost(ward: Ward) -> None:
    ward.spool.begin(Play("ward", 5, 6, 1.0, 1.0, ("a",)))
    away(ward, 100)
    within(ward, ROOMY, 10.0)
    ward.trim()
    ward.spool.commit()
    assert ward.spool.is_empty or ward.spool.held().records == 0
    ward.restart()
    assert ward.spool.marks() == {"a": Mark((SESSION, 99), (SESSION, SESSION + 99 * NS, mdc.SPO2))}
    ward.spool.begin(Play("another", 5, 6, 1.0, 1.0, ("a",)))
    ward.spool.commit()
    ward.restart()
    assert ward.spool.marks() == {}
