"""``ecgstream gateway``: recordings and simulated devices, played as live devices into Kafka."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from devices import recordings
from devices.gateway import play
from devices.publisher import Publisher
from devices.simulator import WARD, ward
from devices.source import Source
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.settings import Settings
from ecgstream.topics import create_topics

log = structlog.get_logger()

FLUSH_S = 0.5
"""s of signal after which a gateway sends what it has."""
DEMO_DEVICES = 8


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
    # Spread over shards as a hospital's devices would be.
    return [replace(s, shard=i) for i, s in enumerate([recordings.toy_ecg(), *others])]


def demo_devices(folder: Path | None) -> list[str]:
    """Return the ids of the demo's devices, in the order of their shards, without simulating them."""
    if folder is not None:
        return [source.device for source in demo_sources(folder)]
    return [recordings.TOY_DEVICE, *(bed.device for bed in WARD)]


def run(
    settings: Settings,
    records: Sequence[Path],
    *,
    demo: bool,
    speed: float,
    gateway: str,
    shard: int,
    report: Path | None,
) -> None:
    """Play the sources to their end, or until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "gateway")
    with stop_on_signals() as stop:
        sources = demo_sources(settings.recordings) if demo else []
        sources += [recordings.read(path, shard=shard + i) for i, path in enumerate(records)]
        create_topics(settings)
        publisher = Publisher(settings.kafka, partitions=settings.partitions)
        try:
            log.info("playing", devices=[s.device for s in sources], speed=speed)
            found = play(sources, publisher, speed=speed, stop=stop, gateway=gateway, flush_s=FLUSH_S / speed)
        finally:
            publisher.close()
        log.info("played", packets=found.packets, bundles=found.bundles, wall_s=found.wall_s)
        if report is not None:
            found.write(report)
