"""A recording through the detectors, packet by packet, as it would come from a gateway."""

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.output import Events
from devices import recordings
from devices.source import NS, Source
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Change, Control, Packet, Vital

PACKET_S = 0.25
"""Short packets: a decision counts as made when the packet that allows it has ended."""
START_NS = 1_700_000_000 * NS


class Played(NamedTuple):
    """What the detectors found in one recording or signal.

    Attributes:
        rate: of channel 0, Hz; all samples count at it.
        duration_s, leads: of its ECG.
        beats: ``detectors.output.BEAT``, in the order of decision.
        conditions: ``detectors.output.CONDITION``, all phases.
        rhythms: ``detectors.output.RHYTHM``.
        beat_delay_s: from each beat's R peak to the end of the packet that brought it, s of signal.
        condition_s: the end of the packet that brought each of the conditions, s of signal.
        packet_s, hr_bpm: the end of each packet, s of signal, and the heart rate told then; NaN: none.
        cpu_s: what the bank took, one device and packet a call.
    """

    rate: float
    duration_s: float
    leads: int
    beats: NDArray[np.void]
    conditions: NDArray[np.void]
    rhythms: NDArray[np.void]
    beat_delay_s: NDArray[np.float64]
    condition_s: NDArray[np.float64]
    packet_s: NDArray[np.float64]
    hr_bpm: NDArray[np.float64]
    cpu_s: float

    @property
    def ns_a_sample(self) -> float:
        """CPU a sample and lead, ns, with one device in the bank."""
        return self.cpu_s * 1e9 / (self.duration_s * self.rate * self.leads)


def play(path: Path, *, limit_s: float | None = None) -> Played:
    """Play a recording into a bank of its own.

    Raises:
        devices.errors.RecordingError: it cannot be read.
    """
    return play_source(recordings.read(path, limit_s=limit_s))


def play_source(source: Source, *, packet_s: float = PACKET_S, changes: Sequence[Change] = ()) -> Played:
    """Play a device of one session into a bank of its own.

    Args:
        source: the device.
        packet_s: how long its packets are, s.
        changes: what holds from its first sample on, such as alarm limits.
    """
    (session,) = source.sessions
    bank = Bank()
    for change in changes:
        bank.control(Control("evaluate", source.device, 0, 0, 0, "evaluate", change))
    row = bank.rows([source.device])
    found: defaultdict[str, list[NDArray[np.void]]] = defaultdict(list)
    told: defaultdict[str, list[NDArray[np.float64]]] = defaultdict(list)
    cpu_s = 0.0
    rate = session.waves[0].rate
    for at_s, items in groupby(source.emissions(START_NS, packet_s), key=lambda one: one.at_s):
        given = [one.item for one in items]
        packets = [item for item in given if isinstance(item, Packet)]
        vitals = [item for item in given if isinstance(item, Vital)]
        bundle = Bundle.of("evaluate", 0, START_NS + round(at_s * NS), packets, vitals)
        began_s = time.process_time()
        events: Events = bank.push(bundle)
        cpu_s += time.process_time() - began_s
        for name in ("beats", "conditions", "rhythms"):
            found[name].append(getattr(events, name))
        told["beat_delay_s"].append(at_s - events.beats["sample"] / rate)
        told["condition_s"].append(np.full(len(events.conditions), at_s))
        told["packet_s"].append(np.array([at_s]))
        told["hr_bpm"].append(bank.status(row)["hr_bpm"].astype(np.float64))
    return Played(
        rate,
        session.duration_s,
        sum(wave.kind == ECG_KIND for wave in session.waves),
        np.concatenate(found["beats"]),
        np.concatenate(found["conditions"]),
        np.concatenate(found["rhythms"]),
        np.concatenate(told["beat_delay_s"]),
        np.concatenate(told["condition_s"]),
        np.concatenate(told["packet_s"]),
        np.concatenate(told["hr_bpm"]),
        cpu_s,
    )
