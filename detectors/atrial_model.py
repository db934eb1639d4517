"""Weights by feature of ``irregularity.FEATURES``: written by ``scripts/train_af.py``."""

BIAS = -4.7414
WEIGHTS = (
    -3.4150,  # p_likeness
    -1.1554,  # p_height
    -0.5654,  # rr
    7.2195,  # rr_squared
    -0.5850,  # step
    0.8196,  # clean_step
    3.4722,  # clean_share
    -2.1822,  # clean_regular
    -2.3781,  # near
    0.7031,  # cosen
    2.7724,  # turning
    0.0375,  # second
    0.0105,  # third
    0.9098,  # pattern
    -0.0666,  # below
    2.5363,  # ventricular
    -0.2072,  # p_likeness_step
)
