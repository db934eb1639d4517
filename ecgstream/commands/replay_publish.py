"""``ecgstream replay --publish``: what is stored, as live signals in a training room."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from kafka.errors import KafkaError

from devices.errors import EnrolmentsUnknownError, NotAdmittedError, PlayError
from ecgstream.broker.errors import BrokerError
from ecgstream.commands.common import say
from ecgstream.lifecycle import stop_on_signals
from ecgstream.registry.errors import RegistryError
from ecgstream.replay import stored, training
from ecgstream.replay.source import Stretch
from ecgstream.settings import Settings

FASTEST = 100.0


def play(
    settings: Settings,
    connection: psycopg.Connection,
    devices: Sequence[str],
    stretch: Stretch,
    topic: str,
    speed: float,
) -> None:
    """Play a stretch of devices into a topic, until its end or Ctrl-C.

    Raises:
        RegistryError: a device has nothing there to see; the topic is no place for it; or the
            broker is away.
    """
    if nothing := [one for one in devices if not stored.segments(connection, one, *stretch)]:
        raise RegistryError(f"of {', '.join(nothing)} there is nothing in this stretch that you may see")
    try:
        training.check(settings, topic)
        shards = training.shards(settings, topic, devices)
        found = [training.Recording(connection, one, stretch, shards[one]) for one in devices]
        lasts = timedelta(seconds=round((stretch.until_ns - stretch.since_ns) / 1e9 / speed))
        ends = (datetime.now(UTC) + lasts).isoformat(timespec="seconds")
        say(f"Playing {', '.join(one.device for one in found)} into {topic} until {ends}. Ctrl-C ends it.")
        with stop_on_signals() as stop:
            report = training.play(settings, found, topic, speed=speed, stop=stop)
    except (BrokerError, EnrolmentsUnknownError, NotAdmittedError, PlayError) as error:
        raise RegistryError(str(error)) from None
    except KafkaError as error:
        raise RegistryError(f"{settings.kafka}: {error or type(error).__name__}") from None
    said = "played" if report.complete else "ended before the end"
    say(f"{said}: {report.packets:,} packets and {report.vitals:,} numbers of {len(found)} devices")
    if report.waiting:
        raise RegistryError(f"{report.waiting:,} records were not taken by {settings.kafka}")
