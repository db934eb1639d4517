"""Pure signal processing: samples and vital signs in; beats, rhythms, trends and alarm conditions out.

Here live the detector bank (``bank``: all devices of a bundle in one compiled call), its state
(``state``: one row a device), and the steps that a sample goes through: ``feed`` (packets, gaps,
sessions), ``step`` (one internal sample), ``quality``, ``qrs``, ``shapes``, ``classes``, ``beats``,
``fibrillation``, ``runs``, ``atrial`` with ``irregularity`` (what they have learnt: ``weights``, ``trees``),
``conditions`` with ``phases``, ``ectopy``, ``pauses`` and ``st``, ``rhythm``, ``trends``, ``vitals`` with
``news2``. ``control`` changes what they go by; ``monitor`` is the bank of one for notebooks.

What does not live here: Kafka, a database, a clock, a thread, a logger. Time is event time: detectors
count samples. Nothing of ours is imported but ``schemas``.
"""

VERSION = "1.7"
"""Version of the detectors: whatever changes a result changes it. It travels with every condition."""


def warm_up() -> None:
    """Compile everything, or load it from the compiler's cache."""
    from detectors.bank import Bank

    Bank().warm_up()
