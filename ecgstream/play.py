"""``ecgstream gateway``: recordings and simulated devices, played as live devices into Kafka."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import structlog

from devices import recordings
from devices.bundler import Instant
from devices.enrolment_follower import Follower
from devices.errors import (
    EnrolmentsUnknownError,
    NotAdmittedError,
    PlayError,
    RecordingError,
    SpoolError,
)
from devices.gateway import GatewayReport, SystemClock, play
from devices.simulator import WARD, ward
from devices.source import PACKET_S, Emission, Source
from ecgstream.edge import check_name, edge
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings

log = structlog.get_logger()

FLUSH_S = 0.5
"""s of signal after which a gateway sends what it has."""
DEMO_DEVICES = 8
ADMISSION_PATIENCE_S = 5.0
"""How long a device may be unknown that was enrolled just before."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a gateway is asked to play: see ``ecgstream gateway --help``."""

    records: Sequence[Path] = ()
    demo: bool = False
    speed: float = 1.0
    gateway: str = "gw-recordings"
    play: str = ""
    start_ns: int | None = None
    report: Path | None = None


def demo_sources(folder: Path | None) -> list[Source]:
    """Return the demo's devices: real ECG first, then recordings from ``folder``, or simulated ones.

    Raises:
        RecordingError: the folder holds too few recordings.
    """
    if folder is not None:
        others, skipped = recordings.choose(folder, DEMO_DEVICES - 1)
        for reason in skipped:
            log.warning("recording_skipped", reason=reason)
    else:
        others = ward()
    return [recordings.toy_ecg(), *others]


def demo_devices(folder: Path | None) -> list[str]:
    """Return the ids of the demo's devices, in the same order, without simulating them."""
    if folder is not None:
        return [source.device for source in demo_sources(folder)]
    return [recordings.TOY_DEVICE, *(bed.device for bed in WARD)]


def run(settings: Settings, wanted: Wanted) -> None:
    """Play recordings or the demo: see ``play_sources``."""

    def sources() -> list[Source]:
        found = demo_sources(settings.recordings) if wanted.demo else []
        return found + [recordings.read(path) for path in wanted.records]

    play_sources(settings, sources, wanted)


def play_sources(settings: Settings, sources: Callable[[], Sequence[Source]], wanted: Wanted) -> None:
    """Play to the end, or until SIGTERM or Ctrl-C; what a person must mend is one line."""
    check_name(wanted.gateway)
    set_up_logging(settings, "gateway")
    try:
        with stop_on_signals() as stop, serve(settings, "gateway") as health:
            found = _play(settings, sources(), wanted, stop, health)
    except (RecordingError, NotAdmittedError, EnrolmentsUnknownError, SpoolError, PlayError) as error:
        sys.exit(f"ecgstream gateway: {error}")
    log.info("played", packets=found.packets, bundles=found.bundles, wall_s=found.wall_s)
    if found.waiting:
        log.warning("records wait in the spool; they are sent at the next start", records=found.waiting)
    if wanted.report is not None:
        found.write(wanted.report)


def _play(
    settings: Settings, sources: Sequence[Source], wanted: Wanted, stop: threading.Event, health: Health
) -> GatewayReport:
    with edge(settings, wanted.gateway, health.beat) as (publisher, follower):
        admitted = admit(sources, follower)
        log.info("playing", devices=[s.device for s in admitted], speed=wanted.speed)
        health.ready(is_ready=True)
        return play(
            admitted,
            publisher,
            speed=wanted.speed,
            stop=stop,
            gateway=wanted.gateway,
            name=wanted.play,
            start_ns=wanted.start_ns,
            flush_s=FLUSH_S / wanted.speed,
            clock=_BeatingClock(health),
        )


class _BeatingClock(SystemClock):
    """A clock that tells whenever it is looked at, so that a gateway that stands still is found out."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def now(self) -> Instant:
        """Return this moment."""
        self._health.beat()
        return super().now()


def admit(
    sources: Sequence[Source], follower: Follower, patience_s: float = ADMISSION_PATIENCE_S
) -> list[Source]:
    """Return the sources in the shards they are enrolled in, each silent while its device may not send.

    Raises:
        NotAdmittedError: one of them may not send now; all of these are named.
    """
    deadline = time.monotonic() + patience_s
    while refused := list(_refused(sources, follower)):
        if time.monotonic() > deadline:
            raise NotAdmittedError("; ".join(refused))
        time.sleep(0.1)
    return [_admitted(source, follower) for source in sources]


def _refused(sources: Sequence[Source], follower: Follower) -> Iterator[str]:
    for source in sources:
        try:
            follower.enrolments.admitted(source.device)
        except NotAdmittedError as error:
            yield str(error)


@dataclass(frozen=True, slots=True, eq=False)
class _Admitted(Source):
    """A source that sends nothing while ``may_send`` says no."""

    may_send: Callable[[], bool] = field(kw_only=True)

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:
        """See ``Source``; asked for one at a time, so that the answer is of the moment."""
        return (e for e in Source.emissions(self, start_ns, packet_s) if self.may_send())


def _admitted(source: Source, follower: Follower) -> Source:
    def may_send() -> bool:
        found = follower.enrolments.device(source.device)
        return found is not None and not found.disabled

    values = {f.name: getattr(source, f.name) for f in fields(Source)}
    shard = follower.enrolments.admitted(source.device).shard
    return _Admitted(**values | {"shard": shard}, may_send=may_send)
