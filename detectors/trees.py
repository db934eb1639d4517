"""Learned trees: read from a plain file, once, and walked through in compiled code.

Boosted regression trees (J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Ann.
Statist. 29 (2001) 1189-1232): each tree adds the value of the leaf that a description leads to, and the sum
is the log odds. ``trees.csv`` has a line for each node of a model: at a branch the feature, the threshold,
and the node that follows if the feature is at most that (``below``) or more (``above``); at a leaf the value,
and in ``above`` where the next tree begins, nothing behind the last one. ``ecgstream.learn`` writes it.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import jit

FILE = Path(__file__).parent / "trees.csv"
_COLUMNS = ("model", "node", "feature", "number", "below", "above")
_LEAF, _END = -1, -1
NODE = np.dtype([("number", np.float64), ("feature", np.int16), ("below", np.int16), ("above", np.int16)])
"""As small as it may be: a model is walked through once a second and lead, and should stay in the cache."""


class Node(NamedTuple):
    """A branch; or a leaf, which has no ``feature`` and whose ``number`` is its value.

    Attributes:
        feature: name.
        number: threshold or value.
        below, above: nodes.
    """

    feature: str
    number: float
    below: int
    above: int


def trees(model: str, features: tuple[str, ...]) -> NDArray[np.void]:
    """Return the nodes of a model, shape (nodes,) of ``NODE``, for ``log_odds_of``.

    Raises:
        ValueError: the file has a feature that is none of these, or lacks the model.
    """
    with FILE.open(encoding="utf-8", newline="") as lines:
        found = [
            (
                float(row["number"]),
                features.index(row["feature"]) if row["feature"] else _LEAF,
                int(row["below"] or _END),
                int(row["above"] or _END),
            )
            for row in csv.DictReader(lines)
            if row["model"] == model
        ]
    if not found:
        raise ValueError(f"{FILE.name} has no model {model}")
    return np.array(found, NODE)


def write(model: str, nodes: Sequence[Node]) -> None:
    """Write the nodes of a model; others stay as they are."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        kept = [row for row in csv.DictReader(lines) if row["model"] != model]
    made = [
        {
            "model": model,
            "node": str(at),
            "feature": node.feature,
            "number": f"{node.number:.6g}",
            "below": "" if node.below == _END else str(node.below),
            "above": "" if node.above == _END else str(node.above),
        }
        for at, node in enumerate(nodes)
    ]
    with FILE.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
        rows.writeheader()
        rows.writerows(sorted(kept + made, key=lambda row: row["model"]))


@jit
def log_odds_of(nodes: Any, f: Any) -> float:
    """Return the log odds of a description ``f``, shape (features,): the sum of all trees' leaves."""
    total = 0.0
    at = 0
    while at >= 0:
        node = nodes[at]
        feature, number, below, above = node["feature"], node["number"], node["below"], node["above"]
        if feature < 0:
            total += number
            at = above
        else:  # both are read before: a choice, no branch, for no processor guesses the way
            at = below if f[feature] <= number else above
    return float(total)
