"""Weights of ``atrial``, by feature of ``irregularity.FEATURES``: written by ``scripts/train_af.py``."""

BIAS = 0.0
WEIGHTS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
