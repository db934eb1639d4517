"""Devices: what the registry knows of one, and how those enrolled become those that are wanted.

All of it is computed here, on plain values; ``device_store`` reads and writes them. What a device does, when
it was seen and how its clock and battery are, the sink keeps beside it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zlib import crc32

from cryptography import x509
from cryptography.x509.oid import NameOID

from ecgstream.registry import text
from ecgstream.registry.errors import RegistryError, RegistryErrors
from schemas import mdc

SHARDS = 4096
DEVICES_A_SHARD = 64
SILENT_AFTER = timedelta(seconds=30)
"""Longer than a gateway's flush and the sink's take together, several times over."""
_LONGEST_SUBJECT = 500


class Kind(StrEnum):
    """What a device is for."""

    BEDSIDE_MONITOR = "bedside_monitor"
    """Stands at a bed: several leads, pleth, respiration, pressures."""
    TRANSPORT_MONITOR = "transport_monitor"
    """A bedside monitor that goes with the patient, as in an ambulance."""
    DEFIBRILLATOR = "defibrillator"
    """Monitors, paces and shocks; artefacts of its own therapy are to be expected."""
    TELEMETRY = "telemetry"
    """Worn in hospital, by wires and radio."""
    HOLTER = "holter"
    """Worn for a day or more, by wires."""
    PATCH = "patch"
    """Worn for days on the skin, one or two leads."""
    EVENT_RECORDER = "event_recorder"
    """Sends single recordings when its wearer or its own detector asks; silent in between."""
    RESTING_ECG = "resting_ecg"
    """Twelve leads, ten seconds at a time; silent in between."""


class State(StrEnum):
    """How a device is now."""

    NEVER_SEEN = "never seen"
    STREAMING = "streaming"
    SILENT = "silent"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it is enrolled, or shall be; then ``None`` leaves what is there, or the default.

    Attributes:
        device: its id.
        facility: code of where it stands.
        kind: what it is.
        leads: MDC codes that it is expected to send.
        shard: 0 to 4095; decides the partition of all its data, and never changes.
        certificate_subject: of the certificate that its gateway must see, RFC 4514; empty: none.
        disabled: whether gateways refuse it.
    """

    device: str
    facility: str
    kind: Kind
    leads: tuple[int, ...]
    shard: int | None = None
    certificate_subject: str | None = None
    disabled: bool | None = None


FIELDS = tuple(Device.__dataclass_fields__)
"""The names of a device's fields, which are also the columns of its files."""
OPTIONAL = ("shard", "certificate_subject", "disabled")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a device that gets another value."""

    device: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How the devices that are enrolled become those wanted.

    Attributes:
        added: devices that come in, their shards decided.
        altered: those that get another value, with all their values.
        changed: what changes of these but the facility.
        moved: changes of the facility.
        unchanged: how many of those wanted are so already.
    """

    added: tuple[Device, ...]
    altered: tuple[Device, ...]
    changed: tuple[FieldChange, ...]
    moved: tuple[FieldChange, ...]
    unchanged: int

    @property
    def disabled(self) -> tuple[str, ...]:
        """Ids of devices whose monitoring would end."""
        return tuple(c.device for c in self.changed if c.field == "disabled" and c.after == "yes")

    @property
    def facilities(self) -> frozenset[str]:
        """Codes of the facilities that get, lose or have a device that changes."""
        there = {device.facility for device in (*self.added, *self.altered)}
        return frozenset(there | {change.before for change in self.moved})


def parse(fields: Mapping[str, str]) -> Device:
    """Return the device that texts describe: field to text, as a file or a command has them.

    An empty shard, certificate_subject or disabled leaves what is there. Leads are names with spaces between.

    Raises:
        RegistryErrors: everything that is wrong with it.
    """
    checks: dict[str, Callable[[str], Any]] = {
        "device": lambda value: text.device(text.clean(value, "device")),
        "facility": lambda value: text.code(value, "facility"),
        "kind": _kind,
        "leads": leads,
        "shard": lambda value: _shard(value) if value.strip() else None,
        "certificate_subject": lambda value: subject(value) or None,
        "disabled": lambda value: _yes_or_no(value) if value.strip() else None,
    }
    found: dict[str, Any] = {}
    wrong: list[tuple[int | str, str]] = []
    for name, check in checks.items():
        try:
            found[name] = check(fields[name])
        except RegistryError as error:
            wrong.append((text.shown(fields["device"]), str(error)))
    if wrong:
        raise RegistryErrors(wrong)
    return Device(**found)


def _kind(value: str) -> Kind:
    try:
        return Kind(value.strip().lower())
    except ValueError:
        raise RegistryError(f"kind: {text.shown(value)} is none of {', '.join(Kind)}") from None


@lru_cache(maxsize=1024)
def leads(value: str) -> tuple[int, ...]:
    """Return the MDC codes of leads by their names.

    Raises:
        RegistryError: a name is unknown, or a lead is there twice.

    >>> leads("II v1 MLIII")
    (131330, 131331, 131389)
    """
    if len(value) > text.LONGEST:
        raise RegistryError(f"leads: {len(value):,} characters, at most {text.LONGEST} are allowed")
    codes: list[int] = []
    for name in value.split():
        code = mdc.lead_code(name)
        if code == mdc.ECG and name.upper() != "ECG":
            raise RegistryError(
                f"leads: {text.shown(name)} is none of {' '.join(mdc.LEADS)} (or ECG, a lead without a name);"
                " between two leads stands a space"
            )
        if code in codes:
            raise RegistryError(f"leads: {mdc.lead_name(code)} is there twice")
        codes.append(code)
    return tuple(codes)


def _shard(value: str) -> int:
    plain = value.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 4 and int(plain) < SHARDS):
        raise RegistryError(f"shard: {text.shown(plain)} is no number from 0 to {SHARDS - 1}")
    return int(plain)


def subject(value: str) -> str:
    """Return the subject of a certificate as the registry writes it, RFC 4514; empty stays empty.

    Raises:
        RegistryError: it cannot be read, or holds what no name should.

    >>> subject("CN=mon-1,emailAddress=it@h1.example,C=CN")
    'CN=mon-1,1.2.840.113549.1.9.1=it@h1.example,C=CN'
    """
    what = "certificate_subject"
    given = text.clean(value, what, longest=_LONGEST_SUBJECT, empty=True)
    try:
        name = x509.Name.from_rfc4514_string(given, {"emailAddress": NameOID.EMAIL_ADDRESS})
    except ValueError as error:
        why = f" ({error})" if str(error) else ""
        raise RegistryError(
            f"{what}: {text.shown(given)} is no name after RFC 4514{why}, as CN=mon-1,O=Hospital,C=CN is;"
            " its attributes are CN, OU, O, L, ST, C, DC, UID, STREET, emailAddress, or numbers as 2.5.4.5"
        ) from None
    for attribute in name:
        text.clean(str(attribute.value), what, longest=_LONGEST_SUBJECT)  # without its escapes
    return name.rfc4514_string()


def _yes_or_no(value: str) -> bool:
    plain = value.strip().lower()
    if plain not in ("yes", "no"):
        raise RegistryError(f"disabled: {text.shown(value)} is neither yes nor no")
    return plain == "yes"


def as_texts(device: Device) -> dict[str, str]:
    """Return the texts from which ``parse`` makes this device."""
    return {
        "device": device.device,
        "facility": device.facility,
        "kind": str(device.kind),
        "leads": " ".join(map(mdc.lead_name, device.leads)),
        "shard": "" if device.shard is None else str(device.shard),
        "certificate_subject": device.certificate_subject or "",
        "disabled": "yes" if device.disabled else "no",
    }


def shard_of(facility: str, n: int) -> int:
    """Return the shard of a new device where ``n`` are enrolled at its facility already.

    A small facility is one shard, so that a gateway's flush is one record; a large one has several.
    """
    return crc32(f"{facility}/{n // DEVICES_A_SHARD}".encode()) % SHARDS


def plan(
    current: Mapping[str, Device],
    wanted: Sequence[Device],
    places: Mapping[str, int],
    owners: Mapping[str, str],
    where: Sequence[int | str] | None = None,
) -> Plan:
    """Return what has to be done so that devices are as they are wanted; others stay as they are.

    Args:
        current: id to device as it is enrolled, of those wanted.
        wanted: devices as they shall be.
        places: facility to number of devices enrolled there, of the facilities that are wanted.
        owners: certificate subject to id of the device that has it now, of the subjects that are wanted.
        where: what each is called in errors: its line in a file; otherwise its id.

    Raises:
        RegistryErrors: everything that cannot be.
    """
    wrong: list[tuple[int | str, str]] = []
    added, altered = [], []
    changes: list[FieldChange] = []
    enrolled = Counter(places)
    names = [device.device for device in wanted] if where is None else where
    first: dict[str, int | str] = {}  # id or subject to where it stands first
    for device, name in zip(wanted, names, strict=True):
        old = current.get(device.device)
        why = _refusal(device, old, places, owners, first)
        first |= {key: name for key in (device.device, device.certificate_subject) if key}
        if why:
            wrong.append((name, why))
        elif old is None:
            added.append(_new(device, enrolled[device.facility]))
            enrolled[device.facility] += 1
        else:
            merged = _merged(old, device)
            before, after = as_texts(old), as_texts(merged)
            if before != after:
                altered.append(merged)
            changes += [
                FieldChange(device.device, field, before[field], after[field])
                for field in FIELDS
                if before[field] != after[field]
            ]
    if wrong:
        raise RegistryErrors(wrong)
    return Plan(
        added=tuple(added),
        altered=tuple(altered),
        changed=tuple(change for change in changes if change.field != "facility"),
        moved=tuple(change for change in changes if change.field == "facility"),
        unchanged=len(wanted) - len(added) - len(altered),
    )


def _refusal(
    device: Device,
    old: Device | None,
    places: Mapping[str, int],
    owners: Mapping[str, str],
    first: Mapping[str, int | str],
) -> str:
    """Return why a device cannot be as it is wanted, or nothing."""
    subject = device.certificate_subject
    if device.device in first:
        return f"device {device.device} is there more than once (first: {_said(first[device.device])})"
    if device.facility not in places:
        return f"there is no facility {device.facility}"
    if old is not None and device.shard not in (None, old.shard):
        return f"the shard of device {device.device} is {old.shard} and never changes: leave it empty"
    if subject and subject in first:
        return f"the certificate subject is there more than once (first: {_said(first[subject])})"
    if subject and owners.get(subject, device.device) != device.device:
        return f"the certificate subject is that of device {owners[subject]}: take it from there first"
    return ""


def _said(where: int | str) -> str:
    return f"line {where}" if isinstance(where, int) else where


def _new(device: Device, n: int) -> Device:
    shard = shard_of(device.facility, n) if device.shard is None else device.shard
    subject = device.certificate_subject or ""
    return replace(device, shard=shard, certificate_subject=subject, disabled=bool(device.disabled))


def _merged(old: Device, device: Device) -> Device:
    kept = {name: getattr(old, name) for name in OPTIONAL if getattr(device, name) is None}
    return replace(device, **kept)


def state_of(device: Device, last_seen: datetime | None, now: datetime) -> State:
    """Return how a device is, by when a gateway saw it last."""
    if device.disabled:
        return State.DISABLED
    if last_seen is None:
        return State.NEVER_SEEN
    return State.SILENT if now - last_seen > SILENT_AFTER else State.STREAMING
