"""A recording through the detectors, packet by packet, as it would come from a gateway."""

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
from schemas.records import Change, Control, Packet, Vital

PACKET_S = 0.25
"""Short packets: a decision counts as made when the packet that allows it has ended."""
START_NS = 1_700_000_000 * NS
_SLACK_S = 1e-6  # float seconds are not exact


class Played(NamedTuple):
    """What the detectors found in one recording or signal.

    Attributes:
        rate: of channel 0, Hz; all samples count at it.
        duration_s: of its ECG.
        beats: ``detectors.output.BEAT``, in the order of decision.
        conditions: ``detectors.output.CONDITION``, all phases.
        rhythms: ``detectors.output.RHYTHM``.
        beat_delay_s: from each beat's R peak to the end of the packet that brought it, s of signal.
        quality: shape (whole seconds,): what the bank said of the signal at the end of each.
        condition_s: the end of the packet that brought each of the conditions, s of signal.
        packet_s, hr_bpm: the end of each packet, s of signal, and the heart rate told then; NaN: none.
    """

    rate: float
    duration_s: float
    beats: NDArray[np.void]
    conditions: NDArray[np.void]
    rhythms: NDArray[np.void]
    beat_delay_s: NDArray[np.float64]
    quality: NDArray[np.float32]
    condition_s: NDArray[np.float64]
    packet_s: NDArray[np.float64]
    hr_bpm: NDArray[np.float64]


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
    rate = session.waves[0].rate
    for at_s, items in groupby(source.emissions(START_NS, packet_s), key=lambda one: one.at_s):
        given = [one.item for one in items]
        packets = [item for item in given if isinstance(item, Packet)]
        vitals = [item for item in given if isinstance(item, Vital)]
        bundle = Bundle.of("evaluate", 0, START_NS + round(at_s * NS), packets, vitals)
        events: Events = bank.push(bundle)
        for name in ("beats", "conditions", "rhythms"):
            found[name].append(getattr(events, name))
        told["beat_delay_s"].append(at_s - events.beats["sample"] / rate)
        told["condition_s"].append(np.full(len(events.conditions), at_s))
        told["packet_s"].append(np.array([at_s]))
        status = bank.status(row)
        for name in ("hr_bpm", "quality"):
            told[name].append(status[name].astype(np.float64))
    return Played(
        rate,
        session.duration_s,
        np.concatenate(found["beats"]),
        np.concatenate(found["conditions"]),
        np.concatenate(found["rhythms"]),
        np.concatenate(told["beat_delay_s"]),
        _each_second(np.concatenate(told["packet_s"]), np.concatenate(told["quality"]), session.duration_s),
        np.concatenate(told["condition_s"]),
        np.concatenate(told["packet_s"]),
        np.concatenate(told["hr_bpm"]),
    )


def _each_second(
    at_s: NDArray[np.float64], told: NDArray[np.float64], duration_s: float
) -> NDArray[np.float32]:
    """Return what was last told by the end of each whole second.

    >>> _each_second(np.array([0.5, 1.0, 1.5, 2.25]), np.array([0.25, 0.5, 0.75, 1.0]), 2.25).tolist()
    [0.5, 0.75]
    """
    ends_s = np.arange(1, int(duration_s + _SLACK_S) + 1)
    last = np.searchsorted(at_s, ends_s + _SLACK_S, side="right") - 1
    return told.astype(np.float32)[last]
