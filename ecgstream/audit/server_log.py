"""The server's log, as it is written: files of lines that come, grow, are renamed, emptied and deleted."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ecgstream.audit.errors import AuditError

BLOCK = 1 << 20
"""Bytes that are read at once, and the longest that a line may be; of a longer one the head is given."""
HEAD = 1 << 12

_Stat = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of one file.

    Attributes:
        file: which, by what its first line is: a file that was renamed is the same, one that was emptied and
            written anew is another.
        name: what it is called now.
        since: byte at which the piece begins.
        until: byte behind it.
        lines: without their ends.
        is_cut: the piece is the head of one line that is longer than ``BLOCK``.
    """

    file: str
    name: str
    since: int
    until: int
    lines: list[bytes]
    is_cut: bool = False


class ServerLog:
    """What came into a folder of log files, the oldest file first; one thread asks.

    Args:
        folder: where the server writes; of other programs' files too, as long as they are no ``*.json``.
        begin: from a file to the byte at which it is read on.
    """

    def __init__(self, folder: Path, begin: Callable[[str], int]) -> None:
        self._folder = folder
        self._begin = begin
        self._at: dict[str, int] = {}
        self._done: dict[str, _Stat] = {}

    def pieces(self) -> Iterator[Piece]:
        """Yield what is new; a line whose end is not there yet comes the next time.

        Raises:
            AuditError: the log cannot be read.
        """
        there: set[str] = set()
        for name, seen in self._files():
            there.add(name)
            if self._done.get(name) == seen:
                continue
            yield from self._new(name)
            self._done[name] = seen  # as it was before it was read: what came since is read the next time
        self._done = {name: seen for name, seen in self._done.items() if name in there}

    def _files(self) -> list[tuple[str, _Stat]]:
        found = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if not entry.name.endswith(".json"):
                        continue
                    try:
                        known = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(known.st_mode):
                        seen = (known.st_mtime_ns, known.st_ino, known.st_size)
                        found.append((known.st_mtime_ns, entry.name, seen))
        except OSError as error:
            raise AuditError(f"the server's log cannot be read: {self._folder}: {error.strerror}") from None
        return [(name, seen) for _, name, seen in sorted(found)]

    def _new(self, name: str) -> Iterator[Piece]:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise AuditError(f"the server's log cannot be read: {name}: {error.strerror}") from None
        try:
            file = _identity(os.pread(descriptor, HEAD, 0))
            if file is None:
                return
            if file not in self._at:
                self._at[file] = self._begin(file)
            while (piece := _piece(descriptor, file, name, self._at[file])) is not None:
                self._at[file] = piece.until
                yield piece
        finally:
            os.close(descriptor)


def _identity(head: bytes) -> str | None:
    """Return which file begins so; None: its first line is not there yet.

    PostgreSQL's lines have a time, a session and the line's number in it: no two are the same.
    """
    line, end, _ = head.partition(b"\n")
    return sha256(line).hexdigest()[:32] if end or len(head) == HEAD else None


def _piece(descriptor: int, file: str, name: str, since: int) -> Piece | None:
    block = os.pread(descriptor, BLOCK, since)
    whole = block.rfind(b"\n") + 1
    if whole:
        return Piece(file, name, since, since + whole, block[: whole - 1].split(b"\n"))
    if len(block) < BLOCK:
        return None
    head, at = block[:HEAD], since + len(block)
    while block := os.pread(descriptor, BLOCK, at):
        end = block.find(b"\n")
        if end >= 0:
            return Piece(file, name, since, at + end + 1, [head], is_cut=True)
        at += len(block)
    return None
