"""Electrocardiograms that are made: what standards ask of a heart rate meter, as signals.

In the manner of ANSI/AAMI EC13:2002 and IEC 60601-2-27:2011. ``shapes`` are single beats, ``rhythms`` and
``pacing`` whole signals, each a pure function of a run's number and of what is asked; ``signal`` is what they
return. None of it is a copy of the standards' own recordings.
"""
