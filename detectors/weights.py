"""Learned weights: read from a plain file, once, in the order in which the kernel has its features.

``ventricular.csv`` has a line for each feature of a model: model, feature, weight; the feature ``bias`` is
what the log odds begin with. ``ecgstream.evaluate.learn`` writes it.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "ventricular.csv"
BIAS = "bias"


def weights(model: str, features: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the weights of a model, shape (features + 1,), the bias last.

    Raises:
        KeyError: the file lacks one of them.
    """
    with FILE.open(encoding="utf-8", newline="") as lines:
        found = {
            row["feature"]: float(row["weight"]) for row in csv.DictReader(lines) if row["model"] == model
        }
    return np.array([found[name] for name in (*features, BIAS)])
