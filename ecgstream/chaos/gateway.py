"""A gateway of the load: a process of its own, which plays a file of ``load.write``.

    python -m ecgstream.chaos.gateway NAME FILE BEGIN_NS SPEED

It begins at a given moment of the wall clock, so that all gateways keep the same time. One that was killed
goes on with its play where it was.
"""

import sys
import time
from pathlib import Path

from ecgstream.chaos import load
from ecgstream.play import Wanted, play_sources
from ecgstream.settings import Settings


def main(name: str, file: str, begin_ns: str, speed: str) -> None:
    """Play to the end."""
    sources = load.read(Path(file))
    time.sleep(max(0.0, (int(begin_ns) - time.time_ns()) / 1e9))
    wanted = Wanted(speed=float(speed), gateway=name, play="chaos", start_ns=load.START_NS)
    play_sources(Settings(), lambda: sources, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
