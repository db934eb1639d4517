"""A gateway of the load: a process of its own, which plays a file of ``load.write``.

    python -m ecgstream.chaos.gateway NAME FILE BEGIN_NS SPEED

It begins at a given moment of the wall clock, so that all gateways keep the same time, and the one that was
killed too.
"""

import sys
import time
from pathlib import Path

import structlog

from devices.enrolment_follower import Follower
from devices.gateway import play
from devices.publisher import Publisher
from ecgstream.chaos import load
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.play import FLUSH_S, admit
from ecgstream.settings import Settings

log = structlog.get_logger()


def main(name: str, file: str, begin_ns: str, speed: str) -> None:
    """Play to the end."""
    settings = Settings()
    set_up_logging(settings, "gateway")
    sources = load.read(Path(file))
    with (
        stop_on_signals() as stop,
        Follower(settings.kafka, settings.data / f"enrolments-{name}") as follower,
    ):
        admitted = admit(sources, follower)
        publisher = Publisher(settings.kafka, partitions=settings.partitions)
        time.sleep(max(0.0, (int(begin_ns) - time.time_ns()) / 1e9))
        log.info("playing")
        rate = float(speed)
        found = play(
            admitted,
            publisher,
            speed=rate,
            stop=stop,
            gateway=name,
            flush_s=FLUSH_S / rate,
            start_ns=load.START_NS,
        )
        publisher.close()
    log.info("played", packets=found.packets, wall_s=found.wall_s, max_lag_s=found.max_lag_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
