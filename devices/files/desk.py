"""Recordings that come as bytes, as by HTTP: read in a process apart and published, one after another."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from devices.errors import FullError, MessageError, ReaderError
from devices.files.child import FileReader, Limits
from devices.files.publish import Recording, Taker
from devices.source import Source
from schemas.records import Enrolment

LIMITS = Limits(memory_bytes=2**30, seconds=30.0)
"""Of what somebody waits for; larger ones go by a folder."""


class Desk:
    """Takes recordings from any thread, as long as it is entered.

    Args:
        gateway: the name that bundles carry.
        taker: makes bundles durable, and sends them on.
        zone: of devices' clocks, where a file names none.
        reader: reads files in a process of its own.
        now_ns: UTC ns.
    """

    def __init__(
        self,
        gateway: str,
        taker: Taker,
        zone: ZoneInfo | None,
        reader: FileReader | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._gateway = gateway
        self._taker = taker
        self._zone = zone
        self._reader = reader or FileReader(LIMITS)
        self._now_ns = now_ns
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._reader.close()

    def take(self, enrolled: Enrolment, body: bytes, start_ns: int | None) -> Recording:
        """Return what a file of a device holds, when all of it is durable.

        Args:
            enrolled: the device.
            body: the file.
            start_ns: when it began, UTC ns; ``None``: as it says itself.

        Raises:
            MessageError: it cannot be read, or when it began is not known.
            FullError: there is no room now, or nothing can be read; later there may be.
            SpoolError: nothing can be taken any more.
        """
        with self._turn:
            try:
                found = Recording.of(self._read(enrolled, body), start_ns, self._now_ns())
                found.publish(self._taker, self._gateway, self._now_ns())
            except MessageError:
                self._taker.refuse()
                raise
            except ReaderError as error:
                raise FullError(str(error)) from error
            return found

    def _read(self, enrolled: Enrolment, body: bytes) -> Source:
        with NamedTemporaryFile(prefix="recording-") as file:
            file.write(body)
            file.flush()
            device, shard = enrolled.device, enrolled.shard
            return self._reader.read(Path(file.name), device=device, shard=shard, zone=self._zone)
