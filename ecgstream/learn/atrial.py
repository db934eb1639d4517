"""Train the weights that tell atrial fibrillation.

    python -m ecgstream.learn.atrial DEVELOPMENT_SET

Writes ``detectors/models.csv`` and the report ``docs/atrial-training.md``.

Plays the development set's short recordings (``cinc2017``) and the MIT-BIH Arrhythmia records (``mitdb``)
through the detectors as they are, and takes each second's features from their state: what is learnt from is
what is seen live. A logistic regression (scikit-learn, which NeuroKit2 brings) is fitted to all of it for the
file of weights; for the report, tenfold, so that no record is judged by weights it had a part in.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import detectors
from detectors import atrial, weights
from detectors.bank import Bank
from detectors.irregularity import FEATURES
from devices import recordings
from devices.source import NS
from ecgstream.documents import table
from ecgstream.evaluate import truth
from ecgstream.evaluate.statistics import exact, share
from ecgstream.evaluate.suites import af
from schemas.bundle import Bundle
from schemas.records import Packet

REPORT = Path("docs/atrial-training.md")
PACKET_S = 1.0
FOLDS, SEED = 10, 17
LONG_WEIGHT = 3.0  # of a half-hour record, against one for a recording of half a minute
SETTLED_S = 20.0  # behind a change of rhythm, before which the window holds both
APART = {"AFL", "P", "VFL", "NOD", "AFIB"}  # rhythms that are no example of what is not fibrillation
STRENGTH = 1.0  # scikit-learn's C
TEXT = """\
# How the weights of atrial fibrillation were trained

Written by `python -m ecgstream.learn.atrial DEVELOPMENT_SET`; the detector is `detectors/atrial.py`.

Logistic regression (C = {strength:g}) on the features of each second, as detectors {version} make them:
{n_A} recordings of half a minute with atrial fibrillation (AF), {n_N} of normal and {n_O} of other rhythm,
weight 1 each; {n_long} records of half an hour, weight {long_weight:g} each, without flutter, paced and nodal
rhythm and the {settled_s:g} s behind a change of rhythm.

All figures below are out of fold ({folds} folds of whole recordings): no recording is judged by weights that
it had a part in. Features and thresholds were chosen by looking at the same recordings, so that others may
fare worse. Each recording of half a minute counts as one patient.

## Recordings of half a minute

Rates in %, with exact 95 % intervals.

{of_short}
## Records of half an hour

Onsets are those of the rhythm mark; the condition wants 30 s of it.

{of_long}
## Weights

Bias {bias:+.4f}. Standardised: as if each feature had mean 0 and spread 1.

{weights}"""


class Played(NamedTuple):
    """What is learnt from one recording.

    Attributes:
        name, label: of the recording; one of half an hour has no label.
        at_s, features: seconds at which a verdict was possible, and the features then.
        said: what people say of it then: 1 AF, 0 none, -1 not asked.
    """

    name: str
    label: str
    at_s: NDArray[np.float64]
    features: NDArray[np.float64]
    said: NDArray[np.int64]


def features_of(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds at which a verdict was possible, and the features then."""
    bank = Bank()
    at_s, rows = [], []
    for at, items in groupby(recordings.read(path).emissions(0, PACKET_S), key=lambda one: one.at_s):
        packets = [one.item for one in items if isinstance(one.item, Packet)]
        bank.push(Bundle.of("train", 0, round(at * NS), packets, []))
        signal = bank.signal(0)[0]
        if not np.isnan(signal["af_log_odds"]):
            at_s.append(at)
            rows.append(signal["af_feature"].copy())
    return np.array(at_s), np.array(rows).reshape(-1, len(FEATURES))


def short(path: Path) -> Played:
    """Play a recording that has one label."""
    label = af.said(path.parent)[path.stem]
    at_s, features = features_of(path)
    return Played(path.stem, label, at_s, features, np.full(len(at_s), int(label == af.AF)))


def long(path: Path) -> Played:
    """Play a record with rhythm marks."""
    at_s, features = features_of(path)
    marks = truth.read(path)
    said = []
    for t in at_s:
        first, last = (t - SETTLED_S) * marks.rate, t * marks.rate
        held = {text for text, (a, b) in marks.rhythms if a < last and b > first}
        said.append(1 if held == {"AFIB"} else -1 if held & APART else 0)
    return Played(path.stem, "", at_s, features, np.array(said, np.int64))


def play_all(folder: Path) -> list[Played]:
    """Play everything, in processes of its own."""
    mitdb = sorted((folder / "mitdb").glob("*.hea"))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return [*pool.map(short, af.paths(folder / "cinc2017"), chunksize=8), *pool.map(long, mitdb)]


def stacked(played: Sequence[Played]) -> tuple[Any, Any, Any, Any]:
    """Return features, labels, weights and groups of all seconds that have a label."""
    x, y, w, g = [], [], [], []
    for group, one in enumerate(played):
        asked = one.said >= 0
        n = int(asked.sum())
        x.append(one.features[asked])
        y.append(one.said[asked])
        w.append(np.full(n, (1.0 if one.label else LONG_WEIGHT) / max(1, n)))
        g.append(np.full(n, group))
    return np.concatenate(x), np.concatenate(y), np.concatenate(w), np.concatenate(g)


def fit(x: Any, y: Any, w: Any) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return bias and weights of the features as they are, and the weights of standardised ones."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = np.average(x, axis=0, weights=w), x.std(axis=0)
    model = LogisticRegression(C=STRENGTH, max_iter=2000).fit((x - mean) / spread, y, sample_weight=w)
    weights = model.coef_[0] / spread
    return float(model.intercept_[0] - weights @ mean), weights, model.coef_[0]


def out_of_fold(played: Sequence[Played]) -> list[NDArray[np.bool_]]:
    """Return for each recording when fibrillation is in force, by weights that it had no part in."""
    from sklearn.model_selection import StratifiedGroupKFold

    x, y, w, g = stacked(played)
    told: list[NDArray[np.bool_]] = [np.zeros(0, bool)] * len(played)
    asked = [i for i, one in enumerate(played) if len(one.at_s)]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y, g)
    held_out = [(train, set(g[test].tolist())) for train, test in folds]
    for train, groups in held_out:
        bias, weights, _ = fit(x[train], y[train], w[train])
        for i in groups:
            told[i] = in_force(played[i].features @ weights + bias)
    unseen = [i for i in asked if not len(told[i])]  # without a second that is asked: in no fold
    bias, weights, _ = fit(x, y, w)
    for i in unseen:
        told[i] = in_force(played[i].features @ weights + bias)
    return told


def in_force(log_odds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return when fibrillation is in force, by the detector's own rule."""
    s = SimpleNamespace(af_log_odds=np.nan, atrial=0, atrial_calm=0)
    found = []
    decide: Any = atrial.decide
    for one in log_odds:
        decide.py_func(s, float(one))
        found.append(bool(s.atrial))
    return np.array(found, bool)


def of_short(played: Sequence[Played], told: Sequence[NDArray[np.bool_]]) -> str:
    """Return the table of the short recordings."""
    pairs = [(one, t) for one, t in zip(played, told, strict=True) if one.label]
    rows = []
    verdicts: dict[str, Callable[[NDArray[np.bool_]], bool]] = {
        "at the end": lambda t: bool(t[-1:].any()),
        "at any time": lambda t: bool(t.any()),
    }
    for name, verdict in verdicts.items():
        tp, p = sum(verdict(t) for o, t in pairs if o.label == "A"), sum(o.label == "A" for o, _ in pairs)
        fp = {k: sum(verdict(t) for o, t in pairs if o.label == k) for k in "NO"}
        n = sum(o.label != "A" for o, _ in pairs)
        false = sum(fp.values())
        rows.append(
            [
                name,
                _with(tp, p),
                _with(n - false, n),
                f"{share(2 * tp, p - tp + false):.2f}",
                *(str(v) for v in (tp, p - tp, fp["N"], fp["O"])),
            ]
        )
    return table(["fibrillation in force", "Se", "Sp", "F1", "tp", "fn", "fp of N", "fp of O"], rows)


def _with(hits: int, of: int) -> str:
    low, high = exact(hits, of) or (0.0, 0.0)
    return f"{100 * hits / of:.2f} ({low:.1f} to {high:.1f})"


def of_long(played: Sequence[Played], told: Sequence[NDArray[np.bool_]]) -> str:
    """Return the table of the long records."""
    rows = []
    for one, t in zip(played, told, strict=True):
        if not one.label:
            is_af, other = t[one.said == 1], t[one.said == 0]
            rows.append(
                [one.name, *(_share(v) for v in (is_af, other)), str(int((np.diff(t * 1) == 1).sum()))]
            )
    return table(["record", "seconds of AF, found %", "seconds without, called AF %", "onsets"], rows)


def _share(told: NDArray[np.bool_]) -> str:
    return f"{told.size:,}: {100 * told.mean():.2f}" if told.size else "-"


def main(development_set: Path) -> None:
    """Train, and write weights and report."""
    played = play_all(development_set)
    x, y, w, _ = stacked(played)
    bias, found, standard = fit(x, y, w)
    weights.write({"atrial": (FEATURES, np.append(found, bias))})
    told = out_of_fold(played)
    kinds = {f"n_{k}": sum(one.label == k for one in played) for k in af.ASKED}
    rows = [[f"`{n}`", f"{s:+.2f}", f"{v:+.4f}"] for n, s, v in zip(FEATURES, standard, found, strict=True)]
    REPORT.write_text(
        TEXT.format(
            **kinds,
            n_long=sum(not one.label for one in played),
            version=detectors.VERSION,
            strength=STRENGTH,
            long_weight=LONG_WEIGHT,
            settled_s=SETTLED_S,
            folds=FOLDS,
            of_short=of_short(played, told),
            of_long=of_long(played, told),
            bias=bias,
            weights=table(["feature", "standardised", "weight"], rows),
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
