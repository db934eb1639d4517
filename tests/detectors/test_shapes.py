"""Shapes of beats: compared at all shifts at once, as one by one."""

import numpy as np

from detectors import shapes
from detectors.state import SHAPE, SHAPE_LEADS


def test_the_best_of_all_shifts_is_that_of_one_after_the_other():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = np.cumsum(rng.normal(size=(2, SHAPE_LEADS, SHAPE)), axis=2)
        b = np.roll(a, rng.integers(-4, 5), axis=1) + 0.3 * b
        told = {
            shift: shapes.correlation.py_func(a, b, shapes.BEAT, shift)[0]
            for shift in range(-shapes.SHIFTS, shapes.SHIFTS + 1)
        }
        best, shift = shapes.match.py_func(a, shapes.moved.py_func(a), b)
        assert (best, shift) == (max(told.values()), max(told, key=told.get))


def test_a_shape_without_height_is_like_none():
    flat = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    beat = np.sin(np.arange(SHAPE)) + flat
    assert shapes.match.py_func(flat, shapes.moved.py_func(flat), beat)[0] == 0.0
