"""``ecgstream import --watch``: files of ECG devices that are put into a folder.

The log names devices and digests, never files or folders, whose names may be patients'.
"""

import os
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from devices.enrolment_follower import Follower
from devices.errors import (
    EnrolmentsUnknownError,
    MessageError,
    NotAdmittedError,
    ReaderError,
    SpoolError,
)
from devices.files.child import FileReader
from devices.files.folder import Inboxes, watch
from devices.files.publish import Recording
from devices.publisher import Publisher
from ecgstream.edge import check_name, edge
from ecgstream.importing import SERVICE, end
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings

_OURS = 0o007
"""What is made may be read by the folder's group, who put files there and are to see what became of them."""
_DIGITS = 12
"""Of a file's digest in the log: enough to find it in ``done/.taken``."""

log = structlog.get_logger()


def run(settings: Settings, folder: Path, zone: ZoneInfo | None, gateway: str) -> None:
    """Take what is put into a folder of folders until SIGTERM or Ctrl-C."""
    check_name(gateway)
    set_up_logging(settings, SERVICE)
    if not folder.is_dir():
        end(f"--watch {folder}: there is no such folder")
    os.umask(_OURS)
    try:
        with (
            stop_on_signals() as stop,
            serve(settings, SERVICE) as health,
            FileReader() as reader,
            edge(settings, gateway, health.beat) as (publisher, follower),
        ):
            publisher.start()
            boxes = DeviceInboxes(folder, zone, gateway, reader, publisher, follower, health)
            log.info("watching")
            watch(boxes, stop, time.monotonic, lambda why: log.warning("folder", why=why))
    except (EnrolmentsUnknownError, SpoolError, ReaderError) as error:
        end(str(error))
    log.info("watched")


class DeviceInboxes(Inboxes):
    """The folder, whose files are read apart and published as their devices'."""

    def __init__(
        self,
        folder: Path,
        zone: ZoneInfo | None,
        gateway: str,
        reader: FileReader,
        publisher: Publisher,
        follower: Follower,
        health: Health,
    ) -> None:
        super().__init__(folder, self._import, self._may_send)
        self._zone = zone
        self._gateway = gateway
        self._reader = reader
        self._publisher = publisher
        self._follower = follower
        self._health = health
        self._shards: dict[str, int] = {}
        self._kept_out: set[str] = set()

    def step(self, now_s: float) -> list[Path]:
        """See ``Inboxes.step``; it is ready where the folder is there, also while Kafka is away."""
        self._health.beat()
        self._health.ready(is_ready=self._folder.is_dir())
        return super().step(now_s)

    def _may_send(self, device: str) -> bool:
        try:
            self._shards[device] = self._follower.enrolments.admitted(device).shard
        except NotAdmittedError as error:
            if device not in self._kept_out:
                is_known = self._follower.enrolments.device(device) is not None
                why = str(error) if is_known else "a folder has no name that is the id of an enrolled device"
                log.warning("files wait", why=why)
            self._kept_out.add(device)
            return False
        self._kept_out.discard(device)
        return True

    def _import(self, device: str, path: Path, digest: str) -> None:
        self._health.beat()
        told = {"device": device, "digest": digest[:_DIGITS]}
        try:
            source = self._reader.read(path, device=device, shard=self._shards[device], zone=self._zone)
            found = Recording.of(source, None, time.time_ns())
            packets = found.publish(self._publisher, self._gateway, time.time_ns())
        except MessageError as error:
            self._publisher.refuse()
            log.warning("refused", why=str(error), **told)
            raise
        log.info("taken", packets=packets, left_out=len(source.left_out), **told)
