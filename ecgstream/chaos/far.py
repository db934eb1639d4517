"""The gateway that was out of reach for five minutes: compared segment by segment.

Its devices' signal came by two lanes, so what the detectors found is not that of a play in peace. It must be
that of a play with the same gap: the lanes' own detectors are fed here, without Kafka, with the signal as it
was measured, each sample by the lane that the segments name; what they find is stored in a database of its
own. So a sample that came twice, never, in another order or by another lane makes a difference, and so does
what a crash left in a lane.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from alerts.page import LATE, RAISED
from alerts.priority import is_technical, priority_of
from devices.source import Source
from ecgstream.chaos import compare, load
from ecgstream.chaos.compare import Row
from ecgstream.store import rows
from ecgstream.store.writer import Writer
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.detect import Partition, Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, Saved
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import AlertState, BacklogEnd, Control, Lane, Packet, Phase, Priority, Start, Vital

FOUND = tuple(t for t in compare.COMPARED if t not in (*compare.WHOLE, "alert"))
"""What the lanes put out. Alerts follow from it and from the time at which it was known."""
LATE_S = 120.0
_NEVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Gap:
    """What of a device's one session came afterwards: samples from ``begin`` up to ``end``."""

    begin: int
    end: int


def gap_of(segments: Mapping[Row, Row]) -> Gap | None:
    """Return the gap in a device's segments, or None where they are not as they must be.

    They must be three without a hole: live, then what came afterwards, with the state from before the gap,
    then live again, cold.
    """
    columns = compare.COMPARED["segment"]
    found = [dict(zip(columns, (*key, *row), strict=True)) for key, row in segments.items()]
    found.sort(key=lambda s: int(s["from_sample"]))
    shape = [(s["lane"], s["start"]) for s in found]
    if shape != [(Lane.LIVE, Start.COLD), (Lane.BACKFILL, Start.RESTORED), (Lane.LIVE, Start.COLD)]:
        return None
    before, gap, behind = found
    whole = before["from_sample"] == 0 and before["to_sample"] == gap["from_sample"]
    if not whole or gap["to_sample"] != behind["from_sample"] or behind["to_sample"] is not None:
        return None
    return Gap(int(gap["from_sample"]), int(gap["to_sample"]))


def expected(writer: Writer, source: Source, gap: Gap, controls: Sequence[Control]) -> None:
    """Store what the lanes find in a device's signal; ``controls``: what they were told before it began."""
    saved = Saved()
    live = Live(0, 1, saved, Keys(saved), lost_link_s=_NEVER_S, clock_rate=1.0)
    backfill = Backfill(0, 1, saved, live)
    told = [codec.encode(control) for control in controls]
    live.process(_records([*told, *_bundles(source, gap, Lane.LIVE)]))
    (session,) = {e.item.session for e in source.emissions(load.START_NS)}
    end = Control("", source.device, session, gap.end, 0, "", BacklogEnd())
    backfill.process(_records([*_bundles(source, gap, Lane.BACKFILL), codec.encode(end)]))
    _store(writer, (live, backfill))


def _records(values: Iterable[bytes]) -> list[Record]:
    return [Record(offset, offset, value) for offset, value in enumerate(values)]


def _bundles(source: Source, gap: Gap, lane: Lane) -> Iterator[bytes]:
    """Yield what went by a lane. Numbers go with the packet that leaves with them: they are of one record."""
    for _, emissions in groupby(source.emissions(load.START_NS), key=lambda e: e.at_s):
        items = [e.item for e in emissions]
        packets = [i for i in items if isinstance(i, Packet)]
        vitals = [i for i in items if isinstance(i, Vital)]
        is_late = any(gap.begin <= p.first_sample < gap.end for p in packets)
        if packets and is_late == (lane is Lane.BACKFILL):
            yield codec.encode(Bundle.of(load.FAR, 0, load.START_NS, packets, vitals))


def _store(writer: Writer, lanes: Iterable[Partition]) -> None:
    for lane in lanes:
        for output in lane.outbox:
            if output.topic.name in rows.OF and output.value is not None:
                writer.write([rows.OF[output.topic.name](output.value)], [])


def judge_alerts(
    conditions: Mapping[Row, Row], alerts: Mapping[Row, Row], told: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return what is wrong with the alerts of conditions, and which pages were lost.

    Args:
        conditions: as they had to be found.
        alerts: those that there are.
        told: alert to what people were told of it.
    """
    wrong: list[str] = []
    lost: list[str] = []
    for key, row in conditions.items():
        condition = dict(zip(compare.COMPARED["condition"], (*key, *row), strict=True))
        name = f"{condition['code']} of {condition['device']} at {condition['onset_ns']}"
        if key not in alerts:
            wrong.append(f"{name} has no alert")
            continue
        alert = dict(zip(compare.COMPARED["alert"], (*key, *alerts[key]), strict=True))
        outcome = (alert["state"], told.get(str(key[0]), ""))
        allowed = outcomes(condition)
        if alert["joined"] or alert["inhibited_by"]:  # another one calls in its place
            allowed += [(state, "") for state, _ in allowed]
        if outcome not in allowed:
            words = f"{name} is {outcome}, which may be {allowed}"
            (wrong if outcome[1] or not allowed[0][1] else lost).append(words)
    wrong += [f"alert {alerts[key]} has no condition" for key in alerts.keys() - conditions.keys()]
    return wrong, lost


def outcomes(condition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how the alert of a condition may stand, and what people may have been told.

    What was measured while the gateway was away is known here from its return on, and by the end of the play:
    where both say the same of a condition's age, there is one outcome.
    """
    priority = priority_of(condition["code"])
    if condition["phase"] != Phase.END:
        return [(AlertState.ACTIVE, "" if priority is Priority.LOW else RAISED)]
    end_s = (condition["end_ns"] - load.START_NS) / 1e9
    known_s = load.AWAY_S[1] if condition["lane"] == Lane.BACKFILL else end_s
    ages_s = (known_s - end_s, load.SIGNAL_S - end_s if condition["lane"] == Lane.BACKFILL else 0.0)
    return sorted({_outcome(condition["code"], priority, is_late=age_s > LATE_S) for age_s in ages_s})


def _outcome(code: str, priority: Priority, *, is_late: bool) -> tuple[str, str]:
    if priority is Priority.LOW:
        return AlertState.ENDED, ""
    if is_late:
        return (AlertState.ENDED, "") if is_technical(code) else (AlertState.LATE, LATE)
    return (AlertState.LATCHED if priority is Priority.HIGH else AlertState.ENDED), RAISED
