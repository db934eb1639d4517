"""Which kinds of report there are."""

from enum import StrEnum


class Kind(StrEnum):
    """What a report is of, as ``ecg.report`` keeps it: a stretch, or ten seconds of a resting ECG."""

    STRETCH = "stretch"
    RESTING = "resting"
