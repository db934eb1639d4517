"""A spool and what ships it, without a thread; the test says when what happens."""

from pathlib import Path

from devices.bundler import Instant
from devices.parts import parts_of
from devices.shipper import Shipper
from devices.spool import Spool
from schemas.bundle import Bundle
from tests.devices.lines import FakeLine
from tests.devices.spooling import START_NS

PARTITIONS = 4


class Gateway:
    """A spool and what ships it; ``restart`` is what a kill and a new start leave of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.s = 100.0
        self.restart()

    def die(self) -> None:
        self.spool._connection.close()  # what is not committed is lost

    def restart(self) -> None:
        if hasattr(self, "spool"):
            self.die()
        self.spool = Spool(self.path)
        self.shipper = Shipper(self.spool, gateway="gw", partitions=PARTITIONS)

    def take(self, *bundles: Bundle) -> None:
        records = [self.spool.put(b.shard, b.created_ns, b.encode(), parts_of(b)) for b in bundles]
        self.spool.commit()
        for record in records:
            self.shipper.take(record)

    def step(self, line: FakeLine, s: float = 0.0) -> float:
        self.s += s
        return self.shipper.step(line, Instant(self.s, START_NS))  # type: ignore[arg-type]

    def drain(self, line: FakeLine) -> None:
        line.at_once = True
        line.acknowledge()
        for _ in range(10_000):
            self.step(line, 0.1)
            if self.spool.is_empty:
                return
        raise AssertionError("it comes to no end")
