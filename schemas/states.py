"""The words that records choose from: phases, states, priorities, kinds."""

from enum import StrEnum


class Phase(StrEnum):
    """Where in its life a condition stands."""

    ONSET = "ONSET"
    UPDATE = "UPDATE"
    END = "END"


class Priority(StrEnum):
    """IEC 60601-1-8, 6.1.2."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class AlertState(StrEnum):
    """Where in its life an alert stands.

    ``LATCHED``: the condition is over, and nobody has acknowledged the alert. ``ACKNOWLEDGED``: somebody has,
    and the condition lasts. ``LATE``: it was over long before it was known here, and is not acknowledged.
    ``CHECK``: other evidence speaks against it, so that nobody is called while that is so. ``SILENCED``:
    nobody is called for a time.
    """

    ACTIVE = "ACTIVE"
    LATCHED = "LATCHED"
    ENDED = "ENDED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    LATE = "LATE"
    CHECK = "CHECK"
    SILENCED = "SILENCED"


class Act(StrEnum):
    """What somebody says of an alert: takes it on, cannot take it, wants silence; or wants a call.

    TEST: for a test. CONSULT: for a consultation.
    """

    ACKNOWLEDGE = "ACKNOWLEDGE"
    REJECT = "REJECT"
    SILENCE = "SILENCE"
    TEST = "TEST"
    CONSULT = "CONSULT"


class Lane(StrEnum):
    """Which way a signal came: as it was measured, or afterwards, behind a gap (``Segment``)."""

    LIVE = "LIVE"
    BACKFILL = "BACKFILL"


class Start(StrEnum):
    """How a segment began: without knowledge of the signal before, or with that from before the gap."""

    COLD = "COLD"
    RESTORED = "RESTORED"


class SnapshotKind(StrEnum):
    """What a snapshot is of: see ``avro/Snapshot-2.avsc``."""

    DEVICE = "DEVICE"
    POSITION = "POSITION"
    GAP = "GAP"


class NotificationState(StrEnum):
    """Where a notification stands: still to be sent, taken by its channel, or given up."""

    DUE = "DUE"
    SENT = "SENT"
    FAILED = "FAILED"


class Category(StrEnum):
    """What kind of patient is watched: it sets default limits and the detectors' extremes."""

    ADULT = "ADULT"
    PAEDIATRIC = "PAEDIATRIC"
    NEONATE = "NEONATE"


class News2(StrEnum):
    """Whether the National Early Warning Score 2 is kept of a patient, and by which of its scales of SpO2.

    Scale 2 is for patients with hypercapnic respiratory failure whose SpO2 shall be 88 to 92 %.
    """

    OFF = "OFF"
    SCALE_1 = "SCALE_1"
    SCALE_2 = "SCALE_2"
