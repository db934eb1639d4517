"""Records to bytes and back, in Avro's single-object encoding.

``encode`` and ``decode`` know every twin: the rows of ``schemas.records`` and the columnar batches of
``schemas.bundle`` and ``schemas.batches``. Whatever cannot be decoded raises ``BadRecordError`` and
nothing else.

>>> from schemas.records import Vital
>>> decode(encode(Vital("dev-1", 1, 1_700_000_000_000_000_000, 150456, 97.0))).value
97.0
"""

import io
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

import numpy as np
from fastavro import schemaless_reader, schemaless_writer

from schemas import audit, batches, records
from schemas.bundle import Bundle
from schemas.checks import check_control, check_enrolment, check_packet
from schemas.errors import BadRecordError
from schemas.registry import HEADER_BYTES, newest, writer_of

Record = (
    records.Packet
    | records.Vital
    | records.Control
    | records.Condition
    | records.Alert
    | records.Acknowledgement
    | records.Notification
    | records.Segment
    | records.Snapshot
    | records.GatewayStatus
    | records.DeadLetter
    | records.Refusal
    | records.Enrolment
    | records.Roster
    | audit.AuditEntry
    | audit.AuditHead
    | Bundle
    | batches.Batch
)

T = TypeVar("T")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def _shallow(record: Any) -> dict[str, Any]:
    kind: Any = type(record)
    return {name: getattr(record, name) for name in _names(kind)}


def _packet_to_avro(packet: records.Packet) -> dict[str, Any]:
    channels = [_shallow(c) | {"samples": c.samples.astype("<i2").tobytes()} for c in packet.channels]
    return _shallow(packet) | {"channels": channels}


def _packet_from_avro(data: dict[str, Any]) -> records.Packet:
    for channel in data["channels"]:
        if len(channel["samples"]) % 2:
            raise BadRecordError("half a sample at a channel's end")
        channel["samples"] = np.frombuffer(channel["samples"], "<i2")
    packet = records.Packet(**data | {"channels": [records.Channel(**c) for c in data["channels"]]})
    check_packet(packet)
    return packet


def _control_to_avro(control: records.Control) -> dict[str, Any]:
    change = _shallow(control.change)
    if isinstance(control.change, records.Limits):
        change["limits"] = [_shallow(limit) for limit in control.change.limits]
    return _shallow(control) | {"change": (f"ecgstream.{type(control.change).__name__}", change)}


_CHANGES: dict[str, Callable[[dict[str, Any]], records.Change]] = {
    "ecgstream.Association": lambda data: records.Association(**data),
    "ecgstream.Limits": lambda data: records.Limits(tuple(records.Limit(**row) for row in data["limits"])),
    "ecgstream.Settings": lambda data: records.Settings(
        records.Category(data["category"]), data["paced"], records.News2(data["news2"])
    ),
    "ecgstream.Enrolled": lambda data: records.Enrolled(**data | {"leads": tuple(data["leads"])}),
    "ecgstream.BacklogEnd": lambda data: records.BacklogEnd(**data),
    "ecgstream.ClockCorrection": lambda data: records.ClockCorrection(**data),
    "ecgstream.LinkDown": lambda data: records.LinkDown(**data),
}


def _control_from_avro(data: dict[str, Any]) -> records.Control:
    name, change = data["change"]
    control = records.Control(**data | {"change": _CHANGES[name](change)})
    check_control(control)
    return control


def _enrolment_from_avro(data: dict[str, Any]) -> records.Enrolment:
    enrolment = records.Enrolment(**data | {"leads": tuple(data["leads"])})
    check_enrolment(enrolment)
    return enrolment


def _condition_from_avro(data: dict[str, Any]) -> records.Condition:
    return records.Condition(
        **data | {"phase": records.Phase(data["phase"]), "lane": records.Lane(data["lane"])}
    )


def _alert_to_avro(alert: records.Alert) -> dict[str, Any]:
    lists = {"called": [_shallow(c) for c in alert.called], "history": [_shallow(c) for c in alert.history]}
    return _shallow(alert) | lists


def _alert_from_avro(data: dict[str, Any]) -> records.Alert:
    states = {"priority": records.Priority(data["priority"]), "state": records.AlertState(data["state"])}
    lists = {
        "called": tuple(records.Called(**row) for row in data["called"]),
        "history": tuple(records.Turn(**row) for row in data["history"]),
    }
    return records.Alert(**data | states | lists)


def _acknowledgement_from_avro(data: dict[str, Any]) -> records.Acknowledgement:
    return records.Acknowledgement(**data | {"act": records.Act(data["act"])})


def _notification_from_avro(data: dict[str, Any]) -> records.Notification:
    return records.Notification(**data | {"state": records.NotificationState(data["state"])})


def _segment_from_avro(data: dict[str, Any]) -> records.Segment:
    told = {"lane": records.Lane(data["lane"]), "start": records.Start(data["start"])}
    return records.Segment(**data | told)


def _snapshot_from_avro(data: dict[str, Any]) -> records.Snapshot:
    # Version 1 told a position by its empty device.
    kind = records.SnapshotKind(data["kind"] if data["device"] else "POSITION")
    lists = {"controls": tuple(data["controls"]), "open": tuple(data["open"])}
    return records.Snapshot(**data | lists | {"kind": kind, "lane": records.Lane(data["lane"])})


_TO_AVRO: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Packet": _packet_to_avro,
    "Control": _control_to_avro,
    "Alert": _alert_to_avro,
}
_FROM_AVRO: dict[str, Callable[[dict[str, Any]], Record]] = {
    "Packet": _packet_from_avro,
    "Vital": lambda data: records.Vital(**data),
    "Control": _control_from_avro,
    "Condition": _condition_from_avro,
    "Alert": _alert_from_avro,
    "Acknowledgement": _acknowledgement_from_avro,
    "Notification": _notification_from_avro,
    "Segment": _segment_from_avro,
    "Snapshot": _snapshot_from_avro,
    "GatewayStatus": lambda data: records.GatewayStatus(**data),
    "DeadLetter": lambda data: records.DeadLetter(**data),
    "Refusal": lambda data: records.Refusal(**data),
    "Enrolment": _enrolment_from_avro,
    "Roster": lambda data: records.Roster(**data),
    "AuditEntry": lambda data: audit.AuditEntry(**data),
    "AuditHead": lambda data: audit.AuditHead(**data),
}


def encode(record: Record) -> bytes:
    """Return ``record`` as bytes, written with the newest version of its schema.

    Raises:
        BadRecordError: a field is absurd (a packet without channels, a gain of NaN, …).
    """
    if isinstance(record, Bundle | batches.Batch):
        return record.encode()
    if isinstance(record, records.Packet):
        check_packet(record)
    if isinstance(record, records.Control):
        check_control(record)
    if isinstance(record, records.Enrolment):
        check_enrolment(record)
    name = type(record).__name__
    schema = newest(name)
    out = io.BytesIO()
    out.write(schema.header)
    schemaless_writer(out, schema.parsed, _TO_AVRO.get(name, _shallow)(record))
    return out.getvalue()


def decode(data: bytes | memoryview) -> Record:
    """Return the record that ``data`` holds, read with the newest version of its schema.

    Raises:
        BadRecordError: ``data`` is no record of ours.
    """
    writer = writer_of(data)
    if writer.name == "Bundle":
        return Bundle.decode(data, writer)
    if writer.name in batches.BATCHES:
        return batches.BATCHES[writer.name].decode(data, writer)
    body = io.BytesIO(data[HEADER_BYTES:])
    try:
        # The names tell the records of a union apart: the changes of a control record.
        # Resolving a schema into itself would cost as much as reading.
        reader = newest(writer.name)
        resolved = None if reader is writer else reader.parsed
        row = schemaless_reader(body, writer.parsed, resolved, return_record_name=True)
        record = _FROM_AVRO[writer.name](row)  # type: ignore[arg-type]
    except BadRecordError:
        raise
    except (
        Exception
    ) as error:  # fastavro raises EOFError, IndexError, ValueError, struct.error, UnicodeDecodeError …
        raise BadRecordError(f"{writer.name}: {type(error).__name__}: {error}") from error
    if body.read(1):
        raise BadRecordError(f"{writer.name}: bytes left over behind the record")
    return record


def decode_as(kind: type[T], data: bytes | memoryview) -> T:
    """Return the record that ``data`` holds where it is a ``kind``.

    Raises:
        BadRecordError: it is none of ours, or of another kind.
    """
    record = decode(data)
    if not isinstance(record, kind):
        raise BadRecordError(f"a {type(record).__name__} where a {kind.__name__} belongs")
    return record
