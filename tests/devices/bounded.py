"""A gateway whose spool is kept within bounds, and what is looked at of it in tests."""

from pathlib import Path

import numpy as np

from devices.backlog import GAP_S
from devices.bounds import Bounds, Keeper
from devices.shipper import Shipper
from devices.spool import Spool
from devices.tally import Lost
from schemas import codec, mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, PLETH_KIND, Channel, Packet, Vital
from tests.devices.lines import Sent
from tests.devices.shipping import PARTITIONS, Gateway
from tests.devices.spooling import SESSION, START_NS

NS = 10**9
RATE = 50.0
ROOMY = 10**12
"""Bytes that a disk has left."""
DAY_S = 86_400.0


class Ward(Gateway):
    """A gateway whose spool is kept within bounds."""

    def __init__(self, path: Path, within: Bounds, gap_s: float = GAP_S) -> None:
        self.within = within
        self.gap_s = gap_s
        self.given: list[Bundle] = []
        super().__init__(path)

    def restart(self) -> None:
        if hasattr(self, "spool"):
            self.die()
        self.spool = Spool(self.path, steady_s=lambda: self.s)
        self.spool._connection.execute("PRAGMA synchronous = OFF")  # no power fails here
        self.shipper = Shipper(self.spool, gateway="gw", partitions=PARTITIONS, gap_s=self.gap_s)
        self.keeper = Keeper(self.spool, self.shipper, self.within)

    def take(self, *bundles: Bundle) -> None:
        self.given += bundles
        super().take(*bundles)

    def trim(self, disk_free: int = ROOMY) -> int:
        """Give up all that must be; return in how many steps."""
        steps = 0
        while self.keeper.step(START_NS, disk_free):
            steps += 1
            assert steps < 10_000
        return steps

    @property
    def lost(self) -> Lost:
        return self.spool.tally.lost

    @property
    def bytes(self) -> int:
        return self.spool.held().bytes


def second(seq: int, devices: str = "a", shard: int = 9) -> Bundle:
    """A second of ECG and pleth of each device, with SpO2, and a pressure now and then."""
    packets, vitals = [], []
    for device in devices:
        samples = (np.arange(int(RATE)) + seq).astype(np.int16)
        waves = [
            Channel(mdc.LEADS["II"], ECG_KIND, 0, RATE, 200.0, samples),
            Channel(mdc.PLETH, PLETH_KIND, 4, RATE, 1.0, samples),
        ]
        at_ns = SESSION + seq * NS
        packets.append(Packet(device, SESSION, seq, seq * int(RATE), at_ns, START_NS, waves))
        vitals.append(Vital(device, SESSION, at_ns, mdc.SPO2, 97.0))
        if seq % 40 == 0:
            vitals.append(Vital(device, SESSION, at_ns, mdc.NIBP_SYS, 120.0))
    return Bundle.of("gw", shard, START_NS + seq, packets, vitals)


def bundles(sent: list[Sent], topic: str | None = None) -> list[Bundle]:
    found = [codec.decode(s.value) for s in sent if topic in (None, s.topic)]
    return [b for b in found if isinstance(b, Bundle)]
