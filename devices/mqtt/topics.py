"""Topics ``ecgstream/v1/SHARD/DEVICE/packets`` (``vitals``, ``status``), and which of them a gateway takes.

A device's shard (``Enrolment.shard``) stands in its topics so that gateways can divide devices among
themselves: each subscribes to the shards of its share, and so all that a device sends stays at one gateway,
in its order. MQTT's shared subscriptions would spread it over all of them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from devices.errors import MessageError
from schemas.checks import DEVICE_ID, SHARDS

ROOT = "ecgstream/v1"
_EVERYTHING = f"{ROOT}/+/+/+"
_SHARD = re.compile(r"0|[1-9][0-9]{0,3}")
_NOT_IN_A_TOPIC = re.compile(r"[+#]")
_SHARE = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


class Kind(StrEnum):
    """What is published under a topic."""

    PACKETS = "packets"
    VITALS = "vitals"
    STATUS = "status"


class Topic(NamedTuple):
    """Whose topic it is, and of what."""

    shard: int
    device: str
    kind: Kind


def topic_of(text: str) -> Topic:
    """Return what a topic says.

    Raises:
        MessageError: it is none of ours.

    >>> topic_of("ecgstream/v1/7/dev-1/packets")
    Topic(shard=7, device='dev-1', kind=<Kind.PACKETS: 'packets'>)
    """
    root, *rest = text.rsplit("/", 3)
    if root != ROOT or len(rest) != 3:
        raise MessageError(f"a topic is {ROOT}/SHARD/DEVICE/packets, …/vitals or …/status")
    shard, device, kind = rest
    if not _SHARD.fullmatch(shard) or int(shard) >= SHARDS:
        raise MessageError(f"a topic's shard is 0 to {SHARDS - 1}")
    if not DEVICE_ID.fullmatch(device) or _NOT_IN_A_TOPIC.search(device):
        raise MessageError("a topic's device is none that can be")
    if kind not in [*Kind]:
        raise MessageError(f"a topic ends in {', '.join(Kind)}")
    return Topic(int(shard), device, Kind(kind))


@dataclass(frozen=True, slots=True)
class Share:
    """Share ``number`` of ``shares``, from 1: each shard that leaves ``number - 1`` by ``shares``."""

    number: int = 1
    shares: int = 1

    @classmethod
    def of(cls, text: str) -> "Share":
        """Return the share that ``K/N`` names.

        Raises:
            ValueError: there is no such share.

        >>> Share.of("2/3")
        Share(number=2, shares=3)
        """
        found = _SHARE.fullmatch(text)
        number, shares = (int(part) for part in found.groups()) if found else (0, 0)
        if not 1 <= number <= shares <= SHARDS:
            raise ValueError(f"a share is K/N, from 1/N to N/N, with N up to {SHARDS}")
        return cls(number, shares)

    def __str__(self) -> str:
        return f"{self.number}/{self.shares}"

    def wanted(self) -> list[str]:
        """Return the filters of this share; no two of them meet.

        >>> Share(2, 2048).wanted()
        ['ecgstream/v1/1/+/+', 'ecgstream/v1/2049/+/+']
        """
        if self.shares == 1:
            return [_EVERYTHING]
        return [_filter(shard) for shard in range(self.number - 1, SHARDS, self.shares)]

    def unwanted(self) -> list[str]:
        """Return the filters of all other shares, of any number of them."""
        wanted = {*self.wanted()}
        return [one for one in (_EVERYTHING, *map(_filter, range(SHARDS))) if one not in wanted]


def _filter(shard: int) -> str:
    return f"{ROOT}/{shard}/+/+"
