"""From what a detector bank found to the records that travel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import detectors
from detectors.evidence import NAMES
from detectors.output import Events
from ecgstream.worker.links import LinkEvent
from schemas import codec, topics
from schemas.batches import Beats, DeviceStatuses, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.conditions import Code
from schemas.ids import event_id
from schemas.records import Condition, DeadLetter, Phase

_PHASES = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Output:
    """One record to be written to the partition that its input came from."""

    topic: topics.Topic
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Where the entries of a gathered bundle came from: one offset and publication time an entry."""

    partition: int
    generation: int
    offset: NDArray[np.int64]
    published_ns: NDArray[np.int64]


def of_events(events: Events, bundle: Bundle, source: Source) -> list[Output]:
    """Return the batches and condition records of one call of the bank."""
    head = (source.partition, source.generation, detectors.VERSION, bundle.devices)
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
            t["high"], source.offset[t["entry"]],
        )  # fmt: skip
        found.append(Output(topics.TRENDS, None, trends.encode()))
    found += [_of_condition(row, bundle, source) for row in events.conditions]
    return found


def _of_condition(row: np.void, bundle: Bundle, source: Source) -> Output:
    entry = int(row["entry"])
    device, session, onset = bundle.devices[entry], int(row["session"]), int(row["onset_sample"])
    code = Code(int(row["code"]))
    values = row["evidence"].tolist()
    condition = Condition(
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
        evidence=dict(zip(NAMES.get(code, ()), values, strict=False)),
        published_ns=int(source.published_ns[entry]),
        partition=source.partition,
        offset=int(source.offset[entry]),
        generation=source.generation,
        version=detectors.VERSION,
    )
    return Output(topics.CONDITIONS, device.encode(), codec.encode(condition))


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
    return Output(topics.CONDITIONS, device.encode(), codec.encode(condition))


def of_statuses(statuses: NDArray[np.void], devices: list[str], source: Source) -> Output:
    """Return the batch that says where each device stands; ``statuses``: one row an entry of ``source``."""
    batch = DeviceStatuses(
        source.partition, source.generation, detectors.VERSION, devices, np.arange(len(devices)),
        statuses["session"], statuses["sample"], statuses["time_ns"], source.published_ns, statuses["hr_bpm"],
        statuses["beat"], statuses["rhythm"], statuses["quality"], statuses["leads_off"], statuses["leads"],
    )  # fmt: skip
    return Output(topics.STATUS, None, batch.encode())


def of_dead_letter(partition: int, offset: int, reason: str, value: bytes) -> Output:
    """Return the dead letter of an ingest record that could not be used."""
    letter = DeadLetter(topics.INGEST.name, partition, offset, reason, value)
    return Output(topics.DEAD_LETTERS, None, codec.encode(letter))
