"""What every gateway has that takes in what devices have measured: its spool, and who may send."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import structlog
from kafka.errors import KafkaError

from devices.bounds import Bounds
from devices.enrolment_follower import PATIENCE_S, Follower
from devices.publisher import Publisher
from devices.spool import Spool
from ecgstream import __version__, clients, gateway_metrics
from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerAwayError, BrokerError
from ecgstream.broker.ready import check
from ecgstream.settings import Settings

KAFKA_PATIENCE_S = 5.0
"""How long a start waits for a broker; then devices are heard without."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger()


def check_name(gateway: str) -> None:
    """End the process, with one line, where a gateway cannot go by this name."""
    if not _NAME.fullmatch(gateway):
        sys.exit(
            "ecgstream gateway: a gateway's name is 1 to 64 letters, digits, dots, dashes or underscores"
        )


def kafka_is_there(settings: Settings) -> bool:
    """Return whether a broker lets us in; one that refuses us ends the process, with one line."""
    try:
        check(settings, Service.GATEWAY, KAFKA_PATIENCE_S)
    except (BrokerAwayError, KafkaError) as error:
        log.warning("starts without Kafka, from what it knew last", reason=str(error) or type(error).__name__)
        return False
    except BrokerError as error:
        sys.exit(f"ecgstream gateway: {error}")
    return True


@contextmanager
def edge(
    settings: Settings, name: str, beat: Callable[[], None] = lambda: None
) -> Iterator[tuple[Publisher, Follower]]:
    """Give the publisher of a gateway, which is still to be started, and what it knows of enrolments.

    Args:
        settings: the gateway's.
        name: that it goes by.
        beat: called now and then while it begins, which takes long where much is spooled.

    Raises:
        EnrolmentsUnknownError: neither the broker nor a file says which devices are enrolled.
        SpoolError: another process has the spool, or it cannot be used.
    """
    # It says ten times a second that a broker is away; we say it once a minute.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    patience_s = PATIENCE_S if kafka_is_there(settings) else 1.0
    security, cache = clients.security(settings), settings.data / f"enrolments-{name}"
    with (
        closing(Spool(settings.spool / f"{name}.spool")) as spool,
        Follower(settings.kafka, cache, security=security, patience_s=patience_s) as follower,
        closing(
            Publisher(
                settings.kafka,
                spool,
                gateway=name,
                partitions=settings.partitions,
                security=security,
                version=__version__,
                bounds=Bounds.of(settings.spool_max_gb, settings.spool_max_days),
                beat=beat,
                on_standing=gateway_metrics.show,
            )
        ) as publisher,
    ):
        yield publisher, follower
