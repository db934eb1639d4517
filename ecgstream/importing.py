"""``ecgstream import``: files of ECG devices that a person names."""

import logging
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress

from devices.enrolment_follower import Follower
from devices.errors import (
    EnrolmentsUnknownError,
    FullError,
    MessageError,
    NotAdmittedError,
    ReaderError,
    SpoolError,
)
from devices.files.child import FileReader
from devices.files.publish import Recording
from devices.http.times import moment_ns
from devices.publisher import Publisher
from devices.source import NS
from ecgstream.addresses import zone_of
from ecgstream.edge import check_name, edge
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.settings import Settings
from schemas.checks import check_device
from schemas.errors import BadRecordError

SERVICE = "import"
_LEFT_OUT_SHOWN = 8
_TURN_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported: see ``ecgstream import --help``."""

    files: Sequence[Path]
    device: str
    start_ns: int | None
    zone: ZoneInfo | None
    gateway: str


def wanted_of(files: Sequence[Path], device: str, start: str, zone: str, gateway: str) -> Wanted:
    """Return what flags ask for, or end the process with one line."""
    if not files:
        end("no file is named, and no folder to --watch")
    try:
        check_device(device)
    except BadRecordError:
        end("--device names whose files they are: the id that it is enrolled by")
    if start and len(files) > 1:
        end("--start is of one file: import the others by themselves")
    try:
        start_ns = moment_ns(start) if start else None
    except MessageError as error:
        end(f"--start {start}: {error}")
    return Wanted(tuple(files), device, start_ns, named_zone(zone), gateway)


def named_zone(name: str) -> ZoneInfo | None:
    """Return what ``--zone`` names; end the process with one line where there is no such."""
    try:
        return zone_of(name)
    except ValueError as error:
        end(f"--zone {error}")


def look(wanted: Wanted) -> NoReturn:
    """Only say what would be taken, and what not; the exit status is 1 where a file would be refused."""
    refused = 0
    with FileReader() as reader:
        for path in wanted.files:
            try:
                found = _opened(reader, path, wanted, shard=0)
            except MessageError as error:
                refused += 1
                _say(path, f"would be refused: {error}")
            except ReaderError as error:
                end(str(error))
            else:
                _say(path, f"would be taken as of {wanted.device}: {described(found)}", found)
    sys.exit(bool(refused))


def run(settings: Settings, wanted: Wanted) -> NoReturn:
    """Import files, and wait until Kafka has them; the exit status is 1 where one was refused."""
    check_name(wanted.gateway)
    set_up_logging(settings, SERVICE, at_least=logging.WARNING)
    try:
        with (
            stop_on_signals() as stop,
            FileReader() as reader,
            edge(settings, wanted.gateway) as (publisher, follower),
        ):
            publisher.start()
            refused = _take_all(wanted, reader, publisher, follower, stop)
            _wait(publisher, stop)
    except (EnrolmentsUnknownError, SpoolError, ReaderError, NotAdmittedError, FullError) as error:
        end(str(error))
    sys.exit(bool(refused))


def _take_all(
    wanted: Wanted, reader: FileReader, publisher: Publisher, follower: Follower, stop: threading.Event
) -> int:
    """Take the files; return how many were refused."""
    shard = follower.enrolments.admitted(wanted.device).shard
    refused = 0
    for number, path in enumerate(wanted.files):
        if stop.is_set():
            end(f"stopped before {path}, and {len(wanted.files) - number - 1} behind it")
        try:
            found = _opened(reader, path, wanted, shard)
            _publish(found, path, publisher, wanted.gateway)
        except MessageError as error:
            refused += 1
            _say(path, f"refused: {error}")
        else:
            _say(path, f"taken as of {wanted.device}: {described(found)}", found)
    return refused


def _opened(reader: FileReader, path: Path, wanted: Wanted, shard: int) -> Recording:
    with _progress() as shown:
        shown.add_task(f"{path.name}: reading", total=None)
        source = reader.read(path, device=wanted.device, shard=shard, zone=wanted.zone)
    return Recording.of(source, wanted.start_ns, time.time_ns())


def _publish(found: Recording, path: Path, publisher: Publisher, gateway: str) -> None:
    with _progress() as shown:
        task = shown.add_task(f"{path.name}: s", total=found.source.duration_s)
        found.publish(publisher, gateway, time.time_ns(), lambda n: shown.update(task, completed=n))


def _wait(publisher: Publisher, stop: threading.Event) -> None:
    """Wait until Kafka has all of it; who does not want to wait is told what becomes of it."""
    with _progress() as shown:
        most = publisher.waiting()
        task = shown.add_task("to Kafka: records", total=most)
        while not publisher.settled(_TURN_S):
            shown.update(task, completed=most - publisher.waiting())
            if stop.is_set():
                end(
                    f"{publisher.waiting()} records wait in the spool; they are sent when the same is "
                    "imported again, or another file under the same --gateway"
                )


def described(found: Recording) -> str:
    """Return what a recording is, in a line."""
    source, waves = found.source, found.source.sessions[0].waves
    begin = datetime.fromtimestamp(found.start_ns / NS, UTC).isoformat(timespec="seconds")
    what = source.label.removeprefix("File: ")
    return f"{what}; {source.duration_s:g} s at {waves[0].rate:g} Hz, from {begin}"


def _progress() -> Progress:
    """Return a bar on the terminal, where stderr is one."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _say(path: Path, what: str, found: Recording | None = None) -> None:
    left_out = found.source.left_out if found is not None else ()
    lines = [f"{path}: {what}", *(f"  left out: {why}" for why in left_out[:_LEFT_OUT_SHOWN])]
    if len(left_out) > _LEFT_OUT_SHOWN:
        lines.append(f"  left out: {len(left_out) - _LEFT_OUT_SHOWN} more")
    print("\n".join(lines))  # noqa: T201


def end(why: str) -> NoReturn:
    """End the process with one line that says what to do."""
    sys.exit(f"ecgstream import: {why}")
