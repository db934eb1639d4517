"""CSV files (RFC 4180) as people and spreadsheets make them, in and out.

Reading holds one record at a time, whatever the file is, and says everything that is wrong with it: a person
who mends a file wants to do it once. Nothing is guessed: unknown columns and wrong encodings are errors.
"""

import codecs
import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeVar

from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.text import shown

Encoding = Literal["utf-8", "gb18030"]
"""UTF-8 with or without a byte order mark, or GB 18030, of which GB 2312 and GBK are parts."""

MAX_ROWS = 1_000_000
_MAX_RECORD_BYTES = 1 << 20

_T = TypeVar("_T")


class Row(NamedTuple):
    """A record: the line on which it begins, and column to field, "" where an optional column is missing."""

    line: int
    fields: dict[str, str]


def read(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, encoding: Encoding = "utf-8"
) -> Iterator[Row]:
    """Yield the records of a file whose first line names its columns, in any order.

    Records with nothing but blanks, which spreadsheets leave behind, are skipped.

    Raises:
        RegistryError: at once where the file cannot be read on.
        RegistryErrors: after the last good record, if some had too many or too few fields.
    """
    try:
        with path.open("rb") as file:
            yield from _rows(_Lines(file, encoding), required, optional)
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}") from None


def gather(rows: Iterable[Row], make: Callable[[Row], _T]) -> list[_T]:
    """Return what ``make`` makes of each row; every row that it or ``read`` refuses is listed.

    Raises:
        RegistryErrors: all refusals, by line.
    """
    made: list[_T] = []
    wrong: list[tuple[int | str, str]] = []
    try:
        for row in rows:
            try:
                made.append(make(row))
            except RegistryErrors as errors:
                wrong.extend((row.line, message) for _, message in errors.found)
            except RegistryError as error:
                wrong.append((row.line, str(error)))
    except RegistryErrors as errors:
        wrong.extend(errors.found)
    if wrong:
        raise RegistryErrors(sorted(wrong, key=lambda found: int(found[0])))
    return made


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a file that ``read`` and spreadsheets read; return the number of records.

    UTF-8 with a byte order mark, without which spreadsheets take Chinese for something else; lines end in CR
    LF (RFC 4180). The file is there as a whole or not at all.

    Raises:
        RegistryError: it cannot be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise RegistryError(f"{path}: is no regular file")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    n = 0
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for n, row in enumerate(rows, 1):  # noqa: B007
                writer.writerow(row)
        part.replace(path)
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return n


class _Lines:
    """The lines of a file as text, with their ends; at most ``_MAX_RECORD_BYTES`` a record.

    The byte of a line feed is part of no other character in either encoding, so that each line is decoded by
    itself and an error knows its line.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self.number = 0
        self._room = _MAX_RECORD_BYTES
        self._foreign = self._also_utf_8 = 0  # lines that are not ASCII, and those of them that are UTF-8

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(self._room + 1)
        if not raw:
            self._check_encoding()
            raise StopIteration
        self.number += 1
        self._room -= len(raw)
        if self._room < 0:
            raise RegistryError(
                f"line {self.number}: a record of more than {_MAX_RECORD_BYTES:,} bytes."
                " Is a quotation mark not closed, or is this no CSV file?"
            )
        return self._text(raw)

    def next_record(self) -> None:
        """The record is complete: the next one has all the room again."""
        self._room = _MAX_RECORD_BYTES

    def _text(self, raw: bytes) -> str:
        if self.number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise RegistryError("line 1: the file is in UTF-16. Save it as “CSV UTF-8”.")
        if self.number == 1 and raw.startswith(codecs.BOM_UTF8) and self._encoding != "utf-8":
            raise RegistryError(self._utf_8())
        if b"\0" in raw:
            raise RegistryError(
                f"line {self.number}: holds a zero byte. This is no text file, or it is in UTF-16."
            )
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            other = "gb18030" if self._encoding == "utf-8" else "utf-8"
            raise RegistryError(
                f"line {self.number}: byte {error.start + 1} (0x{raw[error.start]:02X}) is not"
                f" {self._encoding}. Is the file in another encoding? Try --encoding {other}"
            ) from None
        if self._encoding != "utf-8" and not raw.isascii():
            self._foreign += 1
            self._also_utf_8 += _is_utf_8(raw)
        return text.removeprefix("\ufeff") if self.number == 1 else text

    def _check_encoding(self) -> None:
        # Almost any bytes are GB 18030: UTF-8 read as such is a name nobody can read, and no error.
        if 0 < self._foreign == self._also_utf_8:
            raise RegistryError(self._utf_8())

    def _utf_8(self) -> str:
        return f"the file is in UTF-8, not in {self._encoding}: leave --encoding out"


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _rows(lines: _Lines, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    header: list[str] | None = None
    wrong: list[tuple[int | str, str]] = []
    n = 0
    for line, record in _records(lines):
        if header is None:
            header = _header(record, required, optional)
            missing = dict.fromkeys(set(optional) - set(header), "")
            continue
        n += 1
        if n > MAX_ROWS:
            raise RegistryError(f"line {line}: more than {MAX_ROWS:,} records: divide the file")
        if len(record) != len(header):
            wrong.append((line, f"{len(record)} fields, but the first line names {len(header)} columns"))
            continue
        yield Row(line, dict(zip(header, record, strict=True)) | missing)
    if header is None:
        raise RegistryError("the file is empty: its first line must name the columns")
    if wrong:
        raise RegistryErrors(wrong)


def _records(lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line, fields) of each record that is not blank."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.number + 1
        lines.next_record()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RegistryError(
                f"line {line}: not CSV after RFC 4180 ({error})."
                " A field with a comma, line feed or quotation mark stands in quotation marks, those doubled"
            ) from None
        if any(not field.isspace() for field in record if field):
            yield line, record


def _header(record: list[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    header = [name.strip() for name in record]
    known = {*required, *optional}
    # Where no name is known this may be no header at all, but the first patient: it is not repeated.
    strange = [name for name in header if name not in known] if known & set(header) else []
    wrong: list[tuple[int | str, str]] = [(1, f"no column {shown(name)} is known here") for name in strange]
    wrong += [(1, f"column {name} is missing") for name in required if name not in header]
    wrong += [(1, f"column {name} is there twice") for name in known if header.count(name) > 1]
    if wrong:
        if len(header) == 1 and ";" in header[0]:
            wrong.append((1, "fields are separated by commas, not by semicolons"))
        wrong.append(
            (1, f"columns are: {', '.join([*required, *(f'{name} (optional)' for name in optional)])}")
        )
        raise RegistryErrors(wrong)
    return header
