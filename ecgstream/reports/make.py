"""From the store to a report, and from a report to a file."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from ecgstream.reports import content, document, fhir, stored, strips
from ecgstream.reports.document import Document
from ecgstream.reports.standing import UNSIGNED, Standing
from ecgstream.reports.stored import Part
from ecgstream.reports.words import Language

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
"""Gets what is gone through and a title, and gives it back one by one."""


class Wanted(NamedTuple):
    """What is to be reported; ``asked`` in whole minutes.

    Without ``patient`` it is the stretch of the device, whoever wore it.
    """

    device: str
    patient: str
    asked: tuple[datetime, datetime]


def made(
    connection: psycopg.Connection, wanted: Wanted, progress: Progress = lambda items, _: items
) -> Document:
    """Return the report.

    Raises:
        RegistryError: one sees no such device, or of the patient nothing of that time.
    """
    if wanted.patient:
        parts = stored.patient_parts(connection, wanted.patient, *wanted.asked)
    else:
        parts = stored.device_parts(connection, wanted.device, *wanted.asked)
    return of_parts(connection, wanted, parts, progress)


def of_parts(
    connection: psycopg.Connection,
    wanted: Wanted,
    parts: Sequence[Part],
    progress: Progress = lambda items, _: items,
) -> Document:
    """Return the report of parts that are known."""
    found = content.compute(stored.material(connection, parts, wanted.patient, wanted.asked, progress))
    return Document(found, list(progress(strips.strips(connection, found, parts), "Strips")))


def drawn(found: Document, kind: str, language: Language, standing: Standing = UNSIGNED) -> bytes:
    """Return a report as a file of a kind: ``.json``, ``.fhir.json`` or ``.pdf``.

    Raises:
        RegistryError: there is no font.
    """
    if kind == ".json":
        return document.written(found)
    if kind == ".fhir.json":
        return fhir.written(found.report, standing, found.software)
    from ecgstream.reports import sheet  # not for JSON: it imports fpdf2

    return sheet.written(found, language, standing)
