"""From readings, which have no sessions, to the packets of sessions; pure.

Protocols made for numbers (HL7 v2, FHIR) send waves as messages with a time and nothing else. What follows
when is told by these rules, for each device by itself:

* A message that was here before changes nothing.
* Waves go on where the ones before ended, if they are the same channels, with the same rates, gains, units
  and filters, and begin within ``JITTER_S`` of there by the device's clock. Their samples follow without a
  hole: a clock that says a little less or more than the samples is no gap.
* If they begin later, and the gateway's clock agrees that so much time went by (within ``STEP_S``), samples
  are missing: ``first_sample`` jumps by as many.
* All else begins a new session: other channels, a clock that was set, a hole of more than ``LONGEST_HOLE_S``.
  A session is named by the time at which it began, or later, so that the next one is always greater.

What must be known to go on behind a restart is a few numbers a device, as bytes; the spool keeps them beside
the records that they are of.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b

from devices.reading import Reading, Stretch
from schemas.records import Channel, Packet, Vital

JITTER_S = 0.5
STEP_S = 1.0
"""A clock that is off by more than this from one message to the next was set."""
LONGEST_HOLE_S = 3600.0
REMEMBERED = 32
"""Messages a device whose repetition is known: more than a connection has unanswered."""
_NS = 1_000_000_000

Item = Packet | Vital


@dataclass(slots=True)
class Course:
    """How far a device has come.

    Attributes:
        session: its newest.
        seq: of the next packet; 0: the session has had no waves.
        next_sample: where these go on, at the rate of channel 0.
        end_ns: when they end, by the device's clock.
        received_ns: when they came, by the gateway's.
        layout: digest of their channels.
        messages: ids of the newest, the oldest first.
    """

    session: int = 0
    seq: int = 0
    next_sample: int = 0
    end_ns: int = 0
    received_ns: int = 0
    layout: str = ""
    messages: list[str] = field(default_factory=list)


class Sessions:
    """What a gateway knows of its devices' sessions; ``known``: by device, what ``kept`` gave."""

    def __init__(self, known: Mapping[str, bytes] | None = None) -> None:
        self._courses = {device: Course(**json.loads(value)) for device, value in (known or {}).items()}

    def take(self, reading: Reading, received_ns: int, check: Callable[[Item], object]) -> list[Item]:
        """Return what a reading is in packets and numbers; nothing: it was here before, or is empty.

        ``check`` raises where no device can mean one of them; then nothing has changed.
        """
        course = replace(self._courses.get(reading.device, Course()))
        if reading.message in course.messages:
            return []
        course.messages = [*course.messages, reading.message][-REMEMBERED:]
        items: list[Item] = [self._packet(course, reading.device, s, received_ns) for s in reading.stretches]
        items += self._numbers(course, reading)
        for item in items:
            check(item)
        self._courses[reading.device] = course
        return items

    def kept(self, device: str) -> bytes:
        """Return what must be known of a device to go on."""
        return json.dumps(asdict(self._courses[device])).encode()

    def _packet(self, course: Course, device: str, stretch: Stretch, received_ns: int) -> Packet:
        first = stretch.channels[0]
        missing = self._missing(course, stretch, received_ns)
        if missing is None:
            course.session, course.seq = max(stretch.start_ns, course.session + 1), 0
            course.next_sample = missing = 0
        at, samples = course.next_sample + missing, first.samples.size
        packet = Packet(
            device,
            course.session,
            course.seq,
            at,
            stretch.start_ns,
            received_ns,
            list(stretch.channels),
            list(stretch.pace_marks),
        )
        course.seq += 1
        course.next_sample = at + samples
        course.end_ns = stretch.start_ns + round(samples / first.rate * _NS)
        course.received_ns, course.layout = received_ns, _layout(stretch.channels)
        return packet

    def _missing(self, course: Course, stretch: Stretch, received_ns: int) -> int | None:
        """Return how many samples are missing before a stretch; ``None``: it begins a new session."""
        if course.seq == 0 or course.layout != _layout(stretch.channels):
            return None
        late_s = (stretch.start_ns - course.end_ns) / _NS
        if abs(late_s) <= JITTER_S:
            return 0
        length_s = stretch.channels[0].samples.size / stretch.channels[0].rate
        passed_s = (received_ns - course.received_ns) / _NS - length_s
        if not 0 < late_s <= LONGEST_HOLE_S or abs(late_s - passed_s) > STEP_S:
            return None
        return round(late_s * stretch.channels[0].rate)

    def _numbers(self, course: Course, reading: Reading) -> Iterator[Vital]:
        if reading.numbers and course.session == 0:  # a device without waves: it has one session
            course.session = reading.numbers[0].time_ns
        for time_ns, code, value in reading.numbers:
            yield Vital(reading.device, course.session, time_ns, code, value)


def _layout(channels: tuple[Channel, ...]) -> str:
    told = [
        (c.code, c.kind, c.unit, c.rate, c.gain, c.offset, c.high_pass, c.low_pass, c.notch) for c in channels
    ]
    return blake2b(repr(told).encode(), digest_size=8).hexdigest()
