"""Learns the ventricular models, and says how good they are on records they have not seen.

    python -m ecgstream.learn.ventricular DEVELOPMENT_SET

Reads vfdb, mitdb and cinc2015 there; plays each record through the detectors second by second and takes
the features that the kernel itself has computed. Writes ``detectors/models.csv``, ``detectors/trees.csv``
and the report between the marks of docs/ventricular.md.

Logistic regression with a ridge, by Newton's method (T. Hastie, R. Tibshirani and J. Friedman, "The elements
of statistical learning" (2009), 4.4.1 and 18.4); of the wave boosted trees as well (``grown``), and the mean
of both log odds. A record weighs the same however long it is, up to a number of seconds. Of a true alarm only
the record's end is known to hold it: of its last ten seconds the one counts that is most like the rest
(O. Maron and T. Lozano-Perez, "A framework for multiple-instance learning", NIPS 1998). Out of fold: a fifth
of the records is judged by what the others taught.
"""

import os
import sys
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import detectors
from detectors import fibrillation, leads, runs, trees, weights
from detectors.bank import Bank
from devices import recordings
from devices.source import NS
from ecgstream.documents import put
from ecgstream.evaluate import truth
from ecgstream.evaluate.episodes import merged
from ecgstream.evaluate.played import START_NS
from ecgstream.evaluate.suites import alarms, rhythm
from ecgstream.learn.grown import nodes_of
from ecgstream.learn.judge import Odds, judge
from schemas.bundle import Bundle
from schemas.records import Packet

FOLDERS = ("vfdb", "mitdb", "cinc2015")
FOLDS = 5
RIDGE = 1.0
TREES, LEAVES, RATE = 100, 8, 0.06  # RATE: share of each tree's values that is taken
LEAST_SECONDS = 60  # in a leaf
TREES_RIDGE = 5.0
FEATURES_A_BRANCH = 0.5  # share of the features that a branch chooses from
SEED = 1
NEWTON_STEPS = 12
ROUNDS = 2  # of choosing the second of a true alarm
TRUSTED_S = 20.0  # before a false alarm in which people have seen that there was none
MARGIN_S = 0.5  # to which rhythm marks are good
CAPS = {"vfdb": (100.0, 60.0), "mitdb": (30.0, 20.0), "cinc2015": (12.0, 12.0)}  # s a record: none, some
RUN_CAPS = {"vfdb": (10.0, 0.0), "mitdb": (5.0, 0.0), "cinc2015": (5.0, 5.0)}
"""Runs that are short, as those that raise an alarm: what lasts is the wave's matter."""
_UNSURE = ("NOD", "HGEA", "VER", "ASYS", "IVR")
NO, YES, UNKNOWN, PERHAPS = 0, 1, -1, -2
Floats = NDArray[np.float64]
Model = Callable[[Floats], Floats]
"""Gives the log odds of rows of features, shape (n, features)."""


class Logistic(NamedTuple):
    """A logistic model. ``weights``: shape (features + 1,), the bias last."""

    weights: Floats

    def __call__(self, x: Floats) -> Floats:
        """Return the log odds of rows."""
        found: Floats = x @ self.weights[:-1] + self.weights[-1]
        return found


class Wave(NamedTuple):
    """The mean of a logistic model and of scikit-learn's trees."""

    logistic: Logistic
    grown: Any

    def __call__(self, x: Floats) -> Floats:
        """Return the log odds of rows."""
        of_trees: Floats = self.grown.decision_function(x)
        return 0.5 * (self.logistic(x) + of_trees)


class Seen(NamedTuple):
    """What the kernel computed in a record, by second.

    Attributes:
        path: of the record.
        second: the end of the window, s, shape (n,).
        window: shape (n, leads, features); NaN where a lead could not be read.
        run: shape (n, features), NaN where there was no run to ask of.
        quality: of the leads that are read, as the kernel has it, shape (n,).
        label: shape (n,): NO, YES, UNKNOWN; PERHAPS: one of these is one.
    """

    path: Path
    second: Floats
    window: Floats
    run: Floats
    quality: Floats
    label: NDArray[np.int64]


def see(path: Path) -> Seen:
    """Play a record, and keep the features of every second."""
    limit_s = alarms.ALARM_S if path.parent.name == "cinc2015" else None
    source, bank = recordings.read(path, limit_s=limit_s), Bank()
    window, run, cleanness = [], [], []
    for at_s, items in groupby(source.emissions(START_NS, 1.0), key=lambda one: one.at_s):
        packets = [one.item for one in items if isinstance(one.item, Packet)]
        bank.push(Bundle.of("learn", 0, START_NS + round(at_s * NS), packets, []))
        s = bank.signal(0)[0]
        judged = s["wave_odds"] > fibrillation.NO_ODDS
        read = [judged and _readable(s, int(lead)) for lead in s["shape_lead"]]
        window.append(np.where(np.array(read)[:, None], s["window"], np.nan))
        cleanness.append(quality(s, s["shape_lead"][read]))
        run.append(np.where(s["run_odds"] > fibrillation.NO_ODDS, s["run_window"], np.nan))
    second = np.arange(1.0, len(window) + 1)
    return Seen(path, second, np.array(window), np.array(run), np.array(cleanness), _labels(path, second))


def _readable(s: Any, lead: int) -> bool:
    return lead >= 0 and not ((int(s["unusable"]) | int(s["flat"])) >> lead) & 1


def quality(s: Any, read: NDArray[np.int64]) -> float:
    """Return how clean leads are, as ``fibrillation.wave_quality`` has it, which only the kernel can call."""
    snr = s["level"][read] / np.maximum(s["noise"][read], leads.LEAST_MV)
    each = np.where(s["level"][read] > 0.0, np.minimum(1.0, snr / leads.FULL_SNR), leads.UNKNOWN)
    return float(each.mean()) if each.size else 0.0


def _labels(path: Path, second: Floats) -> NDArray[np.int64]:
    label = np.full(second.size, UNKNOWN)
    if path.parent.name == "cinc2015":
        kind, true = alarms.said(path.parent)[path.stem]
        if not true:
            label[second > alarms.ALARM_S - TRUSTED_S] = NO
        elif kind.startswith("Ventricular"):
            label[second > alarms.ALARM_S - alarms.BEFORE_S + 1] = PERHAPS
        return label
    said = truth.read(path)
    label[:] = NO
    for value, spans in (
        (UNKNOWN, truth.spans(said, *_UNSURE)),
        (YES, [*truth.spans(said, *rhythm.VENTRICULAR), *said.fibrillation]),
    ):
        for begin, end in merged(spans, said.rate):
            inside = second - fibrillation.WINDOW_S >= begin / said.rate - MARGIN_S
            inside &= second <= end / said.rate + MARGIN_S
            near = (second > begin / said.rate) & (second - fibrillation.WINDOW_S - 1.5 < end / said.rate)
            label[near & ~inside] = UNKNOWN
            label[inside] = value
    return label


def fit(x: Floats, y: Floats, weight: Floats) -> Logistic:
    """Return a logistic model.

    Args:
        x: shape (n, features).
        y: 0 or 1, shape (n,).
        weight: of each row.
    """
    mean = np.average(x, axis=0, weights=weight)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight)) + 1e-9
    z = np.column_stack([(x - mean) / scale, np.ones(len(x))])
    ridge = np.diag([RIDGE] * x.shape[1] + [0.0])
    b = np.zeros(z.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(z @ b, -30.0, 30.0)))
        gradient = z.T @ (weight * (p - y)) + ridge @ b
        b -= np.linalg.solve((z * (weight * p * (1.0 - p))[:, None]).T @ z + ridge, gradient)
    raw = b[:-1] / scale
    return Logistic(np.append(raw, b[-1] - raw @ mean))


def fit_wave(x: Floats, y: Floats, weight: Floats) -> Wave:
    """Return a logistic model and trees, likewise."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    grown = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        min_samples_leaf=LEAST_SECONDS,
        l2_regularization=TREES_RIDGE,
        max_features=FEATURES_A_BRANCH,
        early_stopping=False,
        random_state=SEED,
    ).fit(x, y, sample_weight=weight)
    return Wave(fit(x, y, weight), grown)


def odds(model: Model, x: Floats) -> Floats:
    """Return log odds of rows, bounded as in the kernel: the mean over leads, if there is such an axis."""
    rows = x.reshape(-1, x.shape[-1])
    known = ~np.isnan(rows).any(1)
    of_rows = np.full(len(rows), np.nan)
    if known.any():
        of_rows[known] = np.clip(model(rows[known]), fibrillation.NO_ODDS, -fibrillation.NO_ODDS)
    each = of_rows.reshape(x.shape[:-1])
    if each.ndim == 2:
        n = (~np.isnan(each)).sum(1)
        each = np.nansum(each, 1) / np.where(n > 0, n, np.nan)
    return np.where(np.isnan(each), fibrillation.NO_ODDS, each)


def learn(records: Sequence[Seen], of: str) -> Any:
    """Return the model that records teach. ``of``: ``window`` (a ``Wave``) or ``run`` (a ``Logistic``)."""
    caps, fit_to = (CAPS, fit_wave) if of == "window" else (RUN_CAPS, fit)
    model: Any = None
    for _ in range(1 + ROUNDS):
        rows = [_rows(one, of, caps[one.path.parent.name], model) for one in records]
        x, y, weight = (np.concatenate(part) for part in zip(*rows, strict=True))
        model = fit_to(x, y, weight)
    return model


def _rows(one: Seen, of: str, cap: tuple[float, float], model: Model | None) -> tuple[Floats, Floats, Floats]:
    x: Floats = getattr(one, of)
    label = one.label.copy()
    asked = ~np.isnan(x.reshape(len(x), -1)).all(1)
    perhaps = np.flatnonzero((label == PERHAPS) & asked)
    if model is not None and perhaps.size:
        label[perhaps[np.argmax(odds(model, x[perhaps]))]] = YES
    elif of == "run":
        label[perhaps] = YES
    if x.ndim == 3:
        label = np.repeat(label, x.shape[1])
        x = x.reshape(-1, x.shape[2])
    kept = np.isin(label, (NO, YES)) & ~np.isnan(x).any(1)
    y = label[kept].astype(float)
    weight = np.empty(y.size)
    for value in (NO, YES):
        weight[y == value] = min(1.0, cap[value] / max(1, (y == value).sum()))
    return x[kept], y, weight


def fold(one: Seen) -> int:
    """Return which part a record is in: by its name, so that it stays there whatever else is added."""
    return zlib.crc32(one.path.stem.encode()) % FOLDS


def main(development_set: Path) -> None:
    """Learn, write the weights, and report."""
    detectors.warm_up()
    paths = [p for name in FOLDERS for p in sorted((development_set / name).glob("*.hea"))]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        records = list(pool.map(see, paths, chunksize=4))
    models = partial(learn, of="window"), partial(learn, of="run")
    unseen: list[Odds] = []
    for part in range(FOLDS):
        wave, run = (model([one for one in records if fold(one) != part]) for model in models)
        unseen += [_odds(one, wave, run) for one in records if fold(one) == part]
    wave, run = (model(records) for model in models)
    logistic = {"wave": (fibrillation.FEATURES, wave.logistic), "run": (runs.FEATURES, run)}
    weights.write({name: (features, found.weights) for name, (features, found) in logistic.items()})
    trees.write("wave", nodes_of(wave.grown, fibrillation.FEATURES))
    put(
        Path("docs/ventricular.md"),
        "learnt",
        judge(unseen, [_odds(one, wave, run) for one in records]),
    )


def _odds(one: Seen, wave: Model, run: Model) -> Odds:
    f = one.window
    long = np.where(f[:, :, fibrillation.PERIOD] > fibrillation.FLUTTER_S, f[:, :, fibrillation.REPEATS], 0.0)
    organised = np.nan_to_num(long).max(1) > fibrillation.ORGANISED
    waves = odds(wave, one.window)
    return Odds(one.path, one.second, waves, odds(run, one.run), organised, one.quality)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
