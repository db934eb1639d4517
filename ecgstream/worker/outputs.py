"""From what a detector bank found to the records that travel."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import detectors
from detectors.control import CATEGORIES, SCORES
from detectors.evidence import evidence_of
from detectors.output import OPEN, Events
from ecgstream.worker.links import LinkEvent
from schemas import codec, topics
from schemas.batches import Beats, DeviceStatuses, Rhythms, Trends
from schemas.conditions import Code
from schemas.ids import event_id
from schemas.limits import LIMITED_CODES
from schemas.records import Condition, DeadLetter, Lane, Phase, Segment, Start

_PHASES = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Output:
    """One record to be written to the partition that its input came from; without value: a tombstone."""

    topic: topics.Topic
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the entries of a gathered bundle came from: one offset and publication time an entry."""

    lane: Lane
    partition: int
    generation: int
    offset: NDArray[np.int64]
    published_ns: NDArray[np.int64]


def of_events(events: Events, devices: list[str], source: Source) -> list[Output]:
    """Return the batches of one call of the bank; ``devices``: the name of each entry."""
    head = (source.partition, source.generation, detectors.VERSION, devices)
    found: list[Output] = []
    if (b := events.beats).size:
        beats = Beats(
            *head, b["entry"], b["session"], b["sample"], b["time_ns"], b["code"], b["rr_s"], b["hr_bpm"],
            source.offset[b["entry"]],
        )  # fmt: skip
        found.append(Output(topics.BEATS, None, beats.encode()))
    if (r := events.rhythms).size:
        offset = source.offset[r["entry"]]
        rhythms = Rhythms(*head, r["entry"], r["session"], r["sample"], r["time_ns"], r["rhythm"], offset)
        found.append(Output(topics.RHYTHMS, None, rhythms.encode()))
    if (t := events.trends).size:
        trends = Trends(
            *head, t["entry"], t["session"], t["minute_ns"], t["code"], t["n"], t["mean"], t["low"],
            t["high"], source.offset[t["entry"]], source.lane,
        )  # fmt: skip
        found.append(Output(topics.TRENDS, None, trends.encode()))
    return found


def conditions_of(events: Events, devices: list[str], source: Source) -> Iterator[Condition]:
    """Yield the conditions of one call of the bank."""
    return (_condition(row, devices, source) for row in events.conditions)


def _condition(row: np.void, devices: list[str], source: Source) -> Condition:
    entry = int(row["entry"])
    device, session, onset = devices[entry], int(row["session"]), int(row["onset_sample"])
    code = Code(int(row["code"]))
    return Condition(
        id=event_id(device, session, code.name, onset),
        device=device,
        patient=row["patient"].decode("ascii"),
        session=session,
        code=code.name,
        phase=_PHASES[int(row["phase"])],
        onset_sample=onset,
        onset_ns=int(row["onset_ns"]),
        sample=int(row["sample"]),
        time_ns=int(row["time_ns"]),
        delay_s=float(row["delay_s"]),
        evidence=evidence_of(code, row["evidence"]),
        published_ns=int(source.published_ns[entry]),
        partition=source.partition,
        offset=int(source.offset[entry]),
        generation=source.generation,
        version=detectors.VERSION,
        lane=source.lane,
    )


def of_condition(condition: Condition) -> Output:
    """Return the record of a phase of a condition, keyed by its device."""
    return Output(topics.CONDITIONS, condition.device.encode(), codec.encode(condition))


def ended(condition: Condition, generation: int) -> Condition:
    """Return the end of a condition that no detector follows any more, where it was seen last."""
    return replace(condition, phase=Phase.END, generation=generation, version=detectors.VERSION)


def of_lost_records(
    topic: str, partition: int, gap: tuple[int, int], generation: int, wall_ms: int
) -> list[Output]:
    """Return the alarm that records of a partition were gone before they were read.

    ``gap``: the first offset that is gone, and the first that is there. It begins and ends at once: what is
    lost stays lost, and the alert latches until somebody has taken note.
    """
    subject = f"{topic}-{partition}"
    expected, oldest = gap
    now_ns = wall_ms * 1_000_000
    onset = Condition(
        id=event_id(subject, 0, Code.RECORDS_LOST.name, oldest),
        device=subject,
        patient="",
        session=0,
        code=Code.RECORDS_LOST.name,
        phase=Phase.ONSET,
        onset_sample=oldest,
        onset_ns=now_ns,
        sample=oldest,
        time_ns=now_ns,
        delay_s=0.0,
        evidence={"records": float(oldest - expected)},
        published_ns=now_ns,
        partition=partition,
        offset=oldest,
        generation=generation,
        version=detectors.VERSION,
    )
    return [of_condition(onset), of_condition(ended(onset, generation))]


def segments_of(events: Events, devices: list[str], source: Source) -> Iterator[Segment]:
    """Yield the beginnings and ends of segments of one call of the bank."""
    return (_segment(row, devices, source) for row in events.segments)


def _segment(row: np.void, devices: list[str], source: Source) -> Segment:
    entry, ended = int(row["entry"]), row["to_sample"] != OPEN
    return Segment(
        device=devices[entry],
        session=int(row["session"]),
        lane=source.lane,
        from_sample=int(row["from_sample"]),
        from_ns=int(row["from_ns"]),
        to_sample=int(row["to_sample"]) if ended else None,
        to_ns=int(row["to_ns"]) if ended else None,
        start=Start.RESTORED if row["restored"] else Start.COLD,
        settings=_settings(row),
        partition=source.partition,
        offset=int(source.offset[entry]),
        generation=source.generation,
        version=detectors.VERSION,
    )


def _settings(row: np.void) -> str:
    def bound(value: float) -> float | None:
        return None if math.isnan(value) else value

    limits = {
        str(code): [bound(low), bound(high)]
        for code, low, high in zip(LIMITED_CODES, row["low"].tolist(), row["high"].tolist(), strict=True)
    }
    told = {
        "category": CATEGORIES[row["category"]],
        "paced": bool(row["paced"]),
        "news2": SCORES[row["news2"]],
        "limits": limits,
    }
    return json.dumps(told, separators=(",", ":"))


def of_segment(segment: Segment) -> Output:
    """Return the record of a segment that begins or ends, keyed by its device."""
    return Output(topics.SEGMENTS, segment.device.encode(), codec.encode(segment))


def of_link(event: LinkEvent, device: str, patient: str, at: tuple[int, int, int, int]) -> Output:
    """Return the condition record of a lost link, or of one that is back.

    ``at``: partition, generation, offset of the record whose time told it, and that record's time in ns.
    """
    partition, generation, offset, log_ns = at
    silent_ns = int(event.silent_s * 1e9)
    condition = Condition(
        id=event_id(device, event.session, Code.LINK_LOST.name, event.last_sample),
        device=device,
        patient=patient,
        session=event.session,
        code=Code.LINK_LOST.name,
        phase=Phase.END if event.back else Phase.ONSET,
        onset_sample=event.last_sample,
        onset_ns=event.last_ns,
        sample=event.last_sample,
        time_ns=event.last_ns + silent_ns,
        delay_s=event.silent_s,
        evidence={"silent_s": event.silent_s},
        published_ns=log_ns,
        partition=partition,
        offset=offset,
        generation=generation,
        version=detectors.VERSION,
    )
    return of_condition(condition)


def of_statuses(statuses: NDArray[np.void], devices: list[str], source: Source) -> Output:
    """Return the batch that says where each device stands; ``statuses``: one row an entry of ``source``."""
    batch = DeviceStatuses(
        source.partition, source.generation, detectors.VERSION, devices, np.arange(len(devices)),
        statuses["session"], statuses["sample"], statuses["time_ns"], source.published_ns, statuses["hr_bpm"],
        statuses["beat"], statuses["rhythm"], statuses["quality"], statuses["leads_off"], statuses["leads"],
    )  # fmt: skip
    return Output(topics.STATUS, None, batch.encode())


def of_dead_letter(topic: str, partition: int, offset: int, reason: str, value: bytes) -> Output:
    """Return the dead letter of a record that could not be used."""
    letter = DeadLetter(topic, partition, offset, reason, value)
    return Output(topics.DEAD_LETTERS, None, codec.encode(letter))
