"""Learned trees: what a description leads to, and what is written is what is read."""

import numpy as np
import pytest

from detectors import trees
from detectors.trees import Node

MADE = [
    Node("", 0.5, -1, 1),
    Node("rr", 0.8, 2, 5),
    Node("step", 0.1, 3, 4),
    Node("", 1.0, -1, 6),
    Node("", 2.0, -1, 6),
    Node("", 4.0, -1, 6),
    Node("step", 0.3, 7, 8),
    Node("", 10.0, -1, -1),
    Node("", 20.0, -1, -1),
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "trees.csv"
    path.write_text("model,node,feature,number,below,above\nother,0,,1.5,,\n")
    monkeypatch.setattr(trees, "FILE", path)
    return path


@pytest.mark.parametrize(
    ("rr", "step", "log_odds"),
    [(0.7, 0.05, 11.5), (0.8, 0.1, 11.5), (0.7, 0.2, 12.5), (0.9, 0.2, 14.5), (0.9, 0.4, 24.5)],
)
def test_each_tree_adds_the_leaf_that_a_description_leads_to(file, rr, step, log_odds):
    trees.write("made", MADE)
    nodes = trees.trees("made", ("rr", "step"))
    assert trees.log_odds_of.py_func(nodes, np.array([rr, step])) == log_odds


def test_another_model_stays_as_it_is(file):
    trees.write("made", MADE)
    trees.write("made", MADE[:1])
    assert file.read_text().splitlines()[1:] == ["made,0,,0.5,,1", "other,0,,1.5,,"]


def test_a_model_that_is_not_there_is_no_empty_one(file):
    with pytest.raises(ValueError, match=r"trees\.csv has no model made"):
        trees.trees("made", ("rr", "step"))
