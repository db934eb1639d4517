"""What the probes have seen. Times are of the watch's clock, in s (``clock.AwakeClock``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Spot = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A server was asked: it has answered, or ``trouble`` says why not."""

    asked_s: float
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group.

    Args:
        members: how many there are; ``None``: the broker does not know the group.
        done: the offset up to which it has committed, else where the log begins.
    """

    members: int | None
    done: Mapping[Spot, int]


@dataclass(frozen=True, slots=True)
class Log:
    """How far the log and its readers are.

    Args:
        ends: offset behind the last record.
        old: of the ingest topic: offset behind the records that came over a minute before the newest one.
    """

    asked_s: float
    ends: Mapping[Spot, int]
    groups: Mapping[str, Group]
    old: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Copies:
    """How many partitions have no leader, and how many lack some of their copies."""

    asked_s: float
    leaderless: int = 0
    thin: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """Where data lies. ``trouble``: why it cannot be looked at."""

    name: str
    free: int = 0
    total: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a gateway has said last.

    Args:
        oldest_s: how long its oldest spooled record waits; 0: none does.
        lost: how much of what it will never send, by name of the figure.
        lost_s: how long ago the last of it was lost; ``None``: nothing was.
    """

    heard_s: float
    oldest_s: float = 0.0
    spooled: int = 0
    disk_free: int | None = None
    lost: Mapping[str, float] = field(default_factory=dict)
    lost_s: float | None = None


@dataclass(frozen=True, slots=True)
class Gateways:
    """All gateways by name, and how far their topic has been read."""

    asked_s: float
    read: Mapping[Spot, int] = field(default_factory=dict)
    of: Mapping[str, Gateway] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hole:
    """Nobody is on duty in a team, who watches a region.

    Args:
        begins: in the team's zone; ``None``: it has begun.
        ends: the same; ``None``: nobody is on duty for as far as was looked.
    """

    team: str
    region: str
    zone: str
    begins: datetime | None
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Duty:
    """The holes of the roster that holds; none: there is none, or no roster.

    Args:
        unread: why the one that was published last cannot be read.
    """

    asked_s: float
    holes: Sequence[Hole] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is seen now; ``None``: not seen yet, or not to be watched."""

    brokers: Mapping[str, Contact] = field(default_factory=dict)
    database: Contact | None = None
    log: Log | None = None
    copies: Copies | None = None
    disks: Mapping[str, Disk] = field(default_factory=dict)
    gateways: Gateways | None = None
    duty: Duty | None = None
