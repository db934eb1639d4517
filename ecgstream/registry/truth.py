"""What Kafka has to know of a device: its enrolment for gateways, the changes that its worker must hear."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg.rows import namedtuple_row

from ecgstream.registry import associations, limits, patients
from schemas.limits import DEFAULTS
from schemas.records import Association, Category, Change, Enrolled, Enrolment, Limits, Settings

NOBODY = Settings(Category.ADULT, paced=False)
"""How a device is watched that nobody wears."""


@dataclass(frozen=True, slots=True)
class Truth:
    """All of it, as the registry has it now."""

    enrolment: Enrolment
    """Its time is that of the telling, and not filled in yet."""
    changes: tuple[Change, ...]
    """In the order in which they must be told: a change of category resets the limits that follow it."""


def read(connection: psycopg.Connection, devices: Collection[str]) -> list[Truth]:
    """Return the truth about devices; call it within one snapshot (``REPEATABLE READ``)."""
    worn = associations.worn_now(connection, devices)
    wearers = {patient for patient in worn.values() if patient is not None}
    settings = patients.settings_of(connection, wearers)
    in_force = limits.in_force(connection, wearers)
    found = []
    for enrolment in _enrolments(connection, devices):
        patient = worn.get(enrolment.device)
        found.append(
            Truth(
                enrolment,
                (
                    Enrolled(enrolment.facility, enrolment.leads, enrolment.disabled),
                    Association(patient or ""),
                    settings[patient] if patient else NOBODY,
                    Limits(in_force[patient] if patient else DEFAULTS[NOBODY.category]),
                ),
            )
        )
    return found


def _enrolments(connection: psycopg.Connection, devices: Collection[str]) -> list[Enrolment]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows = cursor.execute(
            "SELECT e.device, e.kind, f.path::text, e.shard, e.leads, e.disabled,"
            " coalesce(e.key_digest, '') AS key_digest,"
            " coalesce(e.certificate_subject, '') AS certificate_subject"
            " FROM ecg.enrolment AS e JOIN ecg.facility AS f ON f.code = e.facility"
            " WHERE e.device = ANY(%s) ORDER BY e.device",
            (list(devices),),
        ).fetchall()
    return [
        Enrolment(
            device=row.device,
            kind=row.kind,
            facility=row.path,
            shard=row.shard,
            leads=tuple(row.leads),
            key_digest=row.key_digest,
            certificate_subject=row.certificate_subject,
            disabled=row.disabled,
            changed_ns=0,
        )
        for row in rows
    ]
