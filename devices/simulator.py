"""A ward of simulated devices, each with its trouble, seeded: the same ward every time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from devices.heart import Array, Heart, bases_of, combined
from devices.source import Number, Session, Source, Span, Wave
from devices.trouble import SPO2_FALL_S, SPO2_FROM, SPO2_TO, Kind, Trouble
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, RESPIRATION_KIND
from schemas.units import COUNTS, MILLIVOLT, OHM

DURATION_S = 300.0
PREFIX = "sim-"

_EMG_MV, _WANDER_MV, _MAINS_MV = 0.008, 0.05, 0.004
_MAINS_HZ = 50.0
_RAIL_MV = 4.9
_PLETH_RATE, _RESP_RATE_HZ = 125.0, 50.0
_PULSE_DELAY_S = 0.22
_NIBP_EVERY_S = 60
_HR_BEATS = 6
_HIGHEST = 32767

_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
_ALL = (*_LIMB, "V1", "V2", "V3", "V4", "V5", "V6")


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
    heart = Heart(bed.heart_rate, bed.script, duration_s, int(rng.integers(2**31)))
    waves = [*_ecg(bed, heart, rng)]
    if bed.pleth:
        waves.append(_pleth(heart, rng))
    if bed.respiration:
        waves.append(_respiration(bed, duration_s, rng))
    numbers = _numbers(bed, heart, rng)
    away = tuple((t.begin_s, t.end_s) for t in bed.script if t.kind is Kind.LINK_LOST)
    spans = _sessions(bed, duration_s)
    plural = "lead" if len(bed.leads) == 1 else "leads"
    trouble = ", ".join(t.kind.value for t in bed.script) or "no trouble"
    expected = [t.expectation(bed.device) for t in bed.script]
    return Source(
        bed.device,
        shard,
        f"SIMULATED: {len(bed.leads)} {plural}, {bed.rate:g} Hz, {trouble}",
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


def _ecg(bed: Bed, heart: Heart, rng: np.random.Generator) -> list[Wave]:
    n = round(heart.duration_s * bed.rate)
    time = np.arange(n) / bed.rate
    noise = {name: _noise(time, bed.rate, bed.breaths, rng) for name in bases_of(bed.leads)}
    low_pass = min(150.0, 0.4 * bed.rate)
    waves = []
    for name in bed.leads:
        millivolts = heart.lead(name, bed.rate) + combined(name, noise)
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


def _pleth(heart: Heart, rng: np.random.Generator) -> Wave:
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


def _numbers(bed: Bed, heart: Heart, rng: np.random.Generator) -> list[Number]:
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


def _heart_rate(bed: Bed, heart: Heart, at: float) -> float:
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
