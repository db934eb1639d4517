"""The spool's file, as a bad disk gives it back: refused, or what is sent of it is what was put."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from devices.bounds import BOUNDS, Keeper
from devices.bundler import Instant
from devices.errors import SpoolError
from devices.ledger import Play
from devices.parts import parts_of
from devices.rows import Record
from devices.sessions import Sessions
from devices.shipper import Shipper
from devices.spool import Spool
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import Packet
from tests.devices.lines import FakeLine
from tests.devices.spooling import START_NS, bundle
from tests.fuzz.mutators import DISK
from tests.fuzz.target import Target

_GAP_S = 5.0
_SECONDS = 24
_STEPS = 500
_COURSE = b'{"session": 7, "seq": 3, "next_sample": 750, "messages": ["m-1"]}'
_PLAY = Play("ward", 5, 6, 1.0, 1.0, ("a", "b"))


def spool(data: bytes) -> None:
    """Begin with this file, take a second more, and send all of it; or say why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gw.spool"
        path.write_bytes(data)
        try:
            with closing(Spool(path)) as found:
                found._connection.execute("PRAGMA synchronous = OFF")  # no power fails here
                _send(found)
        except SpoolError:
            return


def _send(found: Spool) -> None:
    Sessions(found.courses())
    found.marks()
    shipper, line = Shipper(found, gateway="gw", partitions=4, gap_s=_GAP_S), FakeLine(at_once=True)
    Keeper(found, shipper, BOUNDS).step(START_NS, 10**12)
    shipper.take(_put(found, bundle(99, "ab")))
    for n in range(_STEPS):
        shipper.step(line, Instant(0.1 * n, START_NS))  # type: ignore[arg-type]
        shipper.backlog()
        found.held()
        found.commit()
        if found.is_empty:
            break
    else:
        raise AssertionError("it comes to no end")
    for sent in line.log:
        record = codec.decode(sent.value)
        if isinstance(record, Bundle):
            assert {*map(_plain, record.packets())} <= _known()


def _put(into: Spool, one: Bundle, *, is_live: bool = True) -> Record:
    return into.put(one.shard, one.created_ns, one.encode(), parts_of(one), is_live=is_live)


def _plain(packet: Packet) -> Hashable:
    samples = packet.channels[0].samples.tobytes()
    return packet.device, packet.session, packet.seq, packet.first_sample, packet.start_ns, samples


@cache
def _known() -> frozenset[Hashable]:
    return frozenset(_plain(p) for n in (*range(_SECONDS), 99) for p in bundle(n, "ab").packets())


def _files() -> Sequence[bytes]:
    """An empty one; one of live records; one with a gap, past records and all that is noted beside them."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds, is_planned in ((0, False), (4, False), (_SECONDS, True)):
            path = Path(folder) / f"{seconds}.spool"
            with closing(Spool(path)) as made:
                for n in range(seconds):
                    _put(made, bundle(n, "ab"), is_live=not is_planned or n % 10 != 9)
                made.commit()
                if is_planned:
                    made.begin(_PLAY)
                    made.come("a", _COURSE)
                    Shipper(made, gateway="gw", partitions=4, gap_s=_GAP_S).plan(START_NS)
            found.append(path.read_bytes())
    return found


TARGETS = {"spool": Target(spool, _files, DISK, most=256 * 1024, share=0.01)}
