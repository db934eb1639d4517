"""How a gateway stands, for those who watch over it: its status record, and what its log says early."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from devices.clock import Clocks
from devices.counts import Held
from devices.tally import Lost, Tally
from schemas.records import GatewayStatus, Packet

HEARD_S = 60.0
"""A device counts as heard for so long."""
SAY_EVERY_S = 60.0
LOSING_S = 60.0
"""Data count as being lost until nothing more was for so long."""
SCARCE_SHARE, SCARCE_BYTES, LAST_SHARE = 0.20, 1_000_000_000, 0.05
NOTHING = Lost()
_MB = 1_000_000
_NS = 1_000_000_000


class Disk(NamedTuple):
    """The disk that the spool lies on, bytes."""

    total: int
    free: int


def disk_of(folder: Path) -> Disk:
    """Return how full a folder's disk is."""
    found = shutil.disk_usage(folder)
    return Disk(found.total, found.free)


def scarcity(disk: Disk) -> str:
    """Return ``"error"`` where hardly anything is left, ``"warning"`` where less than is wise, else ``""``.

    >>> [scarcity(Disk(100 * 10**9, free * 10**9)) for free in (21, 19, 4)]
    ['', 'warning', 'error']
    >>> scarcity(Disk(4 * 10**9, 9 * 10**8))
    'warning'
    """
    if disk.free < LAST_SHARE * disk.total:
        return "error"
    return "warning" if disk.free < SCARCE_SHARE * disk.total or disk.free < SCARCE_BYTES else ""


class Standing:
    """What is known of the gateway's state; one thread says it, others may tell what they see.

    ``refused`` counts packets and numbers that were not taken; ``lost`` is what had been lost before.
    """

    def __init__(
        self,
        gateway: str,
        version: str,
        folder: Path,
        *,
        lost: Lost = NOTHING,
        disk: Callable[[Path], Disk] = disk_of,
        log: Any = None,
    ) -> None:
        self.refused = 0
        self.clocks = Clocks()
        """Of devices that send; of those that are played nothing is told to it."""
        self._gateway = gateway
        self._version = version
        self._folder = folder
        self._disk = disk
        self._log = log if log is not None else structlog.get_logger().bind(gateway=gateway)
        self._lost = lost
        self._lost_s = float("-inf")
        self._heard_ns: dict[str, int] = {}
        self._said: dict[str, tuple[float, str]] = {}

    def hear(self, devices: Iterable[str], now_ns: int) -> None:
        """Hear that these devices have given something."""
        self._heard_ns.update(dict.fromkeys(devices, now_ns))

    def time(self, packet: Packet) -> None:
        """Hear of a packet that has come now, and say whose clock has moved."""
        ahead_s = self.clocks.hear(packet)
        if ahead_s is None:
            return
        if ahead_s:
            self._log.warning(
                "a device's clock is off; its times are kept as they are",
                device=packet.device,
                ahead_s=round(ahead_s, 1),
            )
        else:
            self._log.info("a device's clock is right again", device=packet.device)

    def disk_free(self) -> int:
        """Return how many bytes the spool's disk has left."""
        return self._disk(self._folder).free

    def status(self, now_ns: int, held: Held, backlog: int, tally: Tally) -> GatewayStatus:
        """Return the record for those who watch from afar; ``backlog``: records that go that way."""
        lost = tally.lost
        since_ns = now_ns - round(HEARD_S * _NS)
        return GatewayStatus(
            self._gateway,
            now_ns,
            sum(at_ns >= since_ns for at_ns in list(self._heard_ns.values())),
            held.records,
            held.bytes,
            held.oldest_ns,
            backlog,
            self.refused,
            self.disk_free(),
            self._version,
            lost.numbers,
            lost.wave_s,
            lost.ecg_s,
            lost.records,
            tally.lost_ns,
            len(self.clocks.off),
        )

    def say(self, now_s: float, held: Held, lost: Lost, *, away: str, trouble: str) -> None:
        """Log what is wrong, at once and then once a minute, and that it is over.

        Args:
            now_s: the steady clock.
            held: how much waits.
            lost: what will never be in Kafka.
            away: why Kafka takes nothing; empty: it does.
            trouble: why the spool's disk takes nothing; empty: it does.
        """
        disk = self._disk(self._folder)
        figures = {
            "spooled_records": held.records,
            "spooled_mb": round(held.bytes / _MB, 1),
            "disk_free_mb": disk.free // _MB,
        }
        level = scarcity(disk)
        self._say(
            "away",
            now_s,
            "warning" if away else "",
            "Kafka takes nothing; devices' data is spooled",
            "Kafka takes data again",
            why=away,
            **figures,
        )
        self._say(
            "trouble",
            now_s,
            "error" if trouble else "",
            "the spool cannot be written: data is kept in memory, and lost with the power. Free its disk",
            "the spool can be written again",
            why=trouble,
            **figures,
        )
        self._say(
            "disk",
            now_s,
            level,
            "the spool's disk is getting full: free it",
            "the spool's disk has room again",
            folder=str(self._folder),
            **figures,
        )
        if lost != self._lost:
            self._lost, self._lost_s = lost, now_s
        self._say(
            "lost",
            now_s,
            "error" if now_s < self._lost_s + LOSING_S else "",
            "data of devices are lost: the spool is full or too old, or its disk gives back damaged records",
            "nothing more is lost",
            lost=asdict(lost),
            **figures,
        )

    def _say(self, what: str, now_s: float, level: str, bad: str, good: str, **figures: Any) -> None:
        said_s, said = self._said.get(what, (0.0, ""))
        if level != said or (level and now_s >= said_s + SAY_EVERY_S):
            self._said[what] = (now_s, level)
            getattr(self._log, level or "info")(bad if level else good, **figures)
