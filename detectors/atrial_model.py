"""Weights by feature of ``irregularity.FEATURES``: written by ``scripts/train_af.py``."""

BIAS = -4.1252
WEIGHTS = (
    -3.9878,  # p_likeness
    -1.2084,  # p_height
    -0.2603,  # rr
    7.0337,  # rr_squared
    -0.7286,  # step
    0.9245,  # clean_step
    2.6682,  # clean_share
    -1.8301,  # clean_regular
    -2.9160,  # near
    0.9627,  # cosen
    2.9090,  # turning
    0.0509,  # second
    -0.3979,  # third
    0.8538,  # pattern
    -0.3176,  # below
    1.2797,  # ventricular
    -0.3276,  # p_likeness_step
)
