"""What a device's message says, whatever protocol it came by; before it has a session."""

from dataclasses import dataclass
from typing import NamedTuple

from schemas.records import Channel


class Measured(NamedTuple):
    """A number: when, by the device's clock (UTC ns), what (MDC), in the unit of ``schemas.mdc.UNITS``."""

    time_ns: int
    code: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """All waves of a device over one time; ECG leads come first, since channel 0 counts the samples.

    ``start_ns``: of the first sample, by the device's clock, UTC ns. ``pace_marks``: samples of channel 0.
    """

    start_ns: int
    channels: tuple[Channel, ...]
    pace_marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one message says; nothing in it tells who the patient is.

    Attributes:
        device: as the message names it.
        message: its id; the same one twice is one message.
        sent_ns: when it was made, by the device's clock, UTC ns; None: it does not say.
        stretches: in their order in time.
        numbers: likewise.
        left_out: what of it could not be taken, each with the reason; without values.
    """

    device: str
    message: str
    sent_ns: int | None
    stretches: tuple[Stretch, ...] = ()
    numbers: tuple[Measured, ...] = ()
    left_out: tuple[str, ...] = ()
