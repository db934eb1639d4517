"""A recording through the detectors, packet by packet, as it would come from a gateway."""

import time
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.output import Events
from devices import recordings
from devices.source import NS
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Packet, Vital

PACKET_S = 0.25
"""Short packets: a decision counts as made when the packet that allows it has ended."""
START_NS = 1_700_000_000 * NS


class Played(NamedTuple):
    """What the detectors found in one recording.

    Attributes:
        rate: of channel 0, Hz; all samples count at it.
        duration_s, leads: of its ECG.
        beats: ``detectors.output.BEAT``, in the order of decision.
        conditions: ``detectors.output.CONDITION``, all phases.
        rhythms: ``detectors.output.RHYTHM``.
        beat_delay_s: from each beat's R peak to the end of the packet that brought it, s of signal.
        cpu_s: what the bank took, one device and packet a call.
    """

    rate: float
    duration_s: float
    leads: int
    beats: NDArray[np.void]
    conditions: NDArray[np.void]
    rhythms: NDArray[np.void]
    beat_delay_s: NDArray[np.float64]
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
    source = recordings.read(path, limit_s=limit_s)
    (session,) = source.sessions
    bank = Bank()
    found: defaultdict[str, list[NDArray[np.void]]] = defaultdict(list)
    delays: list[NDArray[np.float64]] = []
    cpu_s = 0.0
    rate = session.waves[0].rate
    for at_s, items in groupby(source.emissions(START_NS, PACKET_S), key=lambda one: one.at_s):
        given = [one.item for one in items]
        packets = [item for item in given if isinstance(item, Packet)]
        vitals = [item for item in given if isinstance(item, Vital)]
        bundle = Bundle.of("evaluate", 0, START_NS + round(at_s * NS), packets, vitals)
        began_s = time.process_time()
        events: Events = bank.push(bundle)
        cpu_s += time.process_time() - began_s
        for name in ("beats", "conditions", "rhythms"):
            found[name].append(getattr(events, name))
        delays.append(at_s - events.beats["sample"] / rate)
    return Played(
        rate,
        session.duration_s,
        sum(wave.kind == ECG_KIND for wave in session.waves),
        np.concatenate(found["beats"]),
        np.concatenate(found["conditions"]),
        np.concatenate(found["rhythms"]),
        np.concatenate(delays),
        cpu_s,
    )
