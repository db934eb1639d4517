"""A recording through the detectors, packet by packet, as it would come from a gateway."""

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
from schemas.records import Packet, Vital

PACKET_S = 0.25
"""Short packets: a decision counts as made when the packet that allows it has ended."""
START_NS = 1_700_000_000 * NS
_ONLY_ROW = np.zeros(1, np.int64)
_SLACK_S = 1e-6  # float seconds are not exact


class Played(NamedTuple):
    """What the detectors found in one recording.

    Attributes:
        rate: of channel 0, Hz; all samples count at it.
        duration_s: of its ECG.
        beats: ``detectors.output.BEAT``, in the order of decision.
        conditions: ``detectors.output.CONDITION``, all phases.
        rhythms: ``detectors.output.RHYTHM``.
        beat_delay_s: from each beat's R peak to the end of the packet that brought it, s of signal.
        quality: shape (whole seconds,): what the bank said of the signal at the end of each.
    """

    rate: float
    duration_s: float
    beats: NDArray[np.void]
    conditions: NDArray[np.void]
    rhythms: NDArray[np.void]
    beat_delay_s: NDArray[np.float64]
    quality: NDArray[np.float32]


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
    told: list[tuple[float, float]] = []
    rate = session.waves[0].rate
    for at_s, items in groupby(source.emissions(START_NS, PACKET_S), key=lambda one: one.at_s):
        given = [one.item for one in items]
        packets = [item for item in given if isinstance(item, Packet)]
        vitals = [item for item in given if isinstance(item, Vital)]
        bundle = Bundle.of("evaluate", 0, START_NS + round(at_s * NS), packets, vitals)
        events: Events = bank.push(bundle)
        for name in ("beats", "conditions", "rhythms"):
            found[name].append(getattr(events, name))
        delays.append(at_s - events.beats["sample"] / rate)
        told.append((at_s, float(bank.status(_ONLY_ROW)["quality"][0])))
    return Played(
        rate,
        session.duration_s,
        np.concatenate(found["beats"]),
        np.concatenate(found["conditions"]),
        np.concatenate(found["rhythms"]),
        np.concatenate(delays),
        _each_second(told, session.duration_s),
    )


def _each_second(told: list[tuple[float, float]], duration_s: float) -> NDArray[np.float32]:
    """Return what was last told by the end of each whole second.

    >>> _each_second([(0.5, 0.25), (1.0, 0.5), (1.5, 0.75), (2.25, 1.0)], 2.25).tolist()
    [0.5, 0.75]
    """
    at_s, value = zip(*told, strict=True)
    ends_s = np.arange(1, int(duration_s + _SLACK_S) + 1)
    last = np.searchsorted(at_s, ends_s + _SLACK_S, side="right") - 1
    return np.array(value, np.float32)[last]
