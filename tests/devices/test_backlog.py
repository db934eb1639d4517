"""Every packet goes one way alone, in order, live first, whatever Kafka and the power supply do meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.backlog import GAP_S, WINDOW, Gap, Lanes, Numbers, Part, Run

RATE = 250
LIVE, BACKLOG, END = "live", "backlog", "end"


def second(device: str, n: int, session: int = 7, seconds: int = 1) -> Part:
    """A part with the packet that begins at second ``n`` of its session."""
    return Part(device, (Run(session, 1, n, n, RATE * n, float(n), float(n + seconds)),), ())


def numbers(device: str, at_s: int) -> Part:
    return Part(device, (), (Numbers(7, 1, at_s * 1_000_000_000, 1),))


# -- single decisions


def waiting(*parts: Part) -> Lanes:
    lanes = Lanes()
    for number, part in enumerate(parts):
        lanes.add(number, [part])
    return lanes


@pytest.mark.parametrize(("last", "gaps"), [(GAP_S, 0), (GAP_S + 1, 1)])
def test_more_than_a_minute_is_a_gap_and_a_minute_is_none(last: float, gaps: int) -> None:
    lanes = waiting(*(second("a", n) for n in range(int(last) + 1)))
    plan = lanes.plan(9)
    assert len(plan.begun) == gaps
    assert lanes.next_live() == (int(last) if gaps else 0)


def test_time_in_which_a_device_measured_nothing_counts_within_a_session() -> None:
    plan = waiting(second("a", 0), second("a", 61)).plan(9)
    assert plan.begun == [Gap("a", 0, 1, 7, 61 * RATE, 9)]


def test_a_new_session_counts_from_where_the_last_one_ended() -> None:
    sessions = [second("a", n, 1) for n in range(30)] + [second("a", n, 2) for n in range(40)]
    assert waiting(*sessions[:60]).plan(9).begun == []
    assert waiting(*sessions).plan(9).begun == [Gap("a", 0, 69, 2, 39 * RATE, 9)]


def test_each_device_is_judged_by_itself() -> None:
    lanes = Lanes()
    for n in range(100):
        lanes.add(n, [second("late", n)] + ([second("young", n)] if n >= 50 else []))
    lanes.add(100, [second("silent", 0)])
    assert [gap.device for gap in lanes.plan(9).begun] == ["late"]
    assert lanes.split(99, [second("late", 99), second("young", 99)])[1] == []
    assert lanes.split(98, [second("late", 98), second("young", 98)]) == (
        [second("young", 98)],
        [second("late", 98)],
    )
    order = []
    while (number := lanes.next_live()) is not None:
        lanes.handed(number, lanes.split(number, parts_of(number))[0])
        order.append(number)
    assert order == [*range(50, 100), 100]


def parts_of(number: int) -> list[Part]:
    if number == 100:
        return [second("silent", 0)]
    return [second("late", number)] + ([second("young", number)] if number >= 50 else [])


def test_numbers_go_with_the_signal_beside_which_they_were_measured() -> None:
    lanes = Lanes()
    for n in range(0, 200, 2):
        lanes.add(n, [second("a", n)])
        lanes.add(n + 1, [numbers("a", n)])
    [gap] = lanes.plan(9).begun
    assert (gap.begin, gap.end) == (0, 198)
    assert lanes.next_live() == 198


def test_numbers_alone_are_judged_by_their_time() -> None:
    assert waiting(numbers("a", 0), numbers("a", 60)).plan(9).begun == []
    assert waiting(numbers("a", 0), numbers("a", 61)).plan(9).begun == [Gap("a", 0, 1, 0, 0, 9)]


def test_the_newest_packet_goes_first_even_where_numbers_alone_made_its_device_late() -> None:
    late = [second("a", 0), numbers("a", 0), numbers("a", 70), second("a", 1), numbers("a", 71)]
    [gap] = waiting(*late).plan(9).begun
    assert (gap.end, gap.from_sample) == (3, RATE)


def test_what_is_not_handed_over_yet_joins_the_next_gap() -> None:
    lanes = waiting(*(second("a", n) for n in range(100)))
    [first] = lanes.plan(1).begun
    for n in range(100, 200):
        lanes.add(n, [second("a", n)])
    plan = lanes.plan(2)
    assert plan.dropped == [first]
    assert plan.begun == [Gap("a", 0, 199, 7, 199 * RATE, 2)]


def test_what_was_handed_over_is_never_moved() -> None:
    lanes = waiting(*(second("a", n) for n in range(100)))
    lanes.plan(1)
    lanes.handed(99, [second("a", 99)])
    lanes.failed()
    for n in range(100, 200):
        lanes.add(n, [second("a", n)])
    [gap] = lanes.plan(2).begun
    assert (gap.begin, gap.end) == (100, 199)
    assert lanes.next_live() == 99


def test_what_fails_is_handed_over_again_in_order_before_all_else() -> None:
    lanes = waiting(*(second("a", n) for n in range(5)))
    for n in (0, 1, 2):
        lanes.handed(n, [second("a", n)])
    lanes.acknowledged(0)
    lanes.failed()
    order = []
    while (number := lanes.next_live()) is not None:
        lanes.handed(number, [second("a", number)])
        order.append(number)
    assert order == [1, 2, 3, 4]


def test_what_is_lost_is_wanted_no_longer_and_the_rest_goes_in_order() -> None:
    lanes = waiting(*(second("a", n) for n in range(5)))
    lanes.handed(0, [second("a", 0)])
    assert [(lanes.wants(n), lanes.may_have_gone(n)) for n in (0, 1)] == [(True, True), (True, False)]
    lanes.failed()
    for number in (0, 2):
        lanes.drop(number)
    order = []
    while (number := lanes.next_live()) is not None:
        lanes.handed(number, [second("a", number)])
        order.append(number)
    assert order == [1, 3, 4]


# -- a gateway, its crashes, and Kafka, on paper


@dataclass
class World:
    """``spool`` and ``gaps`` outlive a crash; ``log`` is what Kafka has, ``unsure`` what it may have."""

    gap_s: float
    spool: dict[int, list[Part]] = field(default_factory=dict)
    is_live: set[int] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    given: list[tuple[int, Part]] = field(default_factory=list)
    log: list[tuple[str, int, Part | Gap]] = field(default_factory=list)
    flying: list[tuple[str, int, Part | Gap]] = field(default_factory=list)
    next_number: int = 1
    backlog_flies: int | None = None

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.gap_s)

    def give(self, parts: list[Part]) -> None:
        number, self.next_number = self.next_number, self.next_number + 1
        self.spool[number] = parts
        self.is_live.add(number)
        self.given += [(number, part) for part in parts]
        self.lanes.add(number, parts)

    def plan(self) -> None:
        plan = self.lanes.plan(0)
        self.gaps = [g for g in self.gaps if g not in plan.dropped] + plan.begun

    def hurry(self) -> None:
        self.lanes.hurry()

    def hand_over(self) -> None:
        self.plan()
        number = self.lanes.next_live()
        if number is None or self.lanes.flying + len(self.deleted) >= WINDOW:
            return
        live, _ = self.lanes.split(number, self.spool[number])
        self.lanes.handed(number, live)
        self.flying += [(LIVE, number, part) for part in live]

    def acknowledge(self) -> None:
        """Kafka has the oldest live record."""
        live = [entry for entry in self.flying if entry[0] == LIVE]
        if not live:
            return
        number = live[0][1]
        self.land(lambda entry: entry[:2] == (LIVE, number))
        self.lanes.acknowledged(number)
        if self.lanes.split(number, self.spool[number])[1]:
            self.is_live.discard(number)
        else:
            self.deleted.append(number)

    def go_back(self) -> None:
        """One step of the backlog, acknowledged at once or lost with a crash."""
        if not self.lanes.backlog_is_open():
            return
        below = self.lanes.backlog_below
        number = min((n for n in self.spool if n < below and n not in self.deleted), default=None)
        for gap in self.lanes.ended(number):
            self.log.append((END, gap.end, gap))
            self.lanes.close(gap)
            self.gaps.remove(gap)
        if number is not None and number < self.lanes.backlog_below:
            _, late = self.lanes.split(number, self.spool[number])
            assert late
            self.log += [(BACKLOG, number, part) for part in late]
            self.deleted.append(number)

    def commit(self) -> None:
        for number in self.deleted:
            del self.spool[number]
            self.is_live.discard(number)
        self.deleted.clear()

    def land(self, which: Callable[[tuple[str, int, Part | Gap]], bool]) -> None:
        self.log += [entry for entry in self.flying if which(entry)]
        self.flying = [entry for entry in self.flying if not which(entry)]

    def fail(self, landed: int) -> None:
        """The line breaks: some of what was on its way has arrived, unacknowledged."""
        self.log += self.flying[:landed]
        self.flying.clear()
        self.lanes.failed()

    def crash(self, landed: int) -> None:
        self.fail(landed)
        self.deleted.clear()
        live = [(n, parts) for n, parts in self.spool.items() if n in self.is_live]
        self.lanes = Lanes.restored(live, self.gaps, self.gap_s)

    def settle(self) -> None:
        for _ in range(20 * len(self.given) + 100):
            if not self.spool and not self.gaps:
                return
            before = len(self.log), len(self.flying), len(self.deleted)
            self.hand_over()
            self.acknowledge()
            self.go_back()
            if before == (len(self.log), len(self.flying), len(self.deleted)) or self.deleted:
                self.commit()
        raise AssertionError("it comes to no end")


class Devices:
    """Three devices that measure, stand still, start anew, and send numbers."""

    def __init__(self) -> None:
        self.session = dict.fromkeys("abc", 1)
        self.at = dict.fromkeys("abc", 0)
        self.seq = dict.fromkeys("abc", 0)

    def part(self, name: str, seconds: int, skipped: int, *, anew: bool) -> Part:
        if anew:
            self.session[name] += 1
            self.at[name] = self.seq[name] = 0
        self.at[name] += skipped
        begin = self.at[name]
        self.at[name] += seconds
        self.seq[name] += 1
        if not seconds:
            return numbers(name, begin)
        seq = self.seq[name]
        run = Run(self.session[name], 1, seq, seq, begin * RATE, float(begin), float(begin + seconds))
        return Part(name, (run,), ())


def rises(found: list[int]) -> bool:
    return found == sorted(found)


def first_times(found: list[int]) -> list[int]:
    return list(dict.fromkeys(found))


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, object]]:
    one = st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([0, 1, 1, 1, 2, 30]),
        st.sampled_from([0] * 9 + [45]),
        st.booleans(),
    )
    give = st.tuples(st.just("give"), st.lists(one, min_size=1, max_size=3, unique_by=lambda d: d[0]))
    other = st.one_of(
        st.tuples(
            st.sampled_from(["hand_over", "hand_over", "acknowledge", "go_back", "plan", "hurry", "commit"]),
            st.none(),
        ),
        st.tuples(st.sampled_from(["fail", "crash"]), st.integers(0, 4)),
    )
    return draw(st.lists(st.one_of(give, give, other), max_size=80))


def live_through(steps: list[tuple[str, object]], gap_s: float) -> World:
    world, devices = World(gap_s), Devices()
    for what, how in steps:
        if what == "give":
            parts = [
                devices.part(name, seconds, skipped, anew=anew and seconds > 0)
                for name, seconds, skipped, anew in how  # type: ignore[attr-defined]
            ]
            world.give(parts)
        elif what in ("fail", "crash"):
            getattr(world, what)(how)
        else:
            getattr(world, what)()
    world.settle()
    return world


def by_device(world: World) -> Iterator[tuple[str, list[int], list[int], list[int]]]:
    """Each device with the records it gave, and those of it in either lane."""
    for name in "abc":
        given = [n for n, part in world.given if part.device == name]
        lanes = [
            [n for lane, n, what in world.log if lane == wanted and what.device == name]
            for wanted in (LIVE, BACKLOG)
        ]
        yield name, given, *lanes  # type: ignore[misc]


@settings(max_examples=300, deadline=None)
@given(steps=lives(), gap_s=st.sampled_from([2.0, 20.0, 60.0]))
def test_every_part_goes_by_one_lane_in_order_through_failures_and_crashes(
    steps: list[tuple[str, object]], gap_s: float
) -> None:
    world = live_through(steps, gap_s)
    for _, measured, live, backlog in by_device(world):
        assert set(live) | set(backlog) == set(measured)  # nothing is lost
        assert set(live) & set(backlog) == set()  # nothing goes both ways
        # In order, but for what is sent again.
        assert rises(first_times(live))
        assert rises(first_times(backlog))


@settings(max_examples=300, deadline=None)
@given(steps=lives(), gap_s=st.sampled_from([2.0, 20.0]))
def test_a_gap_ends_once_behind_all_of_its_parts_and_begins_behind_its_live_part(
    steps: list[tuple[str, object]], gap_s: float
) -> None:
    world = live_through(steps, gap_s)
    ends = [(at, gap) for at, (lane, _, gap) in enumerate(world.log) if lane == END]
    assert len({gap for _, gap in ends}) == len(ends)
    for name, _, _, backlog in by_device(world):
        mine = [(at, gap) for at, gap in ends if gap.device == name]  # type: ignore[union-attr]
        assert all(any(g.begin <= n < g.end for _, g in mine) for n in backlog)  # type: ignore[union-attr]
        for ended_at, gap in mine:
            assert isinstance(gap, Gap)
            sent = [
                at
                for at, (lane, n, what) in enumerate(world.log)
                if lane == BACKLOG and what.device == name and gap.begin <= n < gap.end
            ]
            live_at = world.log.index(
                (LIVE, gap.end, next(p for n, p in world.given if n == gap.end and p.device == name))
            )
            assert sent
            assert live_at < sent[0] <= sent[-1] < ended_at


@settings(max_examples=200, deadline=None)
@given(steps=lives())
def test_without_a_crash_or_failure_nothing_is_sent_twice(steps: list[tuple[str, object]]) -> None:
    world = live_through([s for s in steps if s[0] not in ("fail", "crash")], 20.0)
    for _, measured, live, backlog in by_device(world):
        assert sorted(live + backlog) == measured


def test_a_crash_in_mid_backlog_repeats_only_what_was_not_durably_acknowledged() -> None:
    world, devices = World(20.0), Devices()
    for n in range(100):
        world.give([devices.part("a", 1, 0, anew=n == 40)])
    world.hand_over()
    world.acknowledge()
    for _ in range(30):
        world.go_back()
    world.commit()
    world.crash(0)
    kept = set(world.spool)
    before = len(world.log)
    world.settle()
    again = {n for lane, n, _ in world.log[before:] if lane != END}
    assert again == kept
    assert len([1 for lane, _, _ in world.log if lane == END]) == 1
