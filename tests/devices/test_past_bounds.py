"""Recordings in a spool that is too large, too old or damaged: what is left goes in order, all is counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import bounds
from devices.bounds import Bounds
from devices.tally import Lost
from schemas.records import Vital
from tests.devices.bounded import DAY_S, RATE, Ward, bundles, second
from tests.devices.lines import FakeLine, packets, seqs
from tests.devices.test_bounds import within
from tests.devices.test_past import END, take_past

SECONDS = 60


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    made = Ward(tmp_path / "gw.spool", Bounds())
    yield made
    made.spool.close()


def recorded(ward: Ward) -> None:
    """A recording of a minute waits, with its end; then nothing comes for a while."""
    take_past(ward, *(second(n) for n in range(SECONDS)), end=True)
    ward.s += bounds.YOUNG_S + 1


def sent(ward: Ward) -> FakeLine:
    line = FakeLine()
    ward.drain(line)
    return line


@pytest.mark.parametrize("restarted", [False, True])
def test_a_recording_is_given_up_as_all_that_does_not_go_live_and_its_end_is_sent(
    ward: Ward, restarted: bool
) -> None:
    recorded(ward)
    if restarted:
        ward.restart()
        ward.s += bounds.YOUNG_S + 1
    within(ward, 0.25 * ward.bytes)
    ward.trim()
    gone = int(ward.lost.ecg_s)
    assert 0 < gone < SECONDS
    line = sent(ward)
    assert seqs(line.log, "ecg.backfill") == list(range(gone, SECONDS))
    assert line.log[-1].value == END
    vitals: list[Vital] = [v for b in bundles(line.log) for v in b.vitals()]
    assert len(vitals) + ward.lost.numbers == SECONDS + 2  # SpO2 each second, two pressures
    assert ward.lost.records == 0


def test_what_is_live_beside_a_recording_stays_whole(ward: Ward) -> None:
    recorded(ward)
    ward.take(second(100, "b"))
    within(ward, 0.0)
    ward.trim()
    line = sent(ward)
    assert [p.seq for p in packets(line.log)] == [100]
    assert ward.lost == Lost(numbers=SECONDS + 2, wave_s=SECONDS, ecg_s=SECONDS)


def test_a_recording_that_has_waited_for_too_long_is_dropped_with_its_end(ward: Ward) -> None:
    recorded(ward)
    within(ward, 1e12, max_age_s=DAY_S)
    ward.s += DAY_S + 1
    ward.trim()
    assert ward.lost == Lost(numbers=SECONDS + 2, wave_s=SECONDS, ecg_s=SECONDS)
    assert sent(ward).log == []
    ward.take(second(200))
    assert seqs(sent(ward).log) == [200]  # nothing waits for what is gone


@pytest.mark.parametrize("what", ["UPDATE body SET value = x'00'", "UPDATE record SET size = size + 1"])
@pytest.mark.parametrize("which", [0, SECONDS - 1])
def test_a_second_that_the_disk_has_damaged_is_lost_alone(ward: Ward, what: str, which: int) -> None:
    recorded(ward)
    number = next(ward.spool.records()).number + which
    ward.spool._connection.execute(f"{what} WHERE number = ?", (number,))
    line = sent(ward)
    assert seqs(line.log, "ecg.backfill") == [n for n in range(SECONDS) if n != which]
    assert line.log[-1].value == END
    assert ward.lost == Lost(records=1)
    take_past(ward, second(300))
    assert [p.first_sample for p in packets(sent(ward).log, "ecg.backfill")] == [300 * RATE]
