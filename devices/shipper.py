"""What goes from the spool to Kafka next. It does what the lanes say, and waits for nothing.

The live lane of a shard is at most ``WINDOW`` records ahead of the acknowledgements; all else stays in the
spool, where it can still be overtaken. The backlog's lane takes turns: a turn is over once Kafka has all of
it, and leaves the line to others for as long as it took. So half of the line is the live signal's, however
narrow it is. A turn is a record where the line is narrow, and more, the quicker it is.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from devices.backlog import GAP_S, WINDOW, Gap, Lanes, Part
from devices.bundler import Instant
from devices.errors import LineError
from devices.line import Line, Outcome
from devices.parts import only
from devices.rows import Record
from devices.spool import Spool
from devices.stretches import Stretch
from devices.tally import Lost
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.errors import BadRecordError
from schemas.records import BacklogEnd, Control
from schemas.topics import BACKFILL, INGEST, Topic, partition_of

BACKLOG_SHARE = 0.5
"""Of the time, while there is a backlog."""
TURN_S = 0.1
"""What a turn of the backlog is to last at most: so long the live signal may have to wait for it."""
MOST_A_TURN, MOST_A_TURN_BYTES = 64, 262_144
_BEAT_RECORDS = 1000
_MAX_FLYING_BYTES = 32 * 1_048_576


class Shipped(NamedTuple):
    """What Kafka has acknowledged to this process."""

    records: int
    bytes: int


class _Flying(NamedTuple):
    """What was sent and is not acknowledged: parts of a record, or the end of a gap."""

    shard: int
    size: int
    record: Record | None = None
    parts: Sequence[Part] = ()
    gap: Gap | None = None
    is_live: bool = False


@dataclass(slots=True)
class _Shard:
    lanes: Lanes
    going_back: int = 0  # sent on the backlog's lane and not acknowledged
    back: set[int] = field(default_factory=set)  # those; of a lost line too, since Kafka may have them
    turn: int = 1  # records that the backlog's lane sends at once
    went_s: float = 0.0
    may_go_s: float = -math.inf
    fresh: dict[int, Record] = field(default_factory=dict)  # the newest, which need not be looked up


class Shipper:
    """Ships for one gateway; one thread's.

    Args:
        spool: what is to be sent; that of an earlier process too.
        gateway: its name.
        partitions: of every topic.
        gap_s: see ``devices.backlog``.
        beat: called now and then while it begins, which takes minutes where millions of records wait.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        gateway: str,
        partitions: int,
        gap_s: float = GAP_S,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._gateway = gateway
        self._partitions = partitions
        self._gap_s = gap_s
        self._tokens = 0
        self._flying: dict[int, tuple[_Flying, float]] = {}
        self._flying_bytes = 0
        self.shipped = Shipped(0, 0)
        self._shards: dict[int, _Shard] = {}
        self._restore(beat)

    def _restore(self, beat: Callable[[], None]) -> None:
        gaps: dict[int, list[Gap]] = {}
        for shard, gap in self._spool.gaps():
            gaps.setdefault(shard, []).append(gap)
        for shard, begun in gaps.items():
            self._shards[shard] = _Shard(Lanes(self._gap_s, begun))

        def is_backlog(its: Stretch) -> bool:
            shard = self._shards.get(its.shard)
            if shard is None or its.devices is None:
                return False
            return shard.lanes.is_backlog(its.begin, its.end, its.devices)

        # One by one: memory may not hold them all.
        for at, record in enumerate(self._spool.records(but=is_backlog)):
            if at % _BEAT_RECORDS == 0:
                beat()
            lanes = self._of(record.shard).lanes
            (lanes.resume if record.is_live else lanes.resume_past)(record.number, record.parts)

    def _of(self, number: int) -> _Shard:
        shard = self._shards.get(number)
        if shard is None:
            shard = self._shards[number] = _Shard(Lanes(self._gap_s))
        return shard

    def take(self, record: Record) -> None:
        """Take a record that was spooled just now."""
        shard = self._of(record.shard)
        if not record.is_live:
            shard.lanes.add_past(record.number)
            return
        shard.lanes.add(record.number, record.parts)
        shard.fresh[record.number] = record
        if len(shard.fresh) > WINDOW:
            del shard.fresh[next(iter(shard.fresh))]

    def step(self, line: Line, now: Instant) -> float:
        """Hear what became of what was sent, and send what may be sent now.

        Returns:
            When there will be more to send although nothing is heard, s of the steady clock.

        Raises:
            LineError: the line does not do any more; ``lost`` must be told.
        """
        self._hear(line.outcomes(), now.steady_s)
        shards = list(self._shards.items())
        sending = shards
        while sending:  # one record of each shard in turn
            sending = [(n, shard) for n, shard in sending if self._hand_over(n, shard, line, now)]
        for number, shard in shards:
            self._go_back(number, shard, line, now)
        return min((s.may_go_s for _, s in shards if s.may_go_s > now.steady_s), default=math.inf)

    def lost(self, outcomes: Sequence[Outcome]) -> None:
        """Hear that the line is closed; ``outcomes``: those that came to the last."""
        with suppress(LineError):
            self._hear(outcomes, 0.0)
        self._flying.clear()
        self._flying_bytes = 0
        for shard in self._shards.values():
            shard.lanes.failed()
            shard.going_back = 0
            shard.turn = 1
            shard.may_go_s = -math.inf

    def hurry(self) -> None:
        """Hear that Kafka is there again: live signal goes on with what was measured last."""
        for shard in self._shards.values():
            shard.lanes.hurry()

    @property
    def waits_since_s(self) -> float:
        """When the oldest of what is on its way was sent, s of the steady clock; infinity: nothing is."""
        return min((sent_s for _, sent_s in self._flying.values()), default=math.inf)

    def is_live(self, number: int) -> bool:
        """Return whether all that is to go live of a shard has been sent."""
        shard = self._shards.get(number)
        return shard is None or shard.lanes.next_live() is None

    def backlog(self) -> int:
        """Return how many records are to go by the backlog's lane."""
        below = {number: shard.lanes.backlog_below for number, shard in self._shards.items()}
        return sum(self._spool.count_below(number, limit) for number, limit in below.items() if limit)

    # -- what of the spool may be given up (``devices.bounds``)

    def plan(self, now_ns: int) -> None:
        """Say of all that waits by which lane it goes; the spool must be committed."""
        for number, shard in self._shards.items():
            if shard.lanes.is_late:
                self._spool.planned(number, shard.lanes.plan(now_ns))

    def may_thin(self, record: Record) -> bool:
        """Return whether what is left of a record goes by the backlog's lane, and did not go yet."""
        shard = self._of(record.shard)
        is_signal = bool(record.parts)  # not the end of a recording, which is small
        return is_signal and record.number not in shard.back and not shard.lanes.wants(record.number)

    def may_drop(self, record: Record) -> bool:
        """Return whether nothing of a record did go yet that is not acknowledged."""
        shard = self._of(record.shard)
        return record.number not in shard.back and not shard.lanes.may_have_gone(record.number)

    def backlog_of(self, record: Record) -> set[str]:
        """Return the devices whose parts go by the backlog's lane."""
        _, late = self._of(record.shard).lanes.split(record.number, record.parts)
        return {part.device for part in late}

    def dropped(self, record: Record) -> None:
        """Hear that a record is lost that may be dropped, after a plan."""
        shard = self._of(record.shard)
        shard.lanes.drop(record.number)
        shard.fresh.pop(record.number, None)

    # -- what is sent

    def _hand_over(self, number: int, shard: _Shard, line: Line, now: Instant) -> bool:
        """Send the next record of a shard's live lane; return whether there was one that may go."""
        lanes = shard.lanes
        if lanes.flying >= WINDOW or self._flying_bytes > _MAX_FLYING_BYTES:
            return False
        # What a crash would bring back counts too. If the disk takes nothing, the live signal does not wait.
        if lanes.flying + self._spool.undeleted(number) >= WINDOW:
            self._spool.commit()
        if lanes.is_late:
            self._spool.planned(number, lanes.plan(now.utc_ns))
            self._spool.commit()
        following = lanes.next_live()
        if following is None:
            return False
        record = shard.fresh.pop(following, None) or self._spool.record(following)
        live = [] if record is None else lanes.split(following, record.parts)[0]
        value = None if record is None else self._read(record, live)
        if record is None or value is None:  # it is damaged
            lanes.drop(following)
            return True
        lanes.handed(record.number, live)
        self._send(line, INGEST, value, _Flying(number, len(value), record, live, is_live=True), now)
        return True

    def _go_back(self, number: int, shard: _Shard, line: Line, now: Instant) -> None:
        """Send a turn of a shard's backlog, or the end of gaps, if it may go now."""
        lanes = shard.lanes
        if shard.going_back or now.steady_s < shard.may_go_s or not lanes.backlog_is_open():
            return
        if self._flying_bytes > _MAX_FLYING_BYTES // 2:  # of many shards; the rest is the live signal's
            return
        record = self._spool.first_of(number, lanes.backlog_below)
        if record is None:
            lanes.nothing_waits()
        for gap in lanes.ended(record.number if record is not None else None):
            end = encode(self._end_of(gap))
            self._send(line, BACKFILL, end, _Flying(number, len(end), gap=gap), now)
            shard.going_back += 1
        size = 0
        while record is not None and shard.going_back < shard.turn and size < MOST_A_TURN_BYTES:
            if lanes.ended(record.number):  # what lies before it is to be in Kafka first
                break
            size += self._send_back(record, shard, line, now)
            record = self._spool.first_of(number, lanes.backlog_below, record.number + 1)
        shard.went_s = now.steady_s

    def _send_back(self, record: Record, shard: _Shard, line: Line, now: Instant) -> int:
        """Send what of a record is backlog; return its bytes."""
        _, late = shard.lanes.split(record.number, record.parts)
        value = self._read(record, late)
        if value is None:  # it is damaged
            shard.lanes.went(record.number)
            shard.back.discard(record.number)
            return 0
        shard.back.add(record.number)
        shard.going_back += 1
        self._send(line, BACKFILL, value, _Flying(record.shard, len(value), record, late), now)
        return len(value)

    def _read(self, record: Record, parts: Sequence[Part]) -> bytes | None:
        """Return these parts of a record; ``None``: it is damaged, and lost."""
        value = self._spool.read(record.number)
        if value is None or len(parts) == len(record.parts):
            return value
        try:
            return only(Bundle.decode(value), {part.device for part in parts}).encode()
        except BadRecordError:  # of a version without checksums
            self._spool.drop(record, Lost(records=1))
            return None

    def _hear(self, outcomes: Sequence[Outcome], now_s: float) -> None:
        errors = []
        for token, error in outcomes:
            if token not in self._flying:
                continue  # how the gateway stands: it is told again soon
            if error:
                errors.append(error)
            else:
                self._acknowledged(self._flying.pop(token)[0], now_s)
        if errors:
            raise LineError(errors[0])

    def _acknowledged(self, sent: _Flying, now_s: float) -> None:
        self._flying_bytes -= sent.size
        self.shipped = Shipped(self.shipped.records + 1, self.shipped.bytes + sent.size)
        shard = self._shards[sent.shard]
        if sent.gap is not None:
            shard.lanes.close(sent.gap)
            self._spool.ended(sent.gap)
        elif sent.record is not None:
            is_all = True
            if sent.is_live:
                shard.lanes.acknowledged(sent.record.number)
                is_all = len(sent.parts) == len(sent.record.parts)
            else:
                shard.lanes.went(sent.record.number)
            self._spool.acknowledged(sent.record, sent.parts, sent.size, is_all=is_all)
        if not sent.is_live:
            self._went_back(shard, sent, now_s)

    def _went_back(self, shard: _Shard, sent: _Flying, now_s: float) -> None:
        """Hear that Kafka has something of a turn; once it has all of it, say when the next one is."""
        if sent.record is not None:
            shard.back.discard(sent.record.number)
        shard.going_back -= 1
        took_s = now_s - shard.went_s
        if not shard.going_back:
            shard.may_go_s = now_s + took_s * (1 / BACKLOG_SHARE - 1)
            if took_s > TURN_S:
                shard.turn = max(1, shard.turn // 2)
            elif took_s < TURN_S / 2:
                shard.turn = min(2 * shard.turn, MOST_A_TURN)

    def _send(self, line: Line, topic: Topic, value: bytes, what: _Flying, now: Instant) -> None:
        self._tokens += 1
        self._flying[self._tokens] = (what, now.steady_s)
        self._flying_bytes += what.size
        device = what.gap.device if what.gap is not None else ""
        partition = partition_of(what.shard, self._partitions)
        line.send(topic, partition, value, self._tokens, key=device.encode() or None)

    def _end_of(self, gap: Gap) -> Control:
        # The gap was kept as planned: the same bytes however often they are sent.
        return Control(
            f"backlog-{gap.device}-{gap.planned_ns}",
            gap.device,
            gap.session,
            gap.from_sample,
            gap.planned_ns,
            self._gateway,
            BacklogEnd(),
        )
