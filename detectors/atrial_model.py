"""Weights by feature of ``irregularity.FEATURES``: written by ``scripts/train_af.py``."""

BIAS = -5.1694
WEIGHTS = (
    -3.7952,  # p_likeness
    -1.3279,  # p_height
    -0.3801,  # rr
    6.9846,  # rr_squared
    -0.5128,  # step
    0.7625,  # clean_step
    3.5844,  # clean_share
    -2.7225,  # clean_regular
    -1.5565,  # near
    0.9028,  # cosen
    1.9976,  # turning
    0.0270,  # second
    -0.0856,  # third
    0.4540,  # pattern
    -0.1142,  # below
    4.0951,  # ventricular
    -0.3868,  # p_likeness_step
)
