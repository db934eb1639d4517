"""Weights by feature of ``irregularity.FEATURES``: written by ``scripts/train_af.py``."""

BIAS = -4.6473
WEIGHTS = (
    -3.9669,  # p_likeness
    -1.3658,  # p_height
    -0.0950,  # rr
    7.1730,  # rr_squared
    -0.7175,  # step
    0.9917,  # clean_step
    2.6358,  # clean_share
    -1.8453,  # clean_regular
    -2.8730,  # near
    1.0245,  # cosen
    3.1034,  # turning
    0.1140,  # second
    -0.3556,  # third
    0.7797,  # pattern
    -0.3893,  # below
    1.3585,  # ventricular
    -0.3227,  # p_likeness_step
)
