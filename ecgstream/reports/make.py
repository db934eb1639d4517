"""From the store to a written report."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from ecgstream.reports import content, document, fhir, stored
from ecgstream.reports.words import Language

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
"""Gets what is gone through and a title, and gives it back one by one."""


class Wanted(NamedTuple):
    """What is to be reported; ``kind``: ``.json``, ``.fhir.json`` or ``.pdf``; ``asked`` in whole minutes.

    Without ``patient`` it is the stretch of the device, whoever wore it.
    """

    device: str
    patient: str
    asked: tuple[datetime, datetime]
    kind: str
    language: Language = "en"


def written(
    connection: psycopg.Connection, wanted: Wanted, progress: Progress = lambda items, _: items
) -> bytes:
    """Return the report as a file.

    Raises:
        RegistryError: one sees no such device, or of the patient nothing of that time; there is no font.
    """
    if wanted.patient:
        parts = stored.patient_parts(connection, wanted.patient, *wanted.asked)
    else:
        parts = stored.device_parts(connection, wanted.device, *wanted.asked)
    found = content.compute(stored.material(connection, parts, wanted.patient, wanted.asked, progress))
    if wanted.kind == ".fhir.json":
        return fhir.written(found)
    if wanted.kind == ".json":
        return document.written(found)
    from ecgstream.reports import sheet, strips  # not for JSON: they import matplotlib and fpdf2

    shown = list(progress(strips.strips(connection, found, parts), "Strips"))
    return sheet.written(found, shown, wanted.language)
