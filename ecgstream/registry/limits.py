"""The alarm limits of a patient: those of the category, and over them what somebody has changed."""

from collections.abc import Collection

import psycopg

from schemas.limits import DEFAULTS
from schemas.records import Category, Limit


def in_force(connection: psycopg.Connection, patients: Collection[str]) -> dict[str, tuple[Limit, ...]]:
    """Return all limits that hold for each patient, in the order of the defaults.

    Those who are not registered are left out.
    """
    rows = connection.execute(
        "SELECT p.patient, p.category, l.code, l.low, l.high FROM ecg.patient AS p"
        " LEFT JOIN LATERAL (SELECT DISTINCT ON (code) code, low, high, is_default FROM ecg.limit_change"
        "  WHERE patient = p.patient ORDER BY code, id DESC) AS l ON NOT l.is_default"
        " WHERE p.patient = ANY(%s)",
        (list(patients),),
    )
    found: dict[str, dict[int, Limit]] = {}
    for patient, category, code, low, high in rows:
        limits = found.setdefault(patient, {limit.code: limit for limit in DEFAULTS[Category(category)]})
        if code is not None:
            limits[code] = Limit(code, low, high)
    return {patient: tuple(limits.values()) for patient, limits in found.items()}
