"""Facilities in CSV files: the same columns in as out, parents in any order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ecgstream.registry import csv_file
from ecgstream.registry.csv_file import Encoding, Row
from ecgstream.registry.facilities import FIELDS, Facility, as_texts, parse, paths


def rows(path: Path, *, encoding: Encoding = "utf-8") -> Iterator[Row]:
    """Yield the records of a file; errors as in ``csv_file.read``. All columns must be there."""
    return csv_file.read(path, FIELDS, encoding=encoding)


def gather(rows: Iterable[Row]) -> tuple[list[Facility], list[int]]:
    """Return the facilities that records describe, and the line of each.

    Raises:
        RegistryErrors: everything that is wrong with them, each by itself.
    """
    found = csv_file.gather(rows, lambda row: (parse(row.fields), row.line))
    return [facility for facility, _ in found], [line for _, line in found]


def write(path: Path, tree: list[Facility]) -> int:
    """Write a tree, parents before children; return the number of facilities.

    Raises:
        RegistryError: the file cannot be written.
    """
    way = paths(tree)
    ordered = sorted(tree, key=lambda facility: way[facility.code].split("."))
    return csv_file.write(path, FIELDS, (tuple(as_texts(facility).values()) for facility in ordered))
