"""A recording from a file in the worker: judged by when it was, over with its end, nobody's by mistake."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from alerts.late import Lateness
from alerts.state import Event, State
from devices.files.publish import Recording
from devices.recordings import toy_ecg
from devices.source import NS, Session, Source, Wave
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.detect import Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, Saved
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import Association, Condition, Control, Lane, Phase
from tests.devices.files.test_publish import Kept

START_NS = 1_790_000_000_000_000_000
BEATING_S, SILENT_S = 40, 20
LATE_S = 120.0


def arrest() -> Source:
    """Real beats, then none, to the end."""
    (wave,) = toy_ecg("cart-3").sessions[0].waves
    rate = round(wave.rate)
    silence = np.full(SILENT_S * rate, round(wave.offset), np.int16)
    samples = np.concatenate([wave.samples[: BEATING_S * rate], silence])
    lead = Wave(wave.name, wave.code, wave.kind, wave.unit, wave.rate, wave.gain, samples, wave.offset)
    sessions = (Session((lead,)),)
    return Source("cart-3", 0, "File: made, II", simulated=False, sessions=sessions, start_ns=START_NS)


@pytest.fixture(scope="module")
def log() -> list[Record]:
    kept = Kept()
    now_ns = START_NS + 100 * NS
    Recording.of(arrest(), None, now_ns).publish(kept, "gw", now_ns)
    return numbered(written(kept.writes))


def written(writes: Sequence[tuple[int, list[Bundle], Control | None]]) -> list[bytes]:
    """What is in Kafka then."""
    values: list[bytes] = []
    for _, bundles, end in writes:
        values += [b.encode() for b in bundles]
        if end is not None:
            values.append(codec.encode(end))
    return values


def numbered(values: Sequence[bytes]) -> list[Record]:
    return [Record(offset, offset, value) for offset, value in enumerate(values)]


def worn(patient: str, issued_ns: int) -> bytes:
    return codec.encode(Control("c", "cart-3", 0, 0, issued_ns, "registry", Association(patient)))


def found(log: Sequence[Record], *controls: bytes) -> list[Condition]:
    saved = Saved.of([])
    live = Live(0, 1, saved, Keys(saved), lost_link_s=10.0, clock_rate=1.0)
    live.process(numbered(controls))
    backfill = Backfill(0, 1, saved, live)
    backfill.process(log)
    live.idle(10**12)
    contents = [codec.decode(o.value) for o in [*live.outbox, *backfill.outbox] if o.value is not None]
    return [c for c in contents if isinstance(c, Condition)]


def test_what_lasts_at_its_end_is_over_with_it_and_no_link_is_lost(log: list[Record]) -> None:
    conditions = found(log)
    assert {c.lane for c in conditions} == {Lane.BACKFILL}
    codes = {c.code for c in conditions}
    assert "ASYSTOLE" in codes
    assert "LINK_LOST" not in codes
    last = {c.id: c.phase for c in conditions}
    assert set(last.values()) == {Phase.END}


@pytest.mark.parametrize(("taken_in_s", "is_late"), [(5.0, False), (LATE_S - 30, False), (86_400.0, True)])
def test_it_calls_people_where_it_was_taken_just_now_and_is_a_finding_where_it_was_not(
    log: list[Record], taken_in_s: float, is_late: bool
) -> None:
    now_ns = START_NS + round((BEATING_S + SILENT_S + taken_in_s) * NS)
    state, late = State(), Lateness(LATE_S)
    arrests = [c for c in found(log) if c.code == "ASYSTOLE"]
    told = [e for n, c in enumerate(arrests) for e in late(state, [Event(c, 0, n)], now_ns)]
    assert told[-1].phase.phase is Phase.END
    assert {e.late for e in told} == {is_late}
    assert len(told) == (1 if is_late else len(arrests))
    assert state.waiting == {}


@pytest.mark.parametrize(
    ("controls", "patient"),
    [
        ([worn("P-1", START_NS - 1)], "P-1"),
        ([worn("P-1", START_NS + 1)], ""),
        ([worn("P-1", START_NS - 9), worn("P-1", START_NS + 9)], "P-1"),  # the same, told anew
        ([worn("P-1", START_NS - 9), worn("P-2", START_NS + 9)], ""),
        ([], ""),
    ],
)
def test_whoever_wears_the_device_now_is_not_whose_it_is_from_before(
    log: list[Record], controls: list[bytes], patient: str
) -> None:
    assert {c.patient for c in found(log, *controls)} == {patient}


def test_the_same_file_twice_is_the_same_conditions(log: list[Record]) -> None:
    def known(conditions: Sequence[Condition]) -> set[tuple[str, Phase, int]]:
        return {(c.id, c.phase, c.sample) for c in conditions}

    twice = numbered([record.value for record in [*log, *log]])
    assert known(found(twice)) == known(found(log))
