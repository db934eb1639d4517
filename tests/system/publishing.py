"""A gateway within a test: a publisher with a spool of its own."""

import math
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devices.publisher import Publisher
from devices.spool import Spool
from ecgstream.settings import Settings


@contextmanager
def publishing(
    settings: Settings,
    folder: Path,
    *,
    security: Mapping[str, Any] = MappingProxyType({}),
    gap_s: float = math.inf,
) -> Iterator[Publisher]:
    """Give a publisher.

    By default everything goes in order however long it waits: where signals run a hundred times faster than
    life, the first stop for breath of a busy machine would be a gap of a minute.
    """
    with closing(Spool(folder / "test.spool")) as spool:
        publisher = Publisher(
            settings.kafka,
            spool,
            gateway="gw-test",
            partitions=settings.partitions,
            security=security,
            gap_s=gap_s,
        )
        with closing(publisher):
            yield publisher
