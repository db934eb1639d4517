"""Patients: their pseudonym, under which all their data run, the facility that answers, and the settings."""

from collections.abc import Collection

import psycopg

from schemas.records import Category, Settings


def settings_of(connection: psycopg.Connection, patients: Collection[str]) -> dict[str, Settings]:
    """Return the settings of patients by pseudonym; those who are not registered are left out."""
    rows = connection.execute(
        "SELECT patient, category, paced FROM ecg.patient WHERE patient = ANY(%s)", (list(patients),)
    )
    return {patient: Settings(Category(category), paced) for patient, category, paced in rows}
