"""Where a load is played: a centre with its Kafka, its database, who is paged, and the gateways.

The disturbed site has three brokers, and lines that can be cut: to the database, and from the far gateway
to each broker. The undisturbed one has one broker and nothing in between, and plays faster: what is found
depends on the signals alone.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ecgstream.centre import SERVICES, Centre
from ecgstream.chaos import load
from ecgstream.chaos.database import behind_a_line
from ecgstream.chaos.line import Line
from ecgstream.chaos.receiver import Receiver
from ecgstream.chaos.schedule import PAGER, SECOND_WORKER, WORKER, Pace
from ecgstream.clock import SignalClock
from ecgstream.demo.seed import wait_until_told
from ecgstream.embedded.cluster import BROKERS, EmbeddedCluster
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.settings import Settings

QUICK = Pace(load.SIGNAL_S, speed=3.0)
"""Pace of the undisturbed run: it is over before the other, and leaves the machine to it where it can."""
_BEFORE_PLAY_S = 8.0
"""From the start of the pager and the gateways to the first sample, wall-clock s times slowness."""


@dataclass(slots=True)
class Site:
    """A centre that is being played to.

    ``slowness``: of the machine, by which all patience is longer; ``cluster``, ``database_line`` and
    ``far_lines``: of the disturbed site only; ``silent``: how the far lines are cut.
    """

    centre: Centre
    receiver: Receiver
    speed: float
    slowness: float
    begin_ns: int
    cluster: EmbeddedCluster | None = None
    database_line: Line | None = None
    far_lines: tuple[Line, ...] = ()
    silent: bool = False

    @property
    def settings(self) -> Settings:
        """The centre's."""
        return self.centre.settings

    def signal_s(self) -> float:
        """Return how much signal should have been played by now."""
        return (time.time_ns() - self.begin_ns) / 1e9 * self.speed

    def is_played(self) -> bool:
        """Return whether all gateways have come to their end."""
        return all(self.centre.process(gateway).poll() == 0 for gateway in load.GATEWAYS)

    def start_second_worker(self) -> None:
        """Start another worker beside the first."""
        named = self.settings.model_copy(update={"worker": SECOND_WORKER})
        self.centre.start(SECOND_WORKER, [WORKER], settings=named, kept=True)


@contextmanager
def undisturbed(
    settings: Settings, folder: Path, database: str, reels: dict[str, Path], seed: int, slowness: float
) -> Iterator[Site]:
    """Give a site that plays the load in peace."""
    speed = QUICK.slower(slowness).speed
    with ExitStack() as stack:
        kafka = stack.enter_context(EmbeddedKafka(folder / "kafka"))
        receiver = stack.enter_context(Receiver(seed))
        found = _settings(settings, folder, kafka.bootstrap, database, receiver, speed, replication=1)
        centre = stack.enter_context(Centre(found, _nothing))
        begin_ns = _begin(centre, reels, speed, slowness, {})
        yield Site(centre, receiver, speed, slowness, begin_ns)


@contextmanager
def disturbed(
    settings: Settings, folder: Path, database: str, reels: dict[str, Path], seed: int, slowness: float
) -> Iterator[Site]:
    """Give a site that faults can strike."""
    speed = load.PACE.slower(slowness).speed
    with ExitStack() as stack:
        far = tuple(stack.enter_context(Line()) for _ in range(BROKERS))
        cluster = EmbeddedCluster(folder / "kafka", told=[line.port for line in far])
        for line, port in zip(far, cluster.outside, strict=True):
            line.target = ("127.0.0.1", port)
        stack.enter_context(cluster)
        receiver = stack.enter_context(Receiver(seed))
        url, database_line = stack.enter_context(behind_a_line(database, folder / "database"))
        found = _settings(settings, folder, cluster.bootstrap, url, receiver, speed, replication=BROKERS)
        centre = stack.enter_context(Centre(found, _nothing))
        begin_ns = _begin(centre, reels, speed, slowness, {load.FAR: cluster.bootstrap_outside})
        silent = seed % 2 == 1
        yield Site(centre, receiver, speed, slowness, begin_ns, cluster, database_line, far, silent=silent)


def _settings(
    settings: Settings,
    folder: Path,
    kafka: str,
    database: str,
    receiver: Receiver,
    speed: float,
    *,
    replication: int,
) -> Settings:
    values: dict[str, Any] = {
        "kafka": kafka,
        "database": SecretStr(database),
        "data": folder,
        "partitions": load.PARTITIONS,
        "replication": replication,
        "worker": "worker-1",
        "clock_rate": speed,
        "snapshot_spread_s": settings.snapshot_spread_s / speed,
        "notify_url": SecretStr(receiver.url),
    }
    return Settings(**settings.model_dump() | values)


def _begin(
    centre: Centre, reels: dict[str, Path], speed: float, slowness: float, kafka: dict[str, str]
) -> int:
    """Start everything; return when the first sample is measured, ns of the wall clock.

    The pager must know how the signals' time runs before it starts, so it starts last.
    """
    centre.start_services([name for name in SERVICES if name != PAGER])
    wait_until_told(centre.settings)
    begin_ns = time.time_ns() + round(_BEFORE_PLAY_S * slowness * 1e9)
    clock = {"clock_offset_ns": SignalClock.that_shows(load.START_NS, begin_ns, speed).offset_ns}
    for gateway, reel in reels.items():
        own = {"kafka": kafka.get(gateway, centre.settings.kafka), "spool": centre.settings.data / "spool"}
        centre.start(
            gateway,
            [gateway, str(reel), str(begin_ns), f"{speed:g}"],
            module="ecgstream.chaos.gateway",
            settings=centre.settings.model_copy(update=clock | own),
            kept=True,
        )
    centre.start_services([PAGER], centre.settings.model_copy(update=clock))
    return begin_ns


def _nothing(_: str) -> None:
    """Say nothing: who runs a site tells what is going on."""
