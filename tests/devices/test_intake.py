"""What devices are told to be taken is durable, and all of it; what is refused touches nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import intake as module
from devices.enrolment import Enrolments
from devices.errors import FullError, NotAdmittedError, SpoolError
from devices.intake import Intake
from devices.notes import What
from devices.publisher import Publisher
from devices.reading import Reading, Stretch
from devices.sessions import Item
from devices.spool import Spool
from schemas.bundle import Bundle
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import ClockCorrection, Control, Enrolment, Packet
from tests.devices.spooling import SESSION, packet, vital


def enrolled(device: str, shard: int, *, disabled: bool = False) -> Enrolment:
    return Enrolment(device, "", "cn", shard, (), b"", "", disabled, 1)


KNOWN = Enrolments().changed(
    (e.device, e) for e in (enrolled("a", 1), enrolled("b", 2), enrolled("off", 3, disabled=True))
)


class Taker:
    """A spool that may be full, slow, or broken."""

    def __init__(self) -> None:
        self.room = True
        self.is_durable = True
        self.known_of: dict[What, dict[str, bytes]] = {"course": {}, "clock": {}}
        self.marks: list[tuple[int, Control]] = []
        self.flushes: list[list[Bundle]] = []
        self.refused = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    def known(self, what: What) -> dict[str, bytes]:
        return dict(self.known_of[what])

    def publish(
        self,
        bundles: Sequence[Bundle],
        known: Mapping[What, Mapping[str, bytes]],
        marks: Sequence[tuple[int, Control]],
    ) -> bool:
        assert self.may_go_on.wait(30)
        if self.error:
            raise self.error
        self.flushes.append(list(bundles))
        for what, values in known.items():
            self.known_of[what] |= values
        self.marks += marks
        return self.is_durable

    def refuse(self) -> None:
        self.refused += 1


def taken(taker: Taker) -> list[tuple[int, str, int]]:
    """Shard, device and number of each packet that is durable."""
    bundles = [bundle for flush in taker.flushes for bundle in flush]
    return [(bundle.shard, p.device, p.seq) for bundle in bundles for p in bundle.packets()]


def run(taker: Taker, *calls: tuple[str, Sequence[Item]], **how: Any) -> list[BaseException | None]:
    """Give all of it at once; return what each caller was told."""

    async def all_of_it() -> list[BaseException | None]:
        with Intake("gw", taker, lambda: KNOWN, flush_s=0.05) as intake:
            asked: list[Coroutine[Any, Any, None]] = [intake.take(d, items, **how) for d, items in calls]
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_of_it())


def test_many_are_one_flush_each_in_its_device_s_shard() -> None:
    taker = Taker()
    calls = [(device, [packet(device, n), vital(device, n)]) for n in range(10) for device in ("a", "b")]
    assert run(taker, *calls) == [None] * 20
    assert sorted(taken(taker)) == [(s, d, n) for s, d in ((1, "a"), (2, "b")) for n in range(10)]
    assert len(taker.flushes) <= 2
    assert sum(b.vital.device.size for flush in taker.flushes for b in flush) == 20


def test_nobody_is_answered_before_it_is_durable() -> None:
    taker = Taker()
    taker.may_go_on.clear()

    async def waits() -> None:
        with Intake("gw", taker, lambda: KNOWN, flush_s=0.0) as intake:
            asked = asyncio.ensure_future(intake.take("a", [packet("a", 1)]))
            done, _ = await asyncio.wait([asked], timeout=0.2)
            assert not done
            taker.may_go_on.set()
            await asked
            assert taken(taker) == [(1, "a", 1)]

    asyncio.run(waits())


def test_who_is_waited_for_is_answered_without_the_others_patience() -> None:
    taker = Taker()

    async def hurries() -> None:
        with Intake("gw", taker, lambda: KNOWN, flush_s=600.0) as intake:
            patient = asyncio.ensure_future(intake.take("a", [packet("a", 1)]))
            await asyncio.sleep(0)
            await intake.take("b", [packet("b", 1)], is_urgent=True)
            await patient  # goes along

    asyncio.run(hurries())
    assert len(taker.flushes) == 1


@pytest.mark.parametrize(
    ("device", "items", "error"),
    [
        ("nobody", [packet("nobody", 1)], NotAdmittedError),
        ("off", [packet("off", 1)], NotAdmittedError),
        ("a", [packet("a", 1), packet("b", 1)], NotAdmittedError),
        ("a", [packet("a", 1), replace(packet("a", 2), channels=[])], BadRecordError),
        ("a", [replace(vital("a", 1), value=float("inf"))], BadRecordError),
    ],
)
def test_what_may_not_be_sent_is_refused_whole_and_counted(
    device: str, items: list[Item], error: type[Exception]
) -> None:
    taker = Taker()
    told = run(taker, (device, items), ("b", [packet("b", 7)]))
    assert isinstance(told[0], error)
    assert told[1] is None
    assert taken(taker) == [(2, "b", 7)]
    assert taker.refused == len(items)


def test_when_it_came_is_noted() -> None:
    taker = Taker()
    run(taker, ("a", [replace(packet("a", 1), received_ns=0)]))
    ((bundle,),) = taker.flushes
    (found,) = bundle.packets()
    assert abs(found.received_ns - bundle.created_ns) < 60 * 10**9


def test_without_room_it_says_so_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = Taker()
    taker.room = False
    (told,) = run(taker, ("a", [packet("a", 1)]))
    assert isinstance(told, FullError)
    taker.room = True
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    taker.may_go_on.clear()

    async def floods() -> list[BaseException | None]:
        with Intake("gw", taker, lambda: KNOWN, flush_s=600.0) as intake:
            asked = [asyncio.ensure_future(intake.take("a", [packet("a", n)])) for n in range(5)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            refused = [one.exception() for one in asked if one.done()]
            taker.may_go_on.set()
            return refused

    refused = asyncio.run(floods())
    assert [type(error) for error in refused] == [FullError, FullError]
    assert len(taken(taker)) == 3  # what was waiting when it ended is durable


def test_what_is_in_memory_only_is_not_said_to_be_taken() -> None:
    taker = Taker()
    taker.is_durable = False
    (told,) = run(taker, ("a", [packet("a", 1)]))
    assert isinstance(told, FullError)


def test_a_broken_spool_is_told_to_all_who_wait_and_to_whoever_comes() -> None:
    taker = Taker()
    taker.error = SpoolError("the disk is gone")

    async def breaks() -> None:
        with Intake("gw", taker, lambda: KNOWN, flush_s=0.0) as intake:
            for _ in range(2):
                with pytest.raises(SpoolError, match="the disk is gone"):
                    await intake.take("a", [packet("a", 1)])
            assert intake.failure is taker.error

    asyncio.run(breaks())


def test_a_fault_that_nobody_thought_of_keeps_nobody_waiting() -> None:
    taker = Taker()
    taker.error = KeyError("x")
    for _ in range(2):
        (told,) = run(taker, ("a", [packet("a", 1)]))
        assert isinstance(told, SpoolError)


def test_whoever_has_gone_meanwhile_harms_nobody() -> None:
    taker = Taker()
    taker.may_go_on.clear()

    async def goes() -> None:
        with Intake("gw", taker, lambda: KNOWN, flush_s=0.0) as intake:
            gone = asyncio.ensure_future(intake.take("a", [packet("a", 1)]))
            await asyncio.sleep(0)
            gone.cancel()
            taker.may_go_on.set()
            await intake.take("b", [packet("b", 1)])

    asyncio.run(goes())
    assert sorted(taken(taker)) == [(1, "a", 1), (2, "b", 1)]


def readings(taker: Taker, *messages: Reading) -> list[BaseException | None]:
    async def all_of_it() -> list[BaseException | None]:
        with Intake("gw", taker, lambda: KNOWN) as intake:
            asked = [intake.read("a", one) for one in messages]
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_of_it())


def message(n: int, device: str = "a", rate: float = 250.0) -> Reading:
    one = packet(device, n)
    channels = tuple(replace(channel, rate=rate) for channel in one.channels)
    return Reading(device, f"m-{n}", None, (Stretch(one.start_ns, channels),))


def test_messages_without_sessions_go_on_behind_a_restart_and_come_once() -> None:
    taker = Taker()
    assert readings(taker, message(0), message(1)) == [None, None]
    assert readings(taker, message(1), message(2)) == [None, None]  # the answer to 1 was lost
    assert sorted(taken(taker)) == [(1, "a", 0), (1, "a", 1), (1, "a", 2)]
    bundles = [bundle for flush in taker.flushes for bundle in flush]
    assert len({p.session for bundle in bundles for p in bundle.packets()}) == 1


def ahead(device: str, n: int, by_s: int) -> Packet:
    """A second that ends now, of a device whose clock is ahead by so much."""
    now_ns = time.time_ns()
    return replace(packet(device, n), start_ns=now_ns + (by_s - 1) * 10**9)


def test_the_times_of_a_clock_that_is_ahead_are_corrected_and_marked_also_behind_a_restart() -> None:
    taker = Taker()
    number = replace(vital("a", 0), time_ns=time.time_ns() + 7200 * 10**9)
    assert run(taker, ("a", [ahead("a", 0, 7200), number]), ("b", [ahead("b", 0, 0)])) == [None, None]
    assert run(taker, ("a", [ahead("a", 1, 7200)])) == [None]
    bundles = [bundle for flush in taker.flushes for bundle in flush]
    packets = [p for bundle in bundles for p in bundle.packets()]
    assert len(packets) == 3
    for one in packets:
        assert abs(one.start_ns + 10**9 - one.received_ns) < 10**9
    (vital_,) = (v for bundle in bundles for v in bundle.vitals())
    assert abs(vital_.time_ns - packets[0].received_ns) < 10**9
    ((shard, mark),) = taker.marks
    assert (shard, mark.device, mark.session, mark.from_sample, mark.issued_by) == (1, "a", SESSION, 0, "gw")
    assert isinstance(mark.change, ClockCorrection)
    assert mark.change.ahead_ns == pytest.approx(7200e9, abs=1e9)


def test_a_message_of_a_device_whose_clock_is_ahead_is_corrected_behind_its_session() -> None:
    taker = Taker()
    begun_ns, channels = ahead("a", 0, 7200).start_ns, message(0).stretches[0].channels
    sent = [replace(message(n), stretches=(Stretch(begun_ns + n * 10**9, channels),)) for n in range(2)]
    assert readings(taker, *sent) == [None, None]
    found = [p for flush in taker.flushes for bundle in flush for p in bundle.packets()]
    assert [p.session for p in found] == [begun_ns, begun_ns]
    assert all(p.start_ns < p.received_ns for p in found)


def test_of_messages_that_are_gathered_the_bad_one_alone_is_refused() -> None:
    taker = Taker()
    told = readings(taker, message(0), message(1, rate=0.001), message(1), message(3, "b"))
    assert [type(one) for one in told] == [type(None), BadRecordError, type(None), NotAdmittedError]
    assert sorted(taken(taker)) == [(1, "a", 0), (1, "a", 1)]
    assert taker.refused == 2


def test_what_is_taken_lies_in_a_real_spool_though_kafka_is_away(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        publisher = Publisher("127.0.0.1:1", spool, gateway="gw", partitions=2)

        async def give() -> None:
            with Intake("gw", publisher, lambda: KNOWN) as intake:
                await intake.take("a", [packet("a", n) for n in range(3)], is_urgent=True)
                await intake.read("b", message(0, "b"))

        asyncio.run(give())
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        bundles = [decode(spool.read(record.number)) for record in spool.records()]
        assert spool.known("course").keys() == {"b"}
    found = [(p.device, p.seq) for b in bundles if isinstance(b, Bundle) for p in b.packets()]
    assert found == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
