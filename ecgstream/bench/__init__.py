"""``ecgstream bench``: how fast the parts are, as ratios measured in one run on one machine.

Machines differ and are shared; a figure alone says little. So each part is measured beside what it is
compared with, turn by turn, and the best turn of each counts.
"""
