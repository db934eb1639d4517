"""Timing: how soon an alarm comes, and which heart rate is told, on signals that are made.

What ANSI/AAMI EC13:2002 and IEC 60601-2-27:2011 ask of a heart rate meter with alarms:

- asystole, with and without pacing pulses (EC13, 4.1.4: pulses must not be counted);
- ventricular tachycardia of 206 and 195 bpm at half, usual and double amplitude (EC13, 4.1.2.1 g; IEC,
  201.7.9.2.9.101 b) 6);
- steps of the heart rate beyond alarm limits of 60 and 100 bpm (EC13, 4.1.2.1 f; IEC, b) 5);
- irregular rhythms (EC13, 4.1.2.1 e; IEC, b) 4);
- tall T waves at 80 bpm (EC13, 4.1.2.1 c; IEC, 201.12.1.101.17);
- QRS complexes of 0.5 to 5 mV and 70 to 120 ms are counted, those of 0.15 mV or 10 ms are not (EC13, 4.1.2.2;
  IEC, 201.12.1.101.15).

How soon is what this project asks of itself: the standards want times told, and allow 10 s.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

from ecgstream.evaluate.statistics import rounded
from ecgstream.evaluate.suite import Suite
from ecgstream.evaluate.trials import NEVER, PACKETS_S, Alarm, Outcome, Rate, Trial, look
from ecgstream.evaluate.waveforms import pacing, rhythms
from ecgstream.evaluate.waveforms.pacing import Pulse
from ecgstream.evaluate.waveforms.signal import Signal
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Category, Limit, Limits, Settings

SHORT, LONG = PACKETS_S
ALARMS, NO_CAPTURE, CAPTURE = "seconds_to_alarm", "not_capturing", "capturing"
IRREGULAR, TALL_T, QRS = "irregular_rhythms", "tall_t_waves", "qrs_counted_or_not"

_RUNS, _PACED_RUNS, _STEADY_RUNS = 16, 8, 4
_LIMITS = (Limits((Limit(mdc.HEART_RATE, 60.0, 100.0),)),)
_PACED = (Settings(Category.ADULT, paced=True),)
_ANYTIME = {SHORT: NEVER, LONG: NEVER}
_STILL = Alarm(Code.ASYSTOLE, _ANYTIME, {SHORT: 5.0, LONG: 6.0})
_FAST = (Code.VENTRICULAR_FIBRILLATION, Code.EXTREME_TACHYCARDIA, Code.HEART_RATE_HIGH)
_VT = Alarm(Code.VENTRICULAR_TACHYCARDIA, {SHORT: 5.0, LONG: 5.0}, {SHORT: 8.0, LONG: 8.0}, _FAST)
_WITHIN_6_S = {SHORT: 6.0, LONG: 6.0}
_STEPS = {
    120: Alarm(Code.HEART_RATE_HIGH, _ANYTIME, _WITHIN_6_S),
    40: Alarm(Code.HEART_RATE_LOW, _ANYTIME, _WITHIN_6_S, (Code.EXTREME_BRADYCARDIA,)),
}
_SHARES = {"half": 0.5, "usual": 1.0, "double": 2.0}
T_WAVES_MV = tuple(step / 10 for step in range(1, 13))
_QRS_MV, _QRS_MS = (0.5, 1.0, 2.0, 5.0), (70, 100, 120)
_NO_QRS = ((0.15, 70), (0.15, 100), (0.15, 120), (1.0, 10))
_T_SHARE = 0.2
"""Of a QRS complex that must be counted, where nothing is asked of the T wave; others have none."""
_PULSES_MV, _PULSES_MS, _TAILS_MS = (2.0, 20.0, 700.0), (0.1, 2.0), (0.0, 100.0)
_RANGES_MV = (5.0, 160.0)
"""Converters: the least that EC13 allows, and one that takes an electrode's offset in."""
FRONT_ENDS = tuple(product((1.0, -1.0), _RANGES_MV))
"""How a pulse points, and how far the converter reaches: runs take turns."""


def paced(run: int, *, pulse: Pulse, marks: bool, captures: bool) -> Signal:
    """Return a paced rhythm, each run with another of ``FRONT_ENDS``."""
    sign, range_mv = FRONT_ENDS[run % len(FRONT_ENDS)]
    pulse = pulse._replace(mv=sign * pulse.mv)
    return pacing.paced(run, pulse, range_mv=range_mv, marks=marks, captures=captures)


def sized(run: int, *, mv: float, ms: float, t_share: float) -> Signal:
    """Return a regular rhythm of QRS complexes that point up and down in turn, run by run."""
    signed = mv if run % 2 == 0 else -mv
    return rhythms.steady(run, signed, ms / 1000.0, t_share * signed)


def trials() -> list[Trial]:
    """Return all trials, table by table."""
    return [*_alarms(), *_paced(), *_irregular(), *_steady()]


def _alarms() -> Iterator[Trial]:
    yield Trial("asystole", ALARMS, rhythms.asystole, _RUNS, _STILL)
    for bpm, of in ((206, rhythms.FIGURE_4A), (195, rhythms.FIGURE_4B)):
        for name, share in _SHARES.items():
            make = partial(rhythms.tachycardia, of=of, share=share)
            yield Trial(f"vt_{bpm}_{name}", ALARMS, make, _RUNS, _VT, _LIMITS)
    for after_bpm, wanted in _STEPS.items():
        make = partial(rhythms.step, before_bpm=rhythms.SINUS_BPM, after_bpm=after_bpm)
        yield Trial(f"rate_80_to_{after_bpm}", ALARMS, make, _RUNS, wanted, _LIMITS)


def _paced() -> Iterator[Trial]:
    for captures, table, wanted in (
        (False, NO_CAPTURE, _STILL),
        (True, CAPTURE, Rate(pacing.PACED_BPM)),
    ):
        for tail_ms, mv, ms, marks in product(_TAILS_MS, _PULSES_MV, _PULSES_MS, (True, False)):
            make = partial(paced, pulse=Pulse(mv, ms, tail_ms), marks=marks, captures=captures)
            tail = f"_tail_{tail_ms:g}_ms" if tail_ms else ""
            name = f"{table}_{mv:g}_mv_{ms:g}_ms{tail}_{'marked' if marks else 'unmarked'}"
            yield Trial(name, table, make, _PACED_RUNS, wanted, _PACED)


def _irregular() -> Iterator[Trial]:
    for figure in rhythms.IRREGULAR:
        wanted = Rate(float(round(rhythms.rate_of(figure))))
        yield Trial(figure, IRREGULAR, partial(rhythms.irregular, figure=figure), _STEADY_RUNS, wanted)


def _steady() -> Iterator[Trial]:
    usual = Rate(rhythms.SINUS_BPM)
    for t_mv in T_WAVES_MV:
        make = partial(rhythms.steady, qrs_mv=1.0, qrs_s=0.1, t_mv=t_mv)
        yield Trial(_t_wave(t_mv), TALL_T, make, _STEADY_RUNS, usual)
    counted = usual, _T_SHARE, product(_QRS_MV, _QRS_MS)
    not_counted = Rate(0.0), 0.0, _NO_QRS
    for wanted, t_share, complexes in (counted, not_counted):
        for mv, ms in complexes:
            make = partial(sized, mv=mv, ms=ms, t_share=t_share)
            yield Trial(f"qrs_{mv:g}_mv_{ms}_ms", QRS, make, _STEADY_RUNS, wanted)


def _t_wave(t_mv: float) -> str:
    return f"t_{t_mv:g}_mv"


def greatest_t_rejected(rows: dict[str, dict[str, dict[str, Any]]]) -> dict[str, float | None]:
    """Return up to which height T waves are not counted, mV, by packet length."""
    greatest: dict[str, float | None] = {}
    for packets in next(iter(rows.values()), {}):
        right = None
        for t_mv in T_WAVES_MV:
            row = rows.get(_t_wave(t_mv))
            if row is None or not row[packets]["met"]:
                break
            right = t_mv
        greatest[packets] = right
    return greatest


def sum_up(found: Sequence[Outcome]) -> dict[str, Any]:
    """Return the tables of which there is any row."""
    result: dict[str, Any] = {}
    for one in found:
        result.setdefault(one.table, {})[one.name] = one.rows
    if TALL_T in result:
        result["greatest_t_wave_rejected_mv"] = greatest_t_rejected(result[TALL_T])
    told: dict[str, Any] = rounded(result)
    return told


SUITE = Suite("timing", "it makes its own signals", {trial.name: trial for trial in trials()}, look, sum_up)
