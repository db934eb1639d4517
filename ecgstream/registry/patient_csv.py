"""Patients in CSV files: in only, for no file should tell who somebody is.

No message repeats a field: where columns are confused, any of them may hold a name.
"""

from collections.abc import Iterator
from pathlib import Path

from ecgstream.registry import csv_file, identity
from ecgstream.registry.csv_file import Encoding, Row
from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.identity import Kind
from ecgstream.registry.patients import NewPatient, check_news2, facility_code
from schemas.records import Category, News2, Settings

REQUIRED = ("facility",)
OPTIONAL = ("category", "paced", "news2", *Kind)

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
_NEWS2 = {"": News2.OFF} | {news2.lower().replace("_", "-"): news2 for news2 in News2}


def rows(path: Path, *, encoding: Encoding = "utf-8") -> Iterator[Row]:
    """Yield the records of a file. Raises what ``csv_file.read`` raises."""
    return csv_file.read(path, REQUIRED, OPTIONAL, encoding=encoding)


def parse(row: Row) -> NewPatient:
    """Return the patient that a record describes; an adult without pacemaker or score where it does not say.

    Raises:
        RegistryErrors: all that is wrong with it.
    """
    wrong: list[tuple[int | str, str]] = []
    fields = {name: value.strip() for name, value in row.fields.items()}
    try:
        facility_code(fields["facility"])
    except RegistryError as error:
        wrong.append((row.line, str(error)))
    category = fields["category"].upper() or Category.ADULT
    if category not in list(Category):
        wrong.append((row.line, f"category: is none of {', '.join(Category)}"))
    paced = _YES_NO.get(fields["paced"].lower())
    if paced is None:
        wrong.append((row.line, "paced: is neither yes nor no"))
    news2 = _NEWS2.get(fields["news2"].lower())
    if news2 is None:
        wrong.append((row.line, "news2: is none of off, scale-1, scale-2"))
    elif category in list(Category):
        try:
            check_news2(Category(category), news2)
        except RegistryError as error:
            wrong.append((row.line, str(error)))
    identifiers = {}
    for kind in Kind:
        try:
            if fields[kind]:
                identifiers[kind] = identity.check(kind, fields[kind])
        except RegistryError as error:
            wrong.append((row.line, str(error)))
    if wrong or paced is None or news2 is None:
        raise RegistryErrors(wrong)
    return NewPatient(fields["facility"], Settings(Category(category), paced, news2), identifiers, row.line)
