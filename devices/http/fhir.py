"""FHIR Observations as readings: waves (SampledData) and numbers (Quantity), of R5 and of R4.

An Observation is read thinly: what is named below is looked at, all else is read past and never kept: so
``subject``, ``performer``, ``note``, ``text`` and every identifier but the device's. What FHIR forbids to
read past (``modifierExtension``, ``implicitRules``) refuses the message.

Codes are MDC's (11073-10101, as numbers), or LOINC's of FHIR's vital signs. LOINC has no code of an ECG lead
that could be verified.

>>> said = b'''{"resourceType": "Observation", "status": "final", "device": {"reference": "Device/dev-1"},
...   "effectiveDateTime": "2026-11-28T10:00:00Z", "subject": {"display": "Jane Doe"},
...   "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
...   "valueQuantity": {"value": 71, "system": "http://unitsofmeasure.org", "code": "/min"}}'''
>>> reading(said).numbers[0].value
71.0
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from devices.errors import MessageError
from devices.http.decoding import decoded
from devices.http.sampled import Quantity, SampledData, channel, ucum
from devices.http.terms import LOINC_NUMBERS, number
from devices.http.times import moment_ns
from devices.reading import Measured, Reading, Stretch
from schemas.checks import DEVICE_ID, MAX_CHANNELS
from schemas.records import Channel

MDC_SYSTEMS = ("urn:iso:std:iso:11073:10101", "urn:oid:2.16.840.1.113883.6.24")
LOINC_SYSTEM = "http://loinc.org"

_STATES = {"preliminary", "final", "amended", "corrected"}
_MDC_CODE = re.compile(r"[0-9]{1,10}")
_MOST_PARTS = 256


class _Coding(Struct, frozen=True):
    system: str = ""
    code: str = ""


class _Concept(Struct, frozen=True):
    coding: list[_Coding] = []


class _Identifier(Struct, frozen=True):
    value: str = ""


class _Reference(Struct, frozen=True):
    reference: str = ""
    identifier: _Identifier = _Identifier()


class _Period(Struct, frozen=True):
    start: str = ""


class _Part(Struct, rename="camel", frozen=True):
    """What an Observation and its components have in common."""

    code: _Concept = _Concept()
    value_quantity: Quantity | None = None
    value_sampled_data: SampledData | None = None
    modifier_extension: list[Raw] = []


class _Observation(_Part, rename="camel", frozen=True):
    resource_type: str = ""
    implicit_rules: str = ""
    status: str = ""
    device: _Reference = _Reference()
    issued: str = ""
    effective_date_time: str = ""
    effective_instant: str = ""
    effective_period: _Period = _Period()
    component: Annotated[list[_Part], Meta(max_length=_MOST_PARTS)] = []


_OBSERVATION = msgspec.json.Decoder(_Observation)


def reading(body: bytes) -> Reading:
    """Return what an Observation says. Its id follows from what is kept of it.

    Raises:
        MessageError: it is no Observation that may be read, or nothing in it is known here.
    """
    said = decoded(_OBSERVATION, body)
    _check_may_be_read(said)
    device, start_ns = _device(said.device), _start_ns(said)
    channels: list[Channel] = []
    numbers: list[Measured] = []
    left_out: list[str] = []
    for where, part in _parts(said):
        try:
            lost = _read(part, start_ns, channels, numbers)
        except MessageError as error:
            left_out.append(f"{where}: {error}")
        else:
            left_out += [f"{where}: {lost} samples beyond 16 bits"] if lost else []
    stretches = _stretches(start_ns, channels, left_out)
    if not stretches and not numbers:
        raise MessageError(f"nothing that is known here ({'; '.join(left_out[:3]) or 'no value'})")
    return Reading(
        device,
        _message_id(device, stretches, numbers),
        moment_ns(said.issued) if said.issued else None,
        stretches,
        tuple(numbers),
        tuple(left_out),
    )


def _check_may_be_read(said: _Observation) -> None:
    if said.resource_type != "Observation":
        raise MessageError("an Observation is wanted")
    if said.status not in _STATES:
        raise MessageError(f"status is one of {', '.join(sorted(_STATES))}: what was withdrawn is not taken")
    if said.implicit_rules or any(part.modifier_extension for _, part in _parts(said)):
        raise MessageError("implicitRules or modifierExtension, which nothing here understands")


def _device(said: _Reference) -> str:
    """Return the device's id: its identifier, or the last part of a reference as ``Device/dev-1``."""
    kind, _, last = said.reference.rpartition("/")
    device = said.identifier.value or (last if kind.rpartition("/")[2] == "Device" else "")
    if not DEVICE_ID.fullmatch(device):
        raise MessageError("device is wanted, with the identifier by which it is enrolled, or Device/ID")
    return device


def _start_ns(said: _Observation) -> int:
    found = said.effective_period.start or said.effective_instant or said.effective_date_time
    if not found:
        raise MessageError("effectivePeriod.start, effectiveInstant or effectiveDateTime is wanted")
    return moment_ns(found)


def _parts(said: _Observation) -> Iterator[tuple[str, _Part]]:
    yield "Observation", said
    for i, part in enumerate(said.component):
        yield f"component[{i}]", part


def _read(part: _Part, at_ns: int, channels: list[Channel], numbers: list[Measured]) -> int:
    """Add what a part has measured; return how many samples do not fit. Without a value it adds nothing."""
    lost = 0
    if part.value_sampled_data is not None:
        wave, lost = channel(_code(part.code), part.value_sampled_data)
        channels.append(wave)
    if part.value_quantity is not None:
        code, quantity = _code(part.code), part.value_quantity
        if quantity.value is None or quantity.comparator:
            raise MessageError("a value without comparator is wanted")
        numbers.append(Measured(at_ns, code, number(code, quantity.value, ucum(quantity))))
    return lost


def _code(concept: _Concept) -> int:
    """Return the MDC code of a concept: its own, or that of its LOINC code."""
    for coding in concept.coding:
        if coding.system in MDC_SYSTEMS and _MDC_CODE.fullmatch(coding.code):
            return int(coding.code)
    for coding in concept.coding:
        if coding.system == LOINC_SYSTEM and coding.code in LOINC_NUMBERS:
            return LOINC_NUMBERS[coding.code]
    raise MessageError("no code of MDC as a number, and none of LOINC that is known here")


def _stretches(start_ns: int, channels: list[Channel], left_out: list[str]) -> tuple[Stretch, ...]:
    """Return the waves that cover the same time as the first, ECG leads before others."""
    together = []
    ordered = sorted(channels, key=lambda c: c.kind)
    for one in ordered[:MAX_CHANNELS]:
        first = ordered[0]  # the samples are counted at its rate
        apart_s = abs(one.samples.size / one.rate - first.samples.size / first.rate)
        if apart_s > 1 / one.rate + 1 / first.rate:
            left_out.append(f"a wave of code {one.code}: it covers another time than the first")
        else:
            together.append(one)
    if len(ordered) > MAX_CHANNELS:
        left_out.append(f"waves beyond {MAX_CHANNELS}")
    return (Stretch(start_ns, tuple(together)),) if together else ()


def _message_id(device: str, stretches: Sequence[Stretch], numbers: Sequence[Measured]) -> str:
    """Return an id in which nothing of a patient is: an Observation's own may hold the patient's."""
    digest = hashlib.sha256(device.encode())
    for stretch in stretches:
        for one in stretch.channels:
            digest.update(f"\n{stretch.start_ns} {one.code} {one.rate} {one.gain} {one.offset}\n".encode())
            digest.update(one.samples.tobytes())
    digest.update("".join(f"\n{n.time_ns} {n.code} {n.value}" for n in numbers).encode())
    return digest.hexdigest()


class Issue(Struct, frozen=True):
    """An issue of an OperationOutcome: ``severity`` and ``code`` as FHIR's value sets have them."""

    severity: str
    code: str
    diagnostics: str


def outcome(issues: Sequence[Issue]) -> bytes:
    """Return an OperationOutcome as JSON."""
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": issues})
