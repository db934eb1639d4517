"""What is written of grown trees is what the model is."""

import numpy as np

from detectors import trees
from detectors.irregularity import FEATURES
from ecgstream.learn.atrial import grow
from ecgstream.learn.grown import nodes_of


def test_the_trees_are_those_of_the_model_and_the_file_has_them_to_six_digits(tmp_path, monkeypatch) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, len(FEATURES)))
    y = (x[:, 0] - x[:, 3] * x[:, 5] + rng.normal(size=2000) < 0).astype(int)
    model = grow(x, y, rng.uniform(0.5, 1.5, 2000))
    found = nodes_of(model, FEATURES)
    nodes = np.array([(n.number, _index(n.feature), n.below, n.above) for n in found], trees.NODE)
    told = [trees.log_odds_of.py_func(nodes, row) for row in x[:200]]
    np.testing.assert_allclose(told, model.decision_function(x[:200]), atol=1e-12)

    path = tmp_path / "trees.csv"
    path.write_text("model,node,feature,number,below,above\n")
    monkeypatch.setattr(trees, "FILE", path)
    trees.write("grown", found)
    written = trees.trees("grown", FEATURES)
    np.testing.assert_allclose(written["number"], nodes["number"], rtol=1e-5)
    assert all((written[name] == nodes[name]).all() for name in ("feature", "below", "above"))


def _index(feature: str) -> int:
    return FEATURES.index(feature) if feature else -1
