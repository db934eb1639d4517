"""Columns of what the bank hands to the kernel: a packet's row, and a channel's integers and floats."""

P_ENTRY, P_SESSION, P_FIRST, P_START_NS, P_CHANNELS, P_PACES, P_CHANNEL_AT, P_PACE_AT = range(8)
C_USE, C_OFF, C_SAMPLES, C_AT, C_CODE = range(5)
F_RATE, F_GAIN, F_OFFSET, F_HIGH_PASS = range(4)

UNUSED, ECG, PRESSURE, PLETH = range(4)
"""What a channel is to the detectors (``C_USE``). ``PRESSURE``: of an artery, in mmHg."""
