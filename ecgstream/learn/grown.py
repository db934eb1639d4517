"""From scikit-learn's boosted trees to the plain file that the detectors read.

The trees of ``HistGradientBoostingClassifier`` stand in private attributes of it; a test compares what is
written with what the model itself says.
"""

from collections.abc import Sequence
from typing import Any

from detectors import trees


def nodes_of(model: Any, features: Sequence[str]) -> list[trees.Node]:
    """Return a model's trees: first the odds that all begin with, as a tree of a leaf."""
    found = [trees.Node("", float(model._baseline_prediction.item()), -1, 1)]
    for (tree,) in model._predictors:
        root, last = len(found), len(found) + len(tree.nodes)
        for node in tree.nodes:
            if node["is_leaf"]:
                found.append(trees.Node("", float(node["value"]), -1, last))
            else:
                below, above = root + int(node["left"]), root + int(node["right"])
                feature = features[node["feature_idx"]]
                found.append(trees.Node(feature, float(node["num_threshold"]), below, above))
    last = len(found)
    return [n._replace(above=-1) if not n.feature and n.above == last else n for n in found]
