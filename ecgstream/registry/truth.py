"""What Kafka has to know of a device: its enrolment for gateways, the changes that its worker must hear."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg

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
    rows = connection.execute(
        "SELECT e.device, e.kind, f.path::text, e.shard, e.leads, coalesce(e.key_digest, ''),"
        " coalesce(e.certificate_subject, ''), e.disabled"
        " FROM ecg.enrolment AS e JOIN ecg.facility AS f ON f.code = e.facility"
        " WHERE e.device = ANY(%s) ORDER BY e.device",
        (list(devices),),
    )
    return [
        Enrolment(device, kind, path, shard, tuple(leads), digest, subject, disabled, changed_ns=0)
        for device, kind, path, shard, leads, digest, subject, disabled in rows
    ]
