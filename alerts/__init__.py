"""From alarm condition to alert: a pipeline of small stages, after IEC 60601-1-8.

Here live the priorities, the life of an alert and the stages between a condition and the people who must know
of it. A stage is a function ``(state, events, now_ns) -> events`` in a file of its own (``pipeline``).

What does not live here: anything that opens a connection or reads a clock (the pager's process does both),
and what makes a condition (``detectors``).
"""
