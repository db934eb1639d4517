"""Learned weights: read from a plain file, once, in the order in which the kernel has its features.

``models.csv`` has a line for each feature of a model: model, feature, weight; the feature ``bias`` is what
the log odds begin with. ``ecgstream.learn`` writes it.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "models.csv"
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


def write(models: dict[str, tuple[tuple[str, ...], NDArray[np.float64]]]) -> None:
    """Write models by name, each its features and weights, the bias last; others stay as they are."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        kept = [row for row in csv.DictReader(lines) if row["model"] not in models]
    made = [
        {"model": model, "feature": feature, "weight": f"{weight:.5g}"}
        for model, (features, found) in models.items()
        for feature, weight in zip((*features, BIAS), found.tolist(), strict=True)
    ]
    with FILE.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, ("model", "feature", "weight"), lineterminator="\n")
        rows.writeheader()
        rows.writerows(sorted(kept + made, key=lambda row: row["model"]))
