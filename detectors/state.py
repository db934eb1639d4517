"""The state of a device: one row in each of two NumPy structured arrays, and its form as bytes.

``DEVICE`` is what outlives a cold start, ``SIGNAL`` what a cold start clears. Fields are grouped by who
writes them. Positions are ECG samples within the session (float where a
peak lies between two), counts are internal samples ("blocks") unless the name says otherwise, and
amplitudes are mV. Everything that a result depends on lies here, so that a row restored anywhere goes
on with the same results.
"""

import threading
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from detectors.irregularity import FEATURES
from schemas import mdc
from schemas.records import MISSING

STATE_VERSION = "9"
MAX_LEADS = 12
ST_LEADS = len(mdc.ST_LEADS)  # leads with a name, of whose ST minutes are kept
RING = 128  # internal samples kept a lead: at least 0.64 s, what a beat needs until it is decided
SEEN_SESSIONS = 4
BEATS = 24  # beats kept: extreme tachycardia looks at 17
CLUSTERS = 5  # shapes of beats that are told apart
SHAPE = 54  # points of a shape, 10 ms apart
SHAPE_LEADS = 2
PULSE_RING = 32  # points of the averaged pulse wave: the longest upstroke, and where it came from
PULSE_QUEUE = 24  # of these, that wait for the ECG: a tick and some
FEET = 6  # onsets of pulses kept: a rate of five intervals
SLOW_RING = 256  # points of the slow signal that fibrillation is looked for in: 5 s at 50 Hz
AF_BEATS = 32  # beats that atrial fibrillation is looked for in: half a minute at usual rates
P_POINTS = 12  # points of the stretch before a QRS, 20 ms apart
WINDOW_FEATURES = 19  # of a window of it and lead: fibrillation.FEATURES
REFERENCES = 5  # of these, what the patient's reference is kept of
RUN_FEATURES = 16  # of five beats: runs.FEATURES
CONDITIONS = 48  # codes of schemas.conditions below this number are decided here, but LINK_LOST
MAX_PENDING = 48
PATIENT_BYTES = 32
LIMITED = 9  # numbers with alarm limits: schemas.limits.LIMITED_CODES
VITALS = 16  # numbers a device that are looked at, NEWS2 and how many inputs it has among them

PENDING = np.dtype(
    [  # without a gap between fields: what lies in it is copied or not, as the compiler likes
        ("kind", np.int64),
        ("category", np.int64),
        ("paced", np.int64),
        ("news2", np.int64),
        ("session", np.int64),
        ("start", np.int64),  # sample of channel 0 from which it holds
        ("low", np.float64),
        ("high", np.float64),
        ("patient", np.uint8, (PATIENT_BYTES,)),
    ],
    align=True,
)
"""A change that waits for its sample: see ``control``; each kind of change has its own of the fields."""

DEVICE = np.dtype(
    [
        # feed: where the stream stands
        ("session", np.int64),
        ("seen", np.int64, (SEEN_SESSIONS,)),
        ("has_session", np.int64),
        ("stale", np.int64),  # packets ignored
        # conditions
        ("open", np.uint8, (CONDITIONS,)),
        ("held", np.int64, (CONDITIONS,)),
        ("since", np.int64, (CONDITIONS,)),
        ("onset", np.int64, (CONDITIONS,)),
        ("onset_ns", np.int64, (CONDITIONS,)),
        ("told", np.int64, (CONDITIONS,)),
        ("limit_told", np.float64, (CONDITIONS,)),  # the limit that was broken
        # trends of the ECG: the minute that is being summed up
        ("minute_ns", np.int64),
        ("hr_n", np.int64),
        ("hr_sum", np.float64),
        ("hr_low", np.float64),
        ("hr_high", np.float64),
        ("v_beats", np.int64),
        ("seconds", np.int64),
        ("analysed", np.int64),
        ("st_n", np.int64, (ST_LEADS,)),  # ST levels, by lead in the order of mdc.ST_LEADS
        ("st_total", np.float64, (ST_LEADS,)),
        ("st_low", np.float64, (ST_LEADS,)),
        ("st_high", np.float64, (ST_LEADS,)),
        # vitals
        ("vital_session", np.int64),
        ("vital_code", np.int64, (VITALS,)),
        ("vital_time", np.int64, (VITALS,)),
        ("vital_last", np.float64, (VITALS,)),  # its value then; NaN: of a wearer before this one
        ("vital_minute", np.int64, (VITALS,)),
        ("vital_n", np.int64, (VITALS,)),
        ("vital_sum", np.float64, (VITALS,)),
        ("vital_low", np.float64, (VITALS,)),
        ("vital_high", np.float64, (VITALS,)),
        # control
        ("low", np.float64, (LIMITED,)),
        ("high", np.float64, (LIMITED,)),
        ("patient", np.uint8, (PATIENT_BYTES,)),
        ("category", np.int64),  # of control.CATEGORIES
        ("paced", np.int64),
        ("news2", np.int64),  # of control.SCORES
        ("worn_ns", np.int64),  # by the device's clock: numbers from before are another wearer's
        ("pending", PENDING, (MAX_PENDING,)),
        ("waiting", np.int64),  # changes pending, in the order in which they came
        ("due", np.int64),  # ECG sample at which the next pending change holds
    ],
    align=True,
)
"""What a device keeps over a cold start."""

PULSE_WAVE = np.dtype(
    [  # without a gap between fields, as ``PENDING``
        # pulse_feed: where the channel stands
        ("rate_hz", np.float64),  # 0: there is no such channel
        ("origin", np.int64),  # ECG sample that its first one begins with
        ("taken", np.int64),  # samples since then, missing ones too
        ("sum", np.int64),  # counts, of the point that is being averaged
        ("lost", np.int64),  # samples of it that are missing
        ("gain", np.float64),  # of the packet at hand
        ("offset", np.float64),
        ("queue", np.float32, (PULSE_QUEUE,)),  # points that wait for the ECG
        # pulse: times are points of the averaged wave
        ("done", np.int64),  # points that were looked at
        ("valid", np.int64),  # since the last one that is missing
        ("flat", np.int64),  # equal ones in a row
        ("learnt", np.int64),
        ("phase", np.int64),
        ("crossed", np.int64),  # where the slope sum last passed its threshold
        ("passed", np.int64),  # the same, of the last pulse
        ("top_at", np.int64),
        ("known", np.int64),  # onsets since something was lost
        ("feet", np.int64),
        ("foot", np.float64, (FEET,)),  # onsets, the last one at ``feet``
        ("run", np.int64),  # good pulses in a row
        ("since", np.float64),  # onset of the first of them
        ("interval", np.float64),  # running mean, points
        ("ring", np.float32, (PULSE_RING,)),
        ("level", np.float32),  # running peak of the slope sum
        ("steepest", np.float32),
        ("top", np.float32),
        ("bottom", np.float32),
        ("rise", np.float32),  # all upward steps since the last top
        ("height", np.float32),  # running mean
    ],
    align=True,
)
"""A pulse wave and what is known of it."""

SIGNAL = np.dtype(
    [
        # feed: where the stream stands
        ("started", np.int64),  # 0 until the first sample after a cold start of the row
        ("segment", np.int64),  # first sample of channel 0 of the running segment, below 0: it begins now
        ("segment_ns", np.int64),
        ("restored", np.int64),  # the segment began with the state from before a gap
        ("rate_hz", np.float64),  # of the ECG
        ("internal_hz", np.float64),
        ("ratio", np.float64),  # rate of channel 0 / rate of the ECG
        ("leads", np.int64),
        ("position", np.int64),  # the next ECG sample
        ("origin", np.int64),  # ECG sample that block 0 begins with
        ("anchor", np.int64),
        ("anchor_ns", np.int64),
        ("mask", np.int64),  # bit a lead: off, as the device says
        ("phase", np.int64),  # samples in the block that is being filled
        ("sum", np.int64, (MAX_LEADS,)),  # counts
        ("count", np.int64, (MAX_LEADS,)),
        ("clipped", np.int64, (MAX_LEADS,)),
        ("raw", np.int64, (MAX_LEADS, 2)),  # the last two samples, counts
        ("jump", np.int64, (MAX_LEADS,)),  # a pacing pulse began in the block that is being filled
        ("gain", np.float64, (MAX_LEADS,)),  # of the packet at hand
        ("offset", np.float64, (MAX_LEADS,)),
        ("pace", np.int64, (8,)),
        ("paces", np.int64),
        # step: internal samples
        ("block", np.int64),
        ("x", np.float32, (MAX_LEADS, RING)),
        ("zero", np.float64, (MAX_LEADS,)),  # first value of a lead: what is held is the difference to it
        ("fresh", np.uint8, (MAX_LEADS,)),
        ("shown", np.uint8, (MAX_LEADS,)),  # leads: bit a beat, the last one lowest, that it shows by itself
        ("settle", np.int64, (MAX_LEADS,)),  # blocks until the lead counts again
        ("tail", np.float64, (MAX_LEADS,)),  # what a pulse has left behind, mV: it decays
        (
            "pulse",
            np.int64,
            (MAX_LEADS,),
        ),  # blocks since a pulse began, 0: none, below: of rest behind it
        ("envelope", np.float32, (MAX_LEADS,)),
        # quality: the second that is being gathered, and the verdict of the last
        ("tick_blocks", np.int64),
        ("second_blocks", np.int64),
        ("absent", np.int64, (MAX_LEADS,)),
        ("masked", np.int64, (MAX_LEADS,)),
        ("rail", np.int64, (MAX_LEADS,)),
        ("least", np.float64, (MAX_LEADS,)),
        ("most", np.float64, (MAX_LEADS,)),
        ("rough", np.float64, (MAX_LEADS,)),
        ("verdict", np.uint8, (MAX_LEADS,)),  # of the last second: quality.GOOD and so on
        ("off", np.int64),  # bit a lead
        ("unusable", np.int64),  # bit a lead: off, or too noisy
        ("flat", np.int64),  # bit a lead
        ("gap", np.int64),  # blocks without a sample of any lead
        ("analysable", np.int64),
        ("clear", np.int64),  # blocks analysed without a break
        ("steady", np.int64),  # the same, with a lead whose baseline holds still
        ("blind", np.int64),  # blocks in which nothing could be analysed
        ("quality", np.float64),
        ("roughness", np.float64, (MAX_LEADS,)),
        ("level_sum", np.float64, (MAX_LEADS,)),
        ("mean", np.float64, (MAX_LEADS,)),
        ("moving", np.int64),  # bit a lead: its baseline has shifted
        # qrs
        ("level", np.float64, (MAX_LEADS,)),
        ("noise", np.float64, (MAX_LEADS,)),
        ("learn", np.int64, (MAX_LEADS,)),
        ("peak", np.float64, (MAX_LEADS,)),
        ("fused", np.float64, (2,)),
        ("noise_peak", np.float64),
        ("t_level", np.float64, (2,)),  # T waves, then those of ventricular beats; shares of the QRS level
        ("t_top", np.float64),  # the highest point of the present one
        ("t_open", np.int64),
        ("candidate", np.float64),  # height, 0 where there is none
        ("candidate_block", np.float64),
        ("candidate_envelope", np.float64, (MAX_LEADS,)),
        ("last_block", np.float64),  # of the last beat, NaN where there is none
        ("rr_blocks", np.float64),
        # beats
        ("beats", np.int64),  # decided since the row's cold start
        ("run", np.int64),  # beats without a break in between
        ("at", np.float64, (BEATS,)),
        ("code", np.uint8, (BEATS,)),
        ("hr_bpm", np.float64),
        ("shape_lead", np.int64, (SHAPE_LEADS,)),
        ("shape", np.float32, (CLUSTERS, SHAPE_LEADS, SHAPE)),
        ("members", np.float64, (CLUSTERS,)),
        ("width_s", np.float64, (CLUSTERS,)),
        ("early", np.float64, (CLUSTERS,)),
        ("ventricular", np.float64, (CLUSTERS,)),  # share of its beats that were
        ("normal_rr", np.float64),
        ("restless", np.float64),  # share of RR intervals that differ from the one before
        ("p_like", np.float64),  # how like the P wave's place of the patient's own beats is, beat by beat
        # fibrillation
        ("slow", np.float32, (SHAPE_LEADS, SLOW_RING)),
        ("slow_n", np.int64),
        ("slow_phase", np.int64),
        ("slow_sum", np.float64, (SHAPE_LEADS,)),
        ("leakage", np.float64),
        ("crossing", np.float64),
        ("slow_hz", np.float64),
        ("slow_mv", np.float64),
        ("window", np.float32, (SHAPE_LEADS, WINDOW_FEATURES)),
        ("reference", np.float64, (SHAPE_LEADS, REFERENCES)),
        ("reference_n", np.int64, (SHAPE_LEADS,)),
        ("wave_odds", np.float64),  # natural log odds of a ventricular wave
        ("organised", np.uint8),  # the wave repeats itself, slower than flutter
        ("burst", np.uint8),  # there is one, and the leads are clean
        # runs
        ("run_window", np.float32, (RUN_FEATURES,)),
        ("run_odds", np.float64),
        ("waving", np.int64),  # seconds in a row that look like a ventricular wave
        ("unruly", np.int64),  # of these, in a row, not organised
        # atrial fibrillation: beats without what was taken for T waves
        ("af_beats", np.int64),
        ("af_at", np.float64, (AF_BEATS,)),
        ("af_rr", np.float32, (AF_BEATS,)),  # s, 0 where it is not known
        ("af_code", np.uint8, (AF_BEATS,)),
        ("af_like", np.float32, (AF_BEATS,)),
        ("p_beats", np.int64),  # in the mean
        ("p_lead", np.int64, (SHAPE_LEADS,)),  # that it is of
        ("p_mean", np.float32, (SHAPE_LEADS, P_POINTS)),
        ("p_height_mv", np.float64),
        ("af_feature", np.float64, (len(FEATURES),)),
        ("af_log_odds", np.float64),  # mean over some seconds
        ("atrial", np.int64),  # 1: fibrillation is in force
        ("atrial_since", np.float64),  # ECG sample
        ("atrial_calm", np.int64),  # seconds in a row that speak against it
        # ectopy
        ("beats_seen", np.int64),
        ("v_second", np.int64),  # ventricular beats of the present second
        ("v_seconds", np.int64),
        ("v_minute", np.uint8, (60,)),  # of each second
        ("v_per_min", np.int64),
        ("svt_bpm", np.float64),
        # pauses
        ("dropped", np.int64),  # bit an interval: a P wave in it had no QRS complex
        ("paced_block", np.int64),  # of the last pacing pulse
        # st
        ("assessable", np.int64),  # bit a lead
        ("st_place", np.int64, (MAX_LEADS,)),  # of its name in mdc.ST_LEADS, from 1 on; 0: it has none
        ("st_seconds", np.int64),
        ("j_s", np.float64),  # from the R peak to where ST is taken
        ("st_sum", np.float32, (MAX_LEADS,)),
        ("st_beats", np.uint8, (MAX_LEADS,)),
        ("st_values", np.uint8, (MAX_LEADS,)),
        ("st_mv", np.float32, (MAX_LEADS,)),
        ("st_base_mv", np.float32, (MAX_LEADS,)),
        ("st_above", np.uint8, (MAX_LEADS,)),  # values in a row
        ("st_below", np.uint8, (MAX_LEADS,)),
        ("st_calm", np.uint8, (2,)),
        # conditions
        ("calm_beats", np.int64),
        ("decided", np.int64),  # phases of conditions that wait to be written
        ("decided_code", np.int64, (2 * CONDITIONS,)),
        ("decided_phase", np.int64, (2 * CONDITIONS,)),
        # rhythm
        ("rhythm", np.int64),
        ("next_rhythm", np.int64),
        ("next_since", np.int64),
        # pulse waves: the first arterial pressure, and the first pleth
        ("flows", np.int64),  # bit a wave: there is one
        ("flow", PULSE_WAVE, (2,)),
    ],
    align=True,
)
"""What a cold start clears."""
PASSING = ("envelope", "window", "run_window", "decided_code", "decided_phase")
"""Fields that are written anew before they are read: a snapshot leaves them out."""


class StateError(ValueError):
    """A snapshot that this version cannot read: of another version, truncated or corrupted."""


_HEAD = b"ecgstream-bank/" + STATE_VERSION.encode() + b"\n"
_LEVEL = 4
"""Of zstd: twice as quick as zlib, at the same size."""
# A compressor is not for two threads at once.
_local = threading.local()


def _codecs() -> tuple[zstandard.ZstdCompressor, zstandard.ZstdDecompressor]:
    if not hasattr(_local, "codecs"):
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        _local.codecs = compressor, zstandard.ZstdDecompressor()
    found: tuple[zstandard.ZstdCompressor, zstandard.ZstdDecompressor] = _local.codecs
    return found


def pack(device: Any, signal: Any) -> bytes:
    """Return the two rows of a device as bytes with their version, compressed."""
    raw = bytearray(device.tobytes() + signal.tobytes())  # a record's copy may differ between its fields
    kept = np.frombuffer(raw, SIGNAL, 1, DEVICE.itemsize)
    for name in PASSING:
        kept[name] = 0
    return _HEAD + _codecs()[0].compress(raw)


def unpack(state: bytes) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return the rows of device and signal, shape (1,) each, that ``pack`` made bytes of.

    Raises:
        StateError: of another version, truncated or corrupted.
    """
    if not state.startswith(_HEAD):
        head = state[:40].split(b"\n")[0]
        raise StateError(f"snapshot begins with {head!r}, this version reads {_HEAD[:-1]!r} only")
    whole = DEVICE.itemsize + SIGNAL.itemsize
    try:
        raw = _codecs()[1].decompress(state[len(_HEAD) :], max_output_size=whole)
    except zstandard.ZstdError as error:
        raise StateError(f"snapshot is corrupted: {error}") from error
    if len(raw) != whole:
        raise StateError(f"snapshot holds {len(raw)} bytes, not {DEVICE.itemsize + SIGNAL.itemsize}")
    return np.frombuffer(raw, DEVICE, 1), np.frombuffer(raw, SIGNAL, 1, DEVICE.itemsize)


def blank_signal() -> NDArray[np.void]:
    """Return a cold signal row, shape (1,)."""
    row = np.zeros(1, SIGNAL)
    for name in ("last_block", "rr_blocks", "hr_bpm", "normal_rr", "t_level", "af_feature", "af_log_odds"):
        row[name] = np.nan
    row["shape_lead"] = -1
    row["raw"] = MISSING
    row["p_like"] = 0.8  # as of the patients of the development set; their own value within twenty beats
    row["least"], row["most"] = np.inf, -np.inf
    row["wave_odds"] = row["run_odds"] = -np.inf
    row["fresh"] = 255  # as if held for long: the first value becomes the zero
    return row
