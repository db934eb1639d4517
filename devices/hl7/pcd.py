"""An observation report of a monitor (IHE PCD-01, and WCM within it) as a reading.

What is not known, not valid or not certain is left out with its reason; the rest is taken. The patient's
segments (PID, PV1) are read past.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from devices.hl7 import codes
from devices.hl7.errors import Condition, Hl7Error, LeftOutError
from devices.hl7.message import Message, Segment, read, time_ns
from devices.hl7.units import unit_of
from devices.hl7.waves import Wave, channel_of, flags, measures_nothing, number
from devices.reading import Measured, Reading, Stretch
from schemas.checks import DEVICE_ID, MAX_CHANNELS
from schemas.mdc import UNITS
from schemas.records import ECG_KIND, Channel

MAX_CONTROL_ID = 199
"""HL7 v2.6, MSH-10."""
_TAKEN = ("F", "R", "")
"""OBX-11: final, raw; some monitors state none."""
_FOR_SHOW = frozenset({"TEST", "DEMO", "CAL"})
"""OBX-8 of what is measured on no patient (PCD TF-2, table B.8.5-6)."""
_NOTHING = range(0x7FFFFE, 0x800003)
"""The numbers by which IEEE 11073-20601 says "no number": some monitors let them through."""
_MOST_REASONS = 100
_EUI_64 = "EUI-64"


def reading_of(frame: bytes, zone: tzinfo) -> Reading:
    """Return what a message says.

    Args:
        frame: the message, without the frame of MLLP.
        zone: in which its times are that state none.

    Raises:
        Hl7Error: it is no such report, names no device, or tells of more than one patient.
    """
    message = read(frame)
    _check_head(message.header)
    if message.patients > 1:
        raise Hl7Error("more than one patient in a message", Condition.DATA_TYPE_ERROR, "PID^2")
    left_out = _Reasons()
    segments = list(_whole(message, left_out))
    device, system = _source(message.header, segments)
    report = _Report(zone, system, left_out)
    for segment in segments:
        report.take(segment)
    report.end_of_group()
    sent = time_ns(message.header.text(7), zone)
    if sent is None and message.header[7]:
        left_out.add("MSH-7 is no time")
    return Reading(
        device, message.header.text(10), sent, report.stretches(), report.numbers(), left_out.told()
    )


def _check_head(head: Segment) -> None:
    kind, event = [*head.components(9), ""][:2]
    control = head.text(10)
    if kind != "ORU":
        raise Hl7Error("not an ORU message", Condition.UNSUPPORTED_MESSAGE_TYPE, "MSH^1^9", rejected=True)
    if event != "R01":
        raise Hl7Error("not event R01", Condition.UNSUPPORTED_EVENT_CODE, "MSH^1^9", rejected=True)
    if head.text(11) not in ("P", ""):
        raise Hl7Error("not of production", Condition.UNSUPPORTED_PROCESSING_ID, "MSH^1^11", rejected=True)
    if not head.text(12).startswith("2."):
        raise Hl7Error("not HL7 v2", Condition.UNSUPPORTED_VERSION_ID, "MSH^1^12", rejected=True)
    if not control:
        raise Hl7Error("no control id", Condition.REQUIRED_FIELD_MISSING, "MSH^1^10", rejected=True)
    if len(control) > MAX_CONTROL_ID or not control.isprintable():
        raise Hl7Error("a control id that is none", Condition.DATA_TYPE_ERROR, "MSH^1^10", rejected=True)


def _whole(message: Message, left_out: "_Reasons") -> Iterator[Segment]:
    for segment in message.segments():
        if isinstance(segment, Segment):
            yield segment
            continue
        name, position = segment
        if name == "OBR":
            raise Hl7Error("not in its character set", Condition.DATA_TYPE_ERROR, f"OBR^{position}")
        left_out.add(f"OBX {position}: not in the message's character set")


def _source(head: Segment, segments: list[Segment]) -> tuple[str, str]:
    """Return which device tells, and the first number of OBX-4 of what it tells.

    OBX-18 of the device system (sub-id n.0.0.0) says it, else OBX-18 of what it measured (PCD TF-2, B.8);
    else MSH-3, the application that sends, or MSH-4 where that is an EUI-64. OBR-10 may name a person (the
    collector), so it is never looked at.

    Raises:
        Hl7Error: nothing says it, or two devices are named, whose patients would be one.
    """
    observed = [s for s in segments if s.fields[0] == "OBX"]
    named = [s for s in observed if s[18]]
    tops = [s for s in named if s.text(4).endswith(".0.0.0")] or named
    system = next((system for s in tops or observed if (system := _system(s))), "")
    devices = {_equipment(s) for s in tops if _system(s) == system}
    if len(devices) > 1:
        raise Hl7Error("more than one device in a message", Condition.DATA_TYPE_ERROR, "OBX^1^18")
    if devices:
        return devices.pop(), system
    if head.text(3):
        return _device(head.components(3), 1, "MSH^1^3"), system
    if head.components(4)[2:3] == [_EUI_64]:
        return _device(head.components(4), 1, "MSH^1^4"), system
    raise Hl7Error("no device is named (OBX-18, MSH-3)", Condition.REQUIRED_FIELD_MISSING, "MSH^1^3")


def _system(segment: Segment) -> str:
    """Return which device system an OBX is of; empty where OBX-4 does not say it."""
    system, *rest = segment.text(4).split(".")
    return system if len(rest) >= len(("VMD", "channel", "metric")) else ""


def _equipment(segment: Segment) -> str:
    """Return the device of OBX-18: of its repetitions, which go from the module upwards, the last EUI-64."""
    named = segment.repeated(18)
    universal = [one for one in named if one[3:4] == [_EUI_64]]
    return _device((universal or named)[-1], 2, f"OBX^{segment.position}^18")


def _device(components: list[str], universal_at: int, at: str) -> str:
    """Return the id in EI or HD: the EUI-64 where there is one, else the first component."""
    universal, scheme = [*components[universal_at:], "", ""][:2]
    device = universal if scheme == _EUI_64 else components[0]
    if not DEVICE_ID.fullmatch(device):
        raise Hl7Error("a device id that is none", Condition.DATA_TYPE_ERROR, at)
    return device


class _Reasons:
    """What was left out; bounded, since a message may be nothing else."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}
        self._more = 0

    def add(self, reason: str) -> None:
        if len(self._told) < _MOST_REASONS:
            self._told[reason] = None
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        return (*self._told, *([f"and {self._more} more"] if self._more else []))


class _Report:
    """Takes OBR and OBX in their order."""

    def __init__(self, zone: tzinfo, system: str, left_out: _Reasons) -> None:
        self._zone = zone
        self._system = system
        self._left_out = left_out
        self._began: int | None = None
        self._times: dict[str, int | None] = {}  # of systems, modules and channels, by OBX-4
        self._waves: dict[str, Wave] = {}  # of this OBR, by OBX-4
        self._facets: list[tuple[str, Segment]] = []
        self._numbers: list[Measured] = []
        self._channels: defaultdict[int, list[Channel]] = defaultdict(list)

    def take(self, segment: Segment) -> None:
        """Take a segment."""
        if segment.fields[0] == "OBR":
            self.end_of_group()
            self._began = time_ns(segment.text(7), self._zone)
            return
        try:
            self._observe(segment)
        except LeftOutError as reason:
            self._left_out.add(f"OBX {segment.position}: {reason}")

    def _observe(self, segment: Segment) -> None:
        sub_id, form = segment.text(4), segment.text(2)
        system = _system(segment)
        if self._system and system and system != self._system:
            raise LeftOutError("of another device in the same message")
        if sub_id.endswith(".0"):  # a device system, a module or a channel (B.8.3)
            if segment[14]:
                self._times[sub_id] = time_ns(segment.text(14), self._zone)
            return
        facet = codes.facet_of(segment)
        if facet is not None:
            self._facets.append((facet, segment))
        elif form == "NM":
            self._numbers.append(self._number(segment))
        elif form == "NA":
            self._wave(segment, sub_id)
        else:
            raise LeftOutError("neither number nor wave (NM, NA)")

    def _number(self, segment: Segment) -> Measured:
        code = codes.NUMBERS[codes.code_of(segment, codes.NUMBERS)]
        if segment.text(11) not in _TAKEN or measures_nothing(segment):
            raise LeftOutError(f"{code}: nothing measured (OBX-8, OBX-11)")
        self._refuse_for_show(segment)
        value, unit = number(segment.text(5)), unit_of(segment.components(6))
        if value in _NOTHING:
            raise LeftOutError(f"{code}: nothing measured")
        if unit is None or unit.name != UNITS[code]:
            raise LeftOutError(f"{code}: not in a unit of {UNITS[code]}")
        return Measured(self._time(segment), code, unit.converted(value))

    def _wave(self, segment: Segment, sub_id: str) -> None:
        code = codes.code_of(segment, codes.WAVES)
        is_off = measures_nothing(segment)
        # An invalid wave (X with a reason) stays a channel, so that a lead that falls off begins no session.
        if segment.text(11) not in _TAKEN and not (segment.text(11) == "X" and is_off):
            raise LeftOutError(f"{code}: nothing measured (OBX-11)")
        self._refuse_for_show(segment)
        if sub_id in self._waves:
            raise LeftOutError(f"{code}: the same OBX-4 as another wave")
        self._waves[sub_id] = Wave(segment, code, self._time(segment), is_off)

    @staticmethod
    def _refuse_for_show(segment: Segment) -> None:
        if not _FOR_SHOW.isdisjoint(flags(segment)):
            raise LeftOutError("test, demonstration or calibration (OBX-8)")

    def _time(self, segment: Segment) -> int:
        """Return when it was measured: by itself, else by what it is part of (PCD TF-2, B.8, OBX-14)."""
        own = segment.text(14)
        found = time_ns(own, self._zone) if own else self._inherited(segment.text(4))
        if found is None:
            raise LeftOutError("no time (OBX-14, OBR-7)")
        return found

    def _inherited(self, sub_id: str) -> int | None:
        """Return the time of the channel, module or system, the nearest that has one, else that of OBR."""
        levels = sub_id.split(".")[:4]
        for level in range(len(levels) - 1, 0, -1):
            levels[level] = "0"
            if (above := ".".join(levels)) in self._times:
                return self._times[above]
        return self._began

    def end_of_group(self) -> None:
        """Join waves and facets of an OBR: a facet's OBX-4 begins with its wave's (1.1.1.7.2, 1.1.1.7)."""
        for name, segment in self._facets:
            facet_of, _, _ = segment.text(4).rpartition(".")
            for sub_id in (facet_of, facet_of.rpartition(".")[0]):  # a facet, or a facet's facet
                if sub_id in self._waves:
                    self._waves[sub_id].facets[name].append(segment)
                    break
        for wave in self._waves.values():
            where = f"OBX {wave.segment.position}: {wave.code}"
            try:
                channel, notes = channel_of(wave)
            except LeftOutError as reason:
                self._left_out.add(f"{where}: {reason}")
                continue
            self._channels[wave.start_ns].append(channel)
            for note in notes:
                self._left_out.add(f"{where}: {note}")
        self._waves, self._facets, self._times, self._began = {}, [], {}, None

    def numbers(self) -> tuple[Measured, ...]:
        """Return what was measured, in the order of time."""
        return tuple(sorted(self._numbers, key=lambda n: n.time_ns))  # stable

    def stretches(self) -> tuple[Stretch, ...]:
        """Return the waves that begin together, ECG first, in the order of time."""
        return tuple(
            Stretch(start_ns, tuple(self._together(self._channels[start_ns])))
            for start_ns in sorted(self._channels)
        )

    def _together(self, channels: Iterable[Channel]) -> Iterator[Channel]:
        """Yield those of one time: each wave once, and all as long as channel 0."""
        ordered = sorted(channels, key=lambda c: c.kind != ECG_KIND)  # stable
        first, seen = ordered[0], set[int]()
        for channel in ordered:
            apart = abs(channel.samples.size / channel.rate - first.samples.size / first.rate)
            if channel.code in seen:
                self._left_out.add(f"{channel.code}: twice at the same time")
            elif apart > 1 / channel.rate + 1 / first.rate:
                self._left_out.add(f"{channel.code}: not as long as the first wave of its time")
            elif len(seen) == MAX_CHANNELS:
                self._left_out.add(f"{channel.code}: more than {MAX_CHANNELS} waves")
            else:
                seen.add(channel.code)
                yield channel
