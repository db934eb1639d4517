"""A ward of simulated devices, each with its trouble; NeuroKit2 makes the heartbeats.

NeuroKit2 works on whole signals and is slow, so a minute of each lead is simulated and repeated at
heartbeat boundaries; noise and wander on top never repeat. Everything is seeded: the same ward every time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.source import Number, Session, Source, Span, Wave
from devices.trouble import SPO2_FALL_S, SPO2_FROM, SPO2_TO, Kind, Trouble
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, RESPIRATION_KIND
from schemas.units import COUNTS, MILLIVOLT, OHM

DURATION_S = 300.0
PREFIX = "sim-"

_BASE_RATE = 250
_BASE_S = 60
_DIASTOLE = 0.6  # where in an RR interval nothing happens: behind T, before P
_BLEND_S = 0.04
_EMG_MV, _WANDER_MV, _MAINS_MV = 0.008, 0.05, 0.004
_MAINS_HZ = 50.0
_RAIL_MV = 4.9
_VT_RATE = 180.0
_PLETH_RATE, _RESP_RATE_HZ = 125.0, 50.0
_PULSE_DELAY_S = 0.22
_NIBP_EVERY_S = 60
_HR_BEATS = 6
_HIGHEST = 32767

# Lead: heights of P, Q, R, S, T for ECGSYN (McSharry 2003), peak-to-peak mV, mV of the ventricular complex.
_LEADS: dict[str, tuple[tuple[float, ...], float, float]] = {
    "I": ((1.0, -3, 20, -4, 0.6), 0.9, 0.5),
    "II": ((1.2, -5, 30, -7.5, 0.75), 1.4, -1.2),
    "V1": ((0.6, 0, 8, -28, -0.4), 1.5, 1.3),
    "V2": ((0.7, 0, 12, -34, 1.2), 2.2, 1.5),
    "V3": ((0.8, -1, 22, -26, 1.3), 2.0, 1.2),
    "V4": ((0.9, -3, 32, -16, 1.2), 2.1, 0.7),
    "V5": ((1.0, -4, 30, -9, 0.9), 1.7, -0.6),
    "V6": ((1.0, -5, 26, -5, 0.75), 1.4, -0.9),
}
# Einthoven and Goldberger: the other limb leads from I and II.
_DERIVED = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}

_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
_ALL = (*_LIMB, "V1", "V2", "V3", "V4", "V5", "V6")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bed:
    """A simulated device: ``heart_rate`` and ``breaths`` a minute, ``gain`` steps a mV."""

    number: int
    leads: tuple[str, ...]
    rate: float
    gain: float
    heart_rate: float
    breaths: float
    script: tuple[Trouble, ...]
    pleth: bool = False
    respiration: bool = False

    @property
    def device(self) -> str:
        """Its device id, which says that it is simulated."""
        return f"{PREFIX}{self.number:02d}"


WARD = (
    Bed(2, ("II", "V1"), 250, 200, 72, 14, (Trouble(Kind.ASYSTOLE, 120, 133),), pleth=True),
    Bed(3, _ALL, 500, 400, 80, 16, (Trouble(Kind.VT, 150, 162),)),
    Bed(4, ("II",), 125, 200, 64, 18, (Trouble(Kind.SPO2_FALL, 80, DURATION_S),), pleth=True),
    Bed(5, ("I", "II", "V5"), 1000, 1000, 86, 15, (Trouble(Kind.LEAD_OFF, 100, 160, ("V5",)),)),
    Bed(6, _LIMB, 200, 200, 62, 12, (Trouble(Kind.ALL_LEADS_OFF, 130, 155, _LIMB),), respiration=True),
    Bed(7, ("II", "V5"), 360, 200, 90, 17, (Trouble(Kind.LINK_LOST, 140, 165),)),
    Bed(8, ("II", "V2"), 100, 100, 76, 16, (Trouble(Kind.REBOOT, 180, 185),)),
)
"""Beds 2 to 8: 1 to 12 leads at 100 to 1000 Hz; bed 1 is a real recording."""


def ward(
    beds: Sequence[Bed] = WARD, *, duration_s: float = DURATION_S, shard: int = 0, seed: int = 1
) -> list[Source]:
    """Return the simulated devices of a ward. Trouble that begins after the end is not expected."""
    return [simulate(bed, duration_s=duration_s, shard=shard, seed=seed) for bed in beds]


def simulate(bed: Bed, *, duration_s: float = DURATION_S, shard: int = 0, seed: int = 1) -> Source:
    """Return one simulated device."""
    rng = np.random.default_rng([seed, bed.number])
    heart = _Heart(bed, duration_s, int(rng.integers(2**31)))
    waves = [*_ecg(bed, heart, rng)]
    if bed.pleth:
        waves.append(_pleth(heart, rng))
    if bed.respiration:
        waves.append(_respiration(bed, duration_s, rng))
    numbers = _numbers(bed, heart, rng)
    away = tuple((t.begin_s, t.end_s) for t in bed.script if t.kind is Kind.LINK_LOST)
    spans = _sessions(bed, duration_s)
    trouble = ", ".join(t.kind.value for t in bed.script) or "no trouble"
    expected = [t.expectation(bed.device) for t in bed.script]
    return Source(
        bed.device,
        shard,
        f"SIMULATED: {len(bed.leads)} leads, {bed.rate:g} Hz, {trouble}",
        simulated=True,
        sessions=tuple(_session(waves, numbers, span, away) for span in spans),
        expected=tuple(e for e in expected if e.onset_s < duration_s),
    )


def _sessions(bed: Bed, duration_s: float) -> list[Span]:
    spans, at = [], 0.0
    for trouble in bed.script:
        if trouble.kind is Kind.REBOOT and trouble.end_s < duration_s:
            spans.append((at, trouble.begin_s))
            at = trouble.end_s
    return [*spans, (at, duration_s)]


def _session(waves: Sequence[Wave], numbers: Sequence[Number], span: Span, away: tuple[Span, ...]) -> Session:
    """Return what a device measures within ``span`` as a session of its own, with times from its start."""
    begin, end = span

    def moved(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple((a - begin, b - begin) for a, b in spans if a < end and b > begin)

    cut = []
    for wave in waves:
        samples = wave.samples[round(begin * wave.rate) : round(end * wave.rate)]
        cut.append(
            Wave(
                wave.name,
                wave.code,
                wave.kind,
                wave.unit,
                wave.rate,
                wave.gain,
                samples,
                wave.offset,
                wave.high_pass,
                wave.low_pass,
                wave.notch,
                moved(wave.off),
            )
        )
    within = tuple(Number(n.at_s - begin, n.code, n.value) for n in numbers if begin < n.at_s <= end)
    return Session(tuple(cut), within, begin, moved(away))


class _Heart:
    """The beats of a device and its noiseless leads. ``beats``: s, all that make a pulse or a complex."""

    def __init__(self, bed: Bed, duration_s: float, seed: int) -> None:
        self.duration_s = duration_s
        timing, self._minute, self._seams = _minute(bed.heart_rate, seed % 2**31)
        self.sinus = _repeated(timing, self._seams, duration_s)
        self.silent = self._snapped(bed, Kind.ASYSTOLE)
        self.tachycardia = self._snapped(bed, Kind.VT)
        self.ventricular = np.concatenate(
            [np.empty(0), *(np.arange(a + 0.15, b - 0.3, 60 / _VT_RATE) for a, b in self.tachycardia)]
        )
        stopped = [s for s in self.sinus if not any(a <= s < b for a, b in self.silent + self.tachycardia)]
        self.beats = np.sort(np.concatenate([stopped, self.ventricular]))

    def _snapped(self, bed: Bed, kind: Kind) -> list[Span]:
        """Trouble begins and ends between two beats: never within a complex."""
        return [
            (self._diastole(t.begin_s), self._diastole(t.end_s))
            for t in bed.script
            if t.kind is kind and t.begin_s < self.duration_s
        ]

    def _diastole(self, at_s: float) -> float:
        middles = self.sinus[:-1] + _DIASTOLE * np.diff(self.sinus)
        before = middles[middles <= at_s]
        return float(before[-1]) if before.size else at_s

    def lead(self, name: str, rate: float) -> Array:
        """Return a lead without noise, mV."""
        if name in _DERIVED:
            a, b = _DERIVED[name]
            return a * self.lead("I", rate) + b * self.lead("II", rate)
        from scipy.interpolate import CubicSpline

        first, last = self._seams
        piece = self._minute(name)[first:last]
        n = round(self.duration_s * _BASE_RATE)
        base = np.tile(piece, math.ceil(n / piece.size) + 1)[: n + 1]
        time = np.arange(round(self.duration_s * rate)) / rate
        wave = CubicSpline(np.arange(base.size) / _BASE_RATE, base)(time)
        for begin, end in self.silent + self.tachycardia:
            wave *= 1 - _window(time, begin, end)
        amplitude = _LEADS[name][2]
        for at in self.ventricular:
            near = slice(max(0, round((at - 0.4) * rate)), round((at + 0.6) * rate))
            wave[near] += amplitude * _ventricular(time[near] - at)
        return np.asarray(wave, np.float64)


@cache
def _minute(heart_rate: float, seed: int) -> tuple[Array, Any, tuple[int, int]]:
    """Return a simulated minute: R times from its first seam on, a function from lead to signal, the seams.

    The seams are two samples in diastole, between which the minute can be repeated.
    """
    from scipy.signal import find_peaks

    @cache
    def lead(name: str) -> Array:
        from neurokit2 import ecg_simulate

        heights, span_mv, _ = _LEADS[name]
        # Same seed, same beats: only the heights of the waves differ between leads.
        wave = np.asarray(
            ecg_simulate(
                duration=_BASE_S,
                sampling_rate=_BASE_RATE,
                noise=0,
                heart_rate=heart_rate,
                heart_rate_std=2,
                random_state=seed,
                ai=heights,
            )
        )
        wave = wave - np.median(wave)
        return np.asarray(wave * (span_mv / (wave.max() - wave.min())), np.float64)

    peaks, _ = find_peaks(lead("II"), height=0.5, distance=round(0.3 * _BASE_RATE))
    middles = (peaks[:-1] + _DIASTOLE * np.diff(peaks)).astype(int)
    first, last = int(middles[1]), int(middles[-2])
    timing = peaks[(peaks >= first) & (peaks < last)]
    return (timing - first) / _BASE_RATE, lead, (first, last)


def _repeated(timing: Array, seams: tuple[int, int], duration_s: float) -> Array:
    period = (seams[1] - seams[0]) / _BASE_RATE
    beats = np.concatenate([timing + i * period for i in range(math.ceil(duration_s / period))])
    return beats[beats < duration_s]


def _window(time: Array, begin: float, end: float) -> Array:
    """Return 1 between ``begin`` and ``end``, 0 elsewhere, with short slopes."""
    return np.clip((time - begin) / _BLEND_S, 0, 1) * np.clip((end - time) / _BLEND_S, 0, 1)


def _ventricular(t: Array) -> Array:
    """Return a wide complex (some 150 ms) with a T wave of the other sign and no P, 1 high, at ``t`` = 0."""
    width = np.where(t < 0, 0.026, 0.038)
    return np.asarray(np.exp(-0.5 * (t / width) ** 2) - 0.3 * np.exp(-0.5 * ((t - 0.165) / 0.04) ** 2))


def _ecg(bed: Bed, heart: _Heart, rng: np.random.Generator) -> list[Wave]:
    n = round(heart.duration_s * bed.rate)
    time = np.arange(n) / bed.rate
    noise = {name: _noise(time, bed.rate, bed.breaths, rng) for name in _bases(bed.leads)}
    low_pass = min(150.0, 0.4 * bed.rate)
    waves = []
    for name in bed.leads:
        millivolts = heart.lead(name, bed.rate) + _of(name, noise)
        off = tuple(
            (t.begin_s, t.end_s)
            for t in bed.script
            if t.kind in {Kind.LEAD_OFF, Kind.ALL_LEADS_OFF} and name in t.leads
        )
        for begin, end in off:
            apart = (time >= begin) & (time < end)
            # An open input drifts to the rail and picks up the mains.
            hum = 0.2 * np.sin(2 * np.pi * _MAINS_HZ * time[apart]) + rng.normal(0, 0.05, apart.sum())
            millivolts[apart] = np.minimum(_RAIL_MV + hum, _RAIL_MV)
        waves.append(
            Wave(
                name,
                mdc.LEADS[name],
                ECG_KIND,
                MILLIVOLT,
                float(bed.rate),
                float(bed.gain),
                _digital(millivolts, bed.gain),
                high_pass=0.05,
                low_pass=low_pass,
                notch=0.0,
                off=off,
            )
        )
    return waves


def _bases(leads: Sequence[str]) -> list[str]:
    """Return the leads that all of ``leads`` are made of."""
    return [n for n in _LEADS if n in leads or (n in {"I", "II"} and not _DERIVED.keys().isdisjoint(leads))]


def _of(name: str, bases: dict[str, Array]) -> Array:
    if name not in _DERIVED:
        return bases[name]
    a, b = _DERIVED[name]
    return a * bases["I"] + b * bases["II"]


def _noise(time: Array, rate: float, breaths: float, rng: np.random.Generator) -> Array:
    """Return what skin, muscle and mains add, mV: there in asystole too."""
    slow = rng.normal(0, 1, math.ceil(time[-1] / 4) + 3)
    wander = np.interp(time, np.arange(slow.size) * 4.0, slow) * 0.5
    wander += np.sin(2 * np.pi * breaths / 60 * time + rng.uniform(0, 2 * np.pi))
    mains = np.sin(2 * np.pi * _MAINS_HZ * time + rng.uniform(0, 2 * np.pi)) if rate > 2 * _MAINS_HZ else 0.0
    muscle = rng.normal(0, _EMG_MV, time.size)
    return np.asarray(_WANDER_MV * wander / 1.5 + _MAINS_MV * mains + muscle, np.float64)


def _digital(values: Array, gain: float) -> NDArray[np.int16]:
    return np.clip(np.rint(values * gain), -_HIGHEST, _HIGHEST).astype(np.int16)


@cache
def _pulse() -> Array:
    """Return one pulse wave of NeuroKit2, 100 points from foot to foot, 0 to 1."""
    from neurokit2 import ppg_simulate

    wave = np.asarray(
        ppg_simulate(
            duration=20,
            sampling_rate=100,
            heart_rate=60,
            frequency_modulation=0,
            ibi_randomness=0,
            motion_amplitude=0,
            powerline_amplitude=0,
            random_state=1,
        )
    )
    foot = 500 + int(np.argmin(wave[500:600]))
    beat = wave[foot : foot + 100]
    beat = beat - np.linspace(beat[0], beat[-1], beat.size)
    return np.asarray((beat - beat.min()) / (beat.max() - beat.min()), np.float64)


def _pleth(heart: _Heart, rng: np.random.Generator) -> Wave:
    """Every beat makes a pulse, a ventricular one a small one."""
    time = np.arange(round(heart.duration_s * _PLETH_RATE)) / _PLETH_RATE
    wave = rng.normal(0, 0.01, time.size)
    ends = np.append(heart.beats[1:], heart.duration_s)
    for beat, nxt in zip(heart.beats, ends, strict=True):
        length = min(nxt - beat, 1.2)
        height = 0.3 if any(a <= beat < b for a, b in heart.tachycardia) else 1.0
        begin = beat + _PULSE_DELAY_S
        near = slice(math.ceil(begin * _PLETH_RATE), math.ceil((begin + length) * _PLETH_RATE))
        wave[near] += height * np.interp((time[near] - begin) / length, np.linspace(0, 1, 100), _pulse())
    gain = 1000.0
    return Wave("PLETH", mdc.PLETH, PLETH_KIND, COUNTS, _PLETH_RATE, gain, _digital(wave, gain))


def _respiration(bed: Bed, duration_s: float, rng: np.random.Generator) -> Wave:
    from neurokit2 import rsp_simulate

    ohm = np.asarray(
        rsp_simulate(
            duration=math.ceil(duration_s),
            sampling_rate=int(_RESP_RATE_HZ),
            respiratory_rate=bed.breaths,
            random_state=int(rng.integers(2**31)),
        )
    )
    ohm = ohm[: round(duration_s * _RESP_RATE_HZ)]
    gain = 1000.0
    return Wave("RESP", mdc.RESP, RESPIRATION_KIND, OHM, _RESP_RATE_HZ, gain, _digital(ohm, gain))


def _numbers(bed: Bed, heart: _Heart, rng: np.random.Generator) -> list[Number]:
    """Return heart rate, SpO2, pulse and respiration rate every second, NIBP every minute."""
    numbers = []
    for second in range(1, math.floor(heart.duration_s) + 1):
        at = float(second)
        rate = _heart_rate(bed, heart, at)
        numbers.append(Number(at, mdc.HEART_RATE, rate))
        numbers.append(Number(at, mdc.RESP_RATE, float(round(bed.breaths + 0.8 * math.sin(at / 17)))))
        if bed.pleth:
            spo2 = _spo2(bed, at) if rate > 0 else math.nan
            numbers.append(Number(at, mdc.SPO2, spo2))
            numbers.append(Number(at, mdc.PULSE_RATE, rate if rate > 0 else math.nan))
        if second % _NIBP_EVERY_S == _NIBP_EVERY_S // 2:
            systolic, diastolic = 118 + int(rng.integers(-4, 5)), 74 + int(rng.integers(-3, 4))
            numbers.append(Number(at, mdc.NIBP_SYS, float(systolic)))
            numbers.append(Number(at, mdc.NIBP_DIA, float(diastolic)))
            numbers.append(Number(at, mdc.NIBP_MEAN, float(round(diastolic + (systolic - diastolic) / 3))))
    return numbers


def _heart_rate(bed: Bed, heart: _Heart, at: float) -> float:
    """Return the heart rate as the device sees it: 0 in asystole, NaN while no lead is on."""
    if any(t.kind is Kind.ALL_LEADS_OFF and t.holds(at) for t in bed.script):
        return math.nan
    if any(a + 4 <= at < b for a, b in heart.silent):
        return 0.0
    seen = heart.beats[heart.beats <= at][-_HR_BEATS - 1 :]
    if seen.size < 2:
        return math.nan
    return float(round(60 / float(np.median(np.diff(seen)))))


def _spo2(bed: Bed, at: float) -> float:
    value = SPO2_FROM
    for trouble in bed.script:
        if trouble.kind is Kind.SPO2_FALL and at >= trouble.begin_s:
            share = min((at - trouble.begin_s) / SPO2_FALL_S, 1.0)
            value -= share * (SPO2_FROM - SPO2_TO)
    return float(round(value))
