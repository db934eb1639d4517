"""UCUM units of waves; a channel's ``unit`` is an index into this table, which only ever grows."""

UNITS = ("mV", "%", "mm[Hg]", "Ohm", "{counts}")
MILLIVOLT, PERCENT, MM_HG, OHM, COUNTS = range(len(UNITS))
