"""Devices in CSV files: the same columns in as out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ecgstream.registry import csv_file
from ecgstream.registry.csv_file import Encoding, Row
from ecgstream.registry.devices import FIELDS, OPTIONAL, Device, as_texts, parse

_REQUIRED = tuple(name for name in FIELDS if name not in OPTIONAL)


def rows(path: Path, *, encoding: Encoding = "utf-8") -> Iterator[Row]:
    """Yield the records of a file; errors as in ``csv_file.read``."""
    return csv_file.read(path, _REQUIRED, OPTIONAL, encoding=encoding)


def gather(rows: Iterable[Row]) -> tuple[list[Device], list[int]]:
    """Return the devices that records describe, and the line of each.

    Raises:
        RegistryErrors: everything that is wrong with them, each by itself.
    """
    found = csv_file.gather(rows, lambda row: (parse(row.fields), row.line))
    return [device for device, _ in found], [line for _, line in found]


def write(path: Path, devices: Iterable[Device]) -> int:
    """Write devices; return how many.

    Raises:
        RegistryError: the file cannot be written.
    """
    return csv_file.write(path, FIELDS, (tuple(as_texts(device).values()) for device in devices))
