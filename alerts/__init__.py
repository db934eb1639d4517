"""From alarm condition to the people who must know of it: a pipeline of small stages, after IEC 60601-1-8.

Here live the priorities, the life of an alert and the stages between a condition and an alert (``pipeline``),
who is called (``call``, ``route``, by the duty ``roster``), what is said of an alert (``page``), its ECG
(``ecg``) as a picture (``strip``), the notification log (``outbox``), what a channel promises (``notify``),
the channels (``channels``), and where people are reached (``contacts``). A stage is a function
``(state, events, now_ns) -> events`` in a file of its own.

What does not live here: anything that reads a clock or knows Kafka (the pager's process does), and what makes
a condition (``detectors``). Only ``channels`` open connections.
"""
