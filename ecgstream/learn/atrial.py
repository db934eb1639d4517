"""Grow the trees that tell atrial fibrillation.

    python -m ecgstream.learn.atrial DEVELOPMENT_SET

Writes ``detectors/trees.csv`` and the report ``docs/atrial-training.md``.

Plays the development set's short recordings (``cinc2017``) and the MIT-BIH Arrhythmia records (``mitdb``)
through the detectors as they are, and takes each second's features from their state: what is learnt from is
what is seen live. Regular rhythms of every rate are made and played as well, with and without a P wave: the
recordings hold too few fast ones to teach that whatever is regular is no fibrillation.

Boosted trees (scikit-learn, which NeuroKit2 brings) are grown from all of it for the file; for the report,
tenfold, so that no record is judged by trees it had a part in. Where it is known which way a feature speaks,
the trees are held to it (``SPEAKS``): no accident of few recordings can turn it round.
"""

import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby, product
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import detectors
from detectors import atrial, trees
from detectors.bank import Bank
from detectors.irregularity import FEATURES
from devices import recordings
from devices.source import NS, Source
from ecgstream.documents import table
from ecgstream.evaluate import truth
from ecgstream.evaluate.statistics import exact, share
from ecgstream.evaluate.suites import af
from ecgstream.evaluate.waveforms.shapes import Array, ec13, lay
from ecgstream.evaluate.waveforms.signal import RATE_HZ, Signal
from ecgstream.learn.grown import nodes_of
from schemas.bundle import Bundle
from schemas.records import Packet

REPORT = Path("docs/atrial-training.md")
PACKET_S = 1.0
FOLDS, SEED = 10, 17
LONG_WEIGHT = 6.0  # of a half-hour record, against one for a recording of half a minute
SETTLED_S = 20.0  # behind a change of rhythm, before which the window holds both
APART = {"AFL", "P", "VFL", "NOD", "AFIB"}  # rhythms that are no example of what is not fibrillation
TREES, LEAVES, RATE = 80, 8, 0.05  # RATE: share of each tree's values that is taken
LEAST_SECONDS = 100  # in a leaf
RIDGE = 5.0
FEATURES_A_BRANCH = 0.4  # share of the features that a branch chooses from
SPEAKS = {
    "p_likeness": -1, "p_height": -1, "step": 1, "clean_step": 1, "clean_share": 1, "clean_regular": -1,
    "near": -1, "cosen": 1, "turning": 1, "pattern": 1,
}  # fmt: skip
"""1: for fibrillation where it is higher, -1: against it."""
REGULAR = "regular"  # label of what is made
MADE_WEIGHT = 0.3
REGULAR_BPM = range(30, 250, 10)
REGULAR_JITTER = (0.0, 0.02)  # of an interval, root mean square
REGULAR_S = 40.0
P_WAVES_MV = (0.0, 0.12)
NOISE_MV = 0.01
TEXT = """\
# How the trees of atrial fibrillation were grown

Written by `python -m ecgstream.learn.atrial DEVELOPMENT_SET`; the detector is `detectors/atrial.py`.

{trees} boosted trees of {leaves} leaves (`detectors/trees.csv`) from the features of each second, as
detectors {version} make them:
{n_A} recordings of half a minute with atrial fibrillation (AF), {n_N} of normal and {n_O} of other rhythm,
weight 1 each; {n_long} records of half an hour, weight {long_weight:g} each, without flutter, paced and nodal
rhythm and the {settled_s:g} s behind a change of rhythm; {n_regular} made ones, weight {made_weight:g} each,
regular, of {slow} to {fast} beats a minute, with and without a P wave.

All figures below are out of fold ({folds} folds of whole recordings): no recording is judged by trees that
it had a part in. Features and thresholds were chosen by looking at the same recordings, so that others may
fare worse. Each recording of half a minute counts as one patient.

## Recordings of half a minute

Rates in %, with exact 95 % intervals.

{of_short}
## Records of half an hour

Onsets are those of the rhythm mark; the condition wants 30 s of it.

{of_long}
## What the trees ask

| feature | branches |
| --- | --- |
{branches}"""


class Played(NamedTuple):
    """What is learnt from one recording.

    Attributes:
        name, label: of the recording; one of half an hour has no label, a made one ``REGULAR``.
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
    return features_in(recordings.read(path))


def features_in(source: Source) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same of what a device sends."""
    bank = Bank()
    at_s, rows = [], []
    for at, items in groupby(source.emissions(0, PACKET_S), key=lambda one: one.at_s):
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


def regular(bpm: int, jitter: float, p_mv: float) -> Played:
    """Make a regular rhythm, and play it."""
    random = np.random.default_rng(bpm)
    n = int(REGULAR_S * bpm / 60.0)
    at_s = np.cumsum(60.0 / bpm * random.normal(1.0, jitter, n))
    beat = ec13(1.0, 0.08, 0.25, qt_s=min(0.35, 0.36 * math.sqrt(60.0 / bpm)))

    def shape(time_s: Array) -> Array:
        return beat(time_s) + p_mv * np.exp(-0.5 * ((time_s + 0.17) / 0.02) ** 2)

    mv = lay(at_s, REGULAR_S, RATE_HZ, shape)
    signal = Signal(mv + random.normal(0.0, NOISE_MV, mv.size), 0.0)
    found_s, features = features_in(signal.source())
    return Played(f"{bpm}", REGULAR, found_s, features, np.zeros(len(found_s), np.int64))


def play_all(folder: Path) -> list[Played]:
    """Play everything, in processes of its own."""
    mitdb = sorted((folder / "mitdb").glob("*.hea"))
    made = list(product(REGULAR_BPM, REGULAR_JITTER, P_WAVES_MV))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return [
            *pool.map(short, af.paths(folder / "cinc2017"), chunksize=8),
            *pool.map(long, mitdb),
            *pool.map(regular, *zip(*made, strict=True), chunksize=8),
        ]


def stacked(played: Sequence[Played]) -> tuple[Any, Any, Any, Any]:
    """Return features, labels, weights and groups of all seconds that have a label."""
    x, y, w, g = [], [], [], []
    for group, one in enumerate(played):
        asked = one.said >= 0
        n = int(asked.sum())
        weight = {"": LONG_WEIGHT, REGULAR: MADE_WEIGHT}.get(one.label, 1.0)
        x.append(one.features[asked])
        y.append(one.said[asked])
        w.append(np.full(n, weight / max(1, n)))
        g.append(np.full(n, group))
    return np.concatenate(x), np.concatenate(y), np.concatenate(w), np.concatenate(g)


def grow(x: Any, y: Any, w: Any) -> Any:
    """Return scikit-learn's model of weighted seconds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        min_samples_leaf=LEAST_SECONDS,
        l2_regularization=RIDGE,
        max_features=FEATURES_A_BRANCH,
        monotonic_cst=[SPEAKS.get(name, 0) for name in FEATURES],
        early_stopping=False,
        random_state=SEED,
    ).fit(x, y, sample_weight=w / w.mean())


def out_of_fold(played: Sequence[Played]) -> list[NDArray[np.bool_]]:
    """Return for each recording when fibrillation is in force, by trees that it had no part in."""
    from sklearn.model_selection import StratifiedGroupKFold

    x, y, w, g = stacked(played)
    told: list[NDArray[np.bool_]] = [np.zeros(0, bool)] * len(played)
    asked = [i for i, one in enumerate(played) if len(one.at_s)]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y, g)
    held_out = [(train, set(g[test].tolist())) for train, test in folds]
    for train, groups in held_out:
        model = grow(x[train], y[train], w[train])
        for i in groups:
            told[i] = in_force(model.decision_function(played[i].features))
    unseen = [i for i in asked if not len(told[i])]  # without a second that is asked: in no fold
    model = grow(x, y, w)
    for i in unseen:
        told[i] = in_force(model.decision_function(played[i].features))
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
    pairs = [(one, t) for one, t in zip(played, told, strict=True) if one.label in {*af.ASKED}]
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


def branches(nodes: Sequence[trees.Node]) -> str:
    """Return rows: how often each feature is asked."""
    asked = Counter(node.feature for node in nodes if node.feature)
    return "\n".join(f"| `{name}` | {n} |" for name, n in asked.most_common())


def main(development_set: Path) -> None:
    """Grow, and write trees and report."""
    played = play_all(development_set)
    x, y, w, _ = stacked(played)
    nodes = nodes_of(grow(x, y, w), FEATURES)
    trees.write("atrial", nodes)
    told = out_of_fold(played)
    kinds = {f"n_{k}": sum(one.label == k for one in played) for k in af.ASKED}
    REPORT.write_text(
        TEXT.format(
            **kinds,
            n_long=sum(not one.label for one in played),
            n_regular=sum(one.label == REGULAR for one in played),
            slow=REGULAR_BPM[0],
            fast=REGULAR_BPM[-1],
            version=detectors.VERSION,
            trees=TREES,
            leaves=LEAVES,
            long_weight=LONG_WEIGHT,
            made_weight=MADE_WEIGHT,
            settled_s=SETTLED_S,
            folds=FOLDS,
            of_short=of_short(played, told),
            of_long=of_long(played, told),
            branches=branches(nodes),
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
