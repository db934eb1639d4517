"""Whence a replay has the records of a device: from what is stored of it, if nothing else is said.

What was found follows from all that a device sent since its session began, so that a replay runs in from
there, however short the stretch. Of the session before it takes the end, since that a device has begun anew
is a finding too, and vital signs of a day, which a score may go by.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import psycopg

from ecgstream.replay import stored
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.log import Log, Step
from ecgstream.replay.packets import Came, packets
from ecgstream.replay.settings import Controls, as_they_were
from ecgstream.replay.stored import Ran
from schemas.records import Lane, Packet

BEHIND_NS = 60_000_000_000
"""So much behind the stretch is played too: what was found at its end was known only then."""
_BEFORE_ALL = -(2**31)
"""An offset; those of records that stand in for others are below 0."""
_TAIL_NS = 20_000_000_000
"""Of the session before."""


class Stretch(NamedTuple):
    """Of the device's time, UTC ns, without its end."""

    since_ns: int
    until_ns: int


class Signal:
    """A stretch, and how much signal there is in it, s."""

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.inside_s = 0.0

    def count(self, come: Iterable[Packet]) -> None:
        """Take packets that a replay takes in."""
        since_ns, until_ns = self.stretch
        self.inside_s += sum(duration_s(p) for p in come if since_ns <= p.start_ns < until_ns)


class Source(Protocol):
    """Gives the records of a device, from the begin of a session on."""

    def steps(self, device: str, ran: Sequence[Ran], signal: Signal) -> Iterator[Step]:
        """Yield what lay in the log for a stretch; count its signal.

        Args:
            device: its name.
            ran: the segments of the stretch, and of the session that it begins in all.
            signal: the stretch.

        Raises:
            ReplayError: it is not there, or not in an order in which it can be replayed.
            ecgstream.store.trace_codec.TraceError, schemas.errors.BadRecordError: it cannot be read.
        """


class FromStore:
    """Puts the log together again from what is stored.

    Args:
        connection: of a person, who sees all of it.
        controls: what changes results is that which there was, or something else in its place.
    """

    def __init__(self, connection: psycopg.Connection, controls: Controls = as_they_were) -> None:
        self._connection = connection
        self._controls = controls

    def steps(self, device: str, ran: Sequence[Ran], signal: Signal) -> Iterator[Step]:
        """See ``Source``."""
        connection, until_ns = self._connection, signal.stretch.until_ns
        first = min(one.session for one in ran)
        begin_ns = min(one.from_ns for one in ran)
        end_ns = until_ns + BEHIND_NS
        if not stored.has_places(connection, device, first, begin_ns, until_ns):
            raise ReplayError(
                f"{device}: its session began {at(begin_ns)}, and a part of it was stored by a version that"
                " did not keep what a replay needs. A session that began later can be replayed"
            )
        placed = self._controls(stored.controls(connection, device, begin_ns, end_ns))
        placed += stored.vitals(connection, device, begin_ns, end_ns)
        log = Log(device, ran, sorted(placed, key=lambda one: (one.offset, one.place)))
        order = _Order(device, signal)
        last = stored.before(connection, device, begin_ns, first)
        if last is not None and last.to_ns is not None:
            yield from order.checked(log, self._come(device, last.session, last.to_ns - _TAIL_NS, last.to_ns))
        for number in sorted({one.session for one in ran}):
            of_one = [one for one in ran if one.session == number]
            to_ns = max(end_ns if one.to_ns is None else one.to_ns for one in of_one)
            come = self._come(device, number, min(one.from_ns for one in of_one), min(to_ns, end_ns))
            yield from order.checked(log, come)
        yield from log.rest()

    def _come(self, device: str, session: int, since_ns: int, until_ns: int) -> Iterator[list[Came]]:
        for come in packets(stored.blocks(self._connection, device, session, since_ns, until_ns)):
            yield [one for one in come if one.packet.start_ns < until_ns]


class _Order:
    """Sees to it that sessions follow each other in the log."""

    def __init__(self, device: str, signal: Signal) -> None:
        self._device = device
        self._signal = signal
        self._newest = _BEFORE_ALL

    def checked(self, log: Log, slices: Iterator[list[Came]]) -> Iterator[Step]:
        """Yield the steps of a session.

        Raises:
            ReplayError: they lie before those of the session before.
        """
        newest = self._newest
        for come in slices:
            self._signal.count(one.packet for one in come)
            for step in log.steps(come):
                if step.lane is Lane.LIVE:
                    if step.records[-1].offset < newest:
                        raise ReplayError(
                            f"{self._device}: two sessions of this stretch lie mixed in the log, or the log"
                            " was begun anew between them; replay them one by one"
                        )
                    self._newest = max(self._newest, step.records[-1].offset)
                yield step


def duration_s(packet: Packet) -> float:
    """Return how long a packet is."""
    return packet.channels[0].samples.size / packet.channels[0].rate


def at(ns: int) -> str:
    """Return a time, UTC ns, as people read it."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")
