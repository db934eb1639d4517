"""Reads files in a process of its own, under limits of memory and time.

The libraries that read files are large and were written for files that are what they say. One that makes its
reader hang, eat memory or die costs that file and the process, which is started anew for the next one. The
process is started fresh (spawn), so that nothing of the gateway is in it, and answers in a form that cannot
execute anything (``devices.files.wire``), of a bounded length.
"""

import json
import math
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from devices.errors import MessageError, ReaderError
from devices.files.read import read
from devices.files.wire import MAX_HEAD_BYTES, head_of, sizes, source_of
from devices.source import Source

START_S = 60.0
"""How long the process may take to start: it imports large libraries."""
_READY = b"ready"
_REFUSED, _REFUSED_AND_SPENT = b"-", b"!"
"""What an answer begins with that is a reason, and no JSON; behind the second one, the process ends."""
_LONGEST_REASON = 1000
_READERS = ("numpy", "pydicom", "edfio", "ecgdatakit")
Reader = Callable[..., Source]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost: ``memory_bytes`` beside the libraries themselves, ``seconds`` of wall time."""

    memory_bytes: int = 2**31
    seconds: float = 60.0


class _Child(NamedTuple):
    process: BaseProcess
    line: Connection

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.line.close()


class FileReader:
    """``read`` behind a process; one thread at a time. The process starts with the first file.

    As with all of ``multiprocessing``, a script that uses it begins behind ``if __name__ == "__main__"``.

    Args:
        limits: what a file may cost.
        reader: what reads a file there; tests hand in one that misbehaves.
    """

    def __init__(self, limits: Limits = Limits(), *, reader: Reader = read) -> None:
        self._limits = limits
        self._reader = reader
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, path: Path, *, device: str, shard: int, zone: ZoneInfo | None = None) -> Source:
        """Return what the file holds: see ``devices.files.read``.

        Raises:
            MessageError: as there; or it took too long, or its reader died of it.
            ReaderError: the process does not start.
        """
        child = self._child
        if child is None or not child.process.is_alive():
            child = self._start()
        late = threading.Event()
        timer = threading.Timer(self._limits.seconds, _end_late, [child.process, late])
        timer.start()
        answered = False
        try:
            head, samples = _ask(child.line, path, zone)
            answered = head[:1] != _REFUSED_AND_SPENT
        except (EOFError, OSError) as error:  # the end of the process, or more bytes than it said
            why = f"more than {self._limits.seconds:g} s" if late.is_set() else "the end of the process"
            raise MessageError(f"reading it took {why}") from error
        finally:
            timer.cancel()
            timer.join()
            if not answered:  # what it may still say is not the answer to the next
                self.close()
        if head[:1] in (_REFUSED, _REFUSED_AND_SPENT):
            raise MessageError(head[1:].decode(errors="replace"))
        return source_of(head, samples, device, shard)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
        self._child = None

    def _start(self) -> _Child:
        self.close()
        context = multiprocessing.get_context("spawn")
        line, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._limits, self._reader), name="file-reader", daemon=True
        )
        process.start()
        theirs.close()  # so that its end is the end of the line
        self._child = _Child(process, line)
        with suppress(EOFError, OSError):
            if line.poll(START_S) and line.recv_bytes(len(_READY)) == _READY:
                return self._child
        self.close()
        raise ReaderError("the process that reads files does not start")


def _end_late(process: BaseProcess, late: threading.Event) -> None:
    late.set()
    process.kill()


def _ask(line: Connection, path: Path, zone: ZoneInfo | None) -> tuple[bytes, list[bytes]]:
    """Return the answer's head, and the samples of each wave, none with a refusal."""
    line.send_bytes(json.dumps([str(path), zone.key if zone is not None else None]).encode())
    head = line.recv_bytes(MAX_HEAD_BYTES)
    if head[:1] in (_REFUSED, _REFUSED_AND_SPENT):
        return head, []
    return head, [line.recv_bytes(size) for size in sizes(head)]


def _serve(line: Connection, limits: Limits, reader: Reader) -> None:
    """Read the files whose paths come, until the line ends; what they make libraries print is dropped."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends what it does in order
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    for name in _READERS:
        with suppress(ImportError):
            import_module(name)
    limit_memory(limits.memory_bytes)
    line.send_bytes(_READY)
    with suppress(EOFError):
        while True:
            path, zone = json.loads(line.recv_bytes())
            # The parent ends what takes too long; this is for when there is no parent any more.
            signal.alarm(2 * math.ceil(limits.seconds))
            try:
                _answer(line, reader(Path(path), device="", shard=0, zone=ZoneInfo(zone) if zone else None))
            except MessageError as error:
                spent = isinstance(error.__cause__, MemoryError)
                kind = _REFUSED_AND_SPENT if spent else _REFUSED
                line.send_bytes(kind + str(error).encode()[:_LONGEST_REASON])
                if spent:
                    return
            signal.alarm(0)


def _answer(line: Connection, source: Source) -> None:
    parts = [wave.samples.astype("<i2", copy=False).tobytes() for wave in source.sessions[0].waves]
    for part in (head_of(source), *parts):  # once all memory is there that it takes
        line.send_bytes(part)


def limit_memory(more_bytes: int) -> None:
    """Let this process have so many bytes of addresses beside those it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
