"""Whatever happens to a spool that is kept within bounds: what is left arrives once and in order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import bounds
from devices.bounds import Bounds, Keeper
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, PLETH_KIND
from tests.devices.bounded import DAY_S, ROOMY, Ward, bundles, second
from tests.devices.lines import FakeLine, Sent, seqs
from tests.devices.spooling import START_NS

steps = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.sets(st.sampled_from("abc"), min_size=1).map(sorted)),
        st.tuples(st.just("give"), st.sets(st.sampled_from("abc"), min_size=1).map(sorted)),
        st.tuples(st.just("outage"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["send", "lose", "crash"]), st.none()),
        st.tuples(st.just("acknowledge"), st.integers(1, 4)),
        st.tuples(st.just("trim"), st.floats(0.0, 1.0)),
        st.tuples(st.just("trim"), st.floats(0.0, 1.0)),
    ),
    max_size=40,
)


class Life(Ward):
    """A ward to which things happen."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Bounds(), gap_s=4.0)
        self.seq = 0
        self.line = FakeLine()
        self.log: list[Sent] = []

    def live(self, what: str, how: object) -> None:
        self.s += 1.0
        getattr(self, f"_{what}")(how)

    def _give(self, devices: list[str]) -> None:
        for shard, own in ((9, "ab"), (10, "c")):
            if heard := "".join(device for device in devices if device in own):
                self.take(second(self.seq, heard, shard))
        self.seq += 1

    def _outage(self, seconds: int) -> None:
        for _ in range(seconds):
            self._give(["a", "b"])

    def _send(self, _: object) -> None:
        self.step(self.line)

    def _acknowledge(self, count: int) -> None:
        self.line.acknowledge(count)
        self.step(self.line)

    def _lose(self, _: object) -> None:
        self.log += self.line.log
        self.line = FakeLine()
        self.shipper.lost([])

    def _crash(self, _: object) -> None:
        self._lose(None)
        self.restart()

    def _trim(self, share: float) -> None:
        self.keeper = Keeper(self.spool, self.shipper, Bounds(share * self.bytes, DAY_S))
        for _ in range(3):
            self.shipper.plan(START_NS)
            self.spool.commit()
            left = [bool(self.spool.oldest(level, 1e9, 1, self.shipper.may_thin)) for level in range(3)]
            before = self.lost
            self.keeper.step(START_NS, ROOMY)
            assert not (self.lost.wave_s > before.wave_s and left[0])
            assert not (self.lost.ecg_s > before.ecg_s and (left[0] or left[1]))

    def settle(self) -> None:
        self.drain(self.line)
        self.log += self.line.log


def numbers_of(bundles: list[Bundle]) -> set[tuple[str, int, int]]:
    return {(v.device, v.time_ns, v.code) for b in bundles for v in b.vitals()}


def waves_of(bundles: list[Bundle], kind: int) -> set[tuple[str, int]]:
    return {(p.device, p.seq) for b in bundles for p in b.packets() for c in p.channels if c.kind == kind}


def lived(happened: list[tuple[str, object]]) -> Life:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "YOUNG_S", 0.0)
        patch.setattr(bounds, "STEP", 3)
        life = Life(Path(folder) / "gw.spool")
        for what, how in happened:
            life.live(what, how)
        life.settle()
        life.spool.close()
        return life


def check_order(life: Life) -> None:
    for device in "abc":
        for topic in ("ecg.ingest", "ecg.backfill"):
            once = list(dict.fromkeys(seqs(life.log, topic, device)))
            assert once == sorted(once)
        both = set(seqs(life.log, "ecg.ingest", device)) & set(seqs(life.log, "ecg.backfill", device))
        assert not both
    live = bundles(life.log, "ecg.ingest")
    given = {(p.device, p.seq): b for b in life.given for p in b.packets()}
    for device, seq in waves_of(live, ECG_KIND):
        wanted = {n for n in numbers_of([given[device, seq]]) if n[0] == device}
        assert wanted <= numbers_of(live)
    assert waves_of(live, PLETH_KIND) == waves_of(live, ECG_KIND)


@settings(max_examples=150, deadline=None)
@given(happened=steps)
def test_all_that_was_taken_is_sent_once_and_in_order_or_counted(happened: list[tuple[str, object]]) -> None:
    life = lived([step for step in happened if step[0] != "crash"])
    check_order(life)
    sent = bundles(life.log)
    assert len(numbers_of(sent)) + life.lost.numbers == len(numbers_of(life.given))
    assert len(waves_of(sent, ECG_KIND)) + life.lost.ecg_s == len(waves_of(life.given, ECG_KIND))
    assert len(waves_of(sent, PLETH_KIND)) + life.lost.wave_s == len(waves_of(life.given, PLETH_KIND))
    assert life.lost.records == 0
    assert len(sent) <= len(life.given) * 3
    assert sum(b.packet.device.size for b in sent) == len(waves_of(sent, ECG_KIND))  # each once


@settings(max_examples=100, deadline=None)
@given(happened=steps)
def test_a_crash_at_any_moment_leaves_nothing_uncounted(happened: list[tuple[str, object]]) -> None:
    life = lived(happened)
    check_order(life)
    sent = bundles(life.log)
    assert len(numbers_of(sent)) + life.lost.numbers >= len(numbers_of(life.given))
    assert len(waves_of(sent, ECG_KIND)) + life.lost.ecg_s >= len(waves_of(life.given, ECG_KIND))
    assert len(waves_of(sent, PLETH_KIND)) + life.lost.wave_s >= len(waves_of(life.given, PLETH_KIND))
