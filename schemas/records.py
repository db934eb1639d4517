"""The typed twins of the row-wise schemas.

Times are UTC ns, sample indices count within a session at the rate of channel 0, and every record
names the schema it travels in by its class name.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.states import (
    Act,
    AlertState,
    Category,
    Lane,
    News2,
    NotificationState,
    Phase,
    Priority,
    SnapshotKind,
    Start,
)

__all__ = [
    "Act",
    "AlertState",
    "Category",
    "Lane",
    "News2",
    "NotificationState",
    "Phase",
    "Priority",
    "SnapshotKind",
    "Start",
]  # found here, too

MISSING = -32768
"""The int16 that stands for a sample that was not measured or did not arrive (as in WFDB format 16)."""

ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND = range(4)


@dataclass(slots=True)
class Channel:
    """One wave of a packet. ``samples``: int16, shape (n,); value in ``unit`` = (sample - offset) / gain."""

    code: int
    kind: int
    unit: int
    rate: float
    gain: float
    samples: NDArray[np.int16]
    offset: float = 0.0
    high_pass: float = float("nan")
    low_pass: float = float("nan")
    notch: float = float("nan")
    lead_off: bool = False


@dataclass(slots=True)
class Packet:
    """About one second of all channels of a device: see ``avro/Packet-1.avsc``."""

    device: str
    session: int
    seq: int
    first_sample: int
    start_ns: int
    received_ns: int
    channels: list[Channel]
    pace_marks: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Vital:
    """One measured number, in the unit of its code (``schemas.mdc.UNITS``)."""

    device: str
    session: int
    time_ns: int
    code: int
    value: float


@dataclass(frozen=True, slots=True)
class Association:
    """Who wears the device; an empty pseudonym: nobody."""

    patient: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Alarm limits of one number; ``None``: no limit on that side."""

    code: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Changed alarm limits; a number without an entry keeps what it had."""

    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What kind of patient is watched; a change of category brings that category's default limits.

    ``news2`` counts for an adult only: somebody has said that the patient is 16 or older and not pregnant.
    """

    category: Category
    paced: bool
    news2: News2 = News2.OFF


@dataclass(frozen=True, slots=True)
class Enrolled:
    """How the device is enrolled: its facility's ``ltree`` path, the MDC codes of the leads expected."""

    facility: str
    leads: tuple[int, ...]
    disabled: bool


@dataclass(frozen=True, slots=True)
class BacklogEnd:
    """The gateway has sent all it has of a gap; on the backfill topic only."""


@dataclass(frozen=True, slots=True)
class ClockCorrection:
    """The gateway takes so much from the device's times from here on: see ``devices.corrections``.

    ``ahead_ns``: the device's own time is the one that its packets and numbers carry, and this.
    """

    ahead_ns: int


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Whoever held the device's connection says that it has ended: its link is lost."""


Change = Association | Limits | Settings | Enrolled | BacklogEnd | ClockCorrection | LinkDown


@dataclass(frozen=True, slots=True)
class Control:
    """A change that changes results, valid from a stated sample: see ``avro/Control-5.avsc``."""

    id: str
    device: str
    session: int
    from_sample: int
    issued_ns: int
    issued_by: str
    change: Change


@dataclass(frozen=True, slots=True)
class Condition:
    """One phase of an alarm condition: see ``avro/Condition-2.avsc``."""

    id: str
    device: str
    patient: str
    session: int
    code: str
    phase: Phase
    onset_sample: int
    onset_ns: int
    sample: int
    time_ns: int
    delay_s: float
    evidence: dict[str, float]
    published_ns: int
    partition: int
    offset: int
    generation: int
    version: str
    lane: Lane = Lane.LIVE


@dataclass(frozen=True, slots=True)
class Called:
    """Who was called, and in which call."""

    call: int
    account: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of an alert, by whom and why."""

    at_ns: int
    by: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert in its newest state: see ``avro/Alert-3.avsc``."""

    id: str
    device: str
    patient: str
    session: int
    condition: str
    priority: Priority
    state: AlertState
    onset_sample: int
    onset_ns: int
    decided_sample: int
    decided_ns: int
    delay_s: float
    end_ns: int | None
    evidence: dict[str, float]
    published_ns: int
    raised_ns: int
    updated_ns: int
    partition: int
    offset: int
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    reason: str = ""
    facility: str = ""
    green: bool = False
    held_until_ns: int | None = None
    silenced_until_ns: int | None = None
    joined: str = ""
    inhibited_by: str = ""
    grouped: str = ""
    others: int = 0
    calls: int = 0
    call_ns: int | None = None
    called: tuple[Called, ...] = ()
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What somebody says of an alert: see ``avro/Acknowledgement-4.avsc``."""

    id: str
    alert: str
    by: str
    reason: str
    at_ns: int
    act: Act = Act.ACKNOWLEDGE
    silent_s: float = 0.0
    team: str = ""
    facility: str = ""
    patient: str = ""
    account: str = ""
    call: int = 1


@dataclass(frozen=True, slots=True)
class Notification:
    """An entry of the pager's notification log: see ``avro/Notification-2.avsc``."""

    key: str
    alert: str
    what: str
    channel: str
    state: NotificationState
    attempts: int
    reason: str
    due_ns: int
    done_ns: int | None
    partition: int
    account: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch that the detectors went through without a break: see ``avro/Segment-1.avsc``."""

    device: str
    session: int
    lane: Lane
    from_sample: int
    from_ns: int
    to_sample: int | None
    to_ns: int | None
    start: Start
    settings: str
    partition: int
    offset: int
    generation: int
    version: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker must know to go on: see ``avro/Snapshot-2.avsc``."""

    kind: SnapshotKind
    lane: Lane
    device: str
    session: int
    sample: int
    offset: int
    generation: int
    version: str
    state: bytes
    controls: tuple[bytes, ...] = ()
    open: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """How a gateway stands: see ``avro/GatewayStatus-2.avsc``."""

    gateway: str
    time_ns: int
    devices: int
    spooled_records: int
    spooled_bytes: int
    oldest_ns: int | None
    backlog_records: int
    refused: int
    disk_free_bytes: int
    version: str
    lost_numbers: int = 0
    lost_wave_s: float = 0.0
    lost_ecg_s: float = 0.0
    lost_records: int = 0
    lost_ns: int | None = None
    clocks_off: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used, with the reason."""

    topic: str
    partition: int
    offset: int
    reason: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a gateway can never take, and why: see ``avro/Refusal-1.avsc``."""

    gateway: str
    time_ns: int
    device: str
    protocol: str
    message: str
    reason: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a gateway must know of a device: see ``avro/Enrolment-1.avsc``."""

    device: str
    kind: str
    facility: str
    shard: int
    leads: tuple[int, ...]
    key_digest: bytes
    certificate_subject: str
    disabled: bool
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The duty roster as it travels: see ``avro/Roster-1.avsc``."""

    version: str
    content: bytes
    published_ns: int
    published_by: str
