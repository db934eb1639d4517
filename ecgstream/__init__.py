"""The application: what joins devices, detectors, alerts and the store into one running centre.

Here live the settings, the topics' creation, the worker (Faust), the store and its sink, the pager's
process, the embedded Kafka and PostgreSQL, and the command line. What does not live here: signal
processing (``detectors``), protocols of devices (``devices``), the rules from condition to page
(``alerts``), and what travels (``schemas``).

The rooms stand beside each other on ``settings`` and ``store``; only ``cli`` knows them all.
"""

__version__ = "0.1.0"
