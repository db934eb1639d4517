"""A system that the watch looks at, on a clock of its own: what happens a second is said by each test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.notify import Page
from alerts.roster.model import Roster
from ecgstream.watch.alarms import Alarms
from ecgstream.watch.roster import ahead
from ecgstream.watch.rules import Rules
from ecgstream.watch.rules.limits import Limits
from ecgstream.watch.rules.pipeline import FOLLOWED, PAGER, SINK, WORKERS
from ecgstream.watch.sight import (
    Contact,
    Copies,
    Disk,
    Duty,
    Gateway,
    Gateways,
    Group,
    Hole,
    Log,
    Sight,
    Spot,
)
from schemas import topics

INGEST, STATUS, CONDITIONS, BEATS = (
    t.name for t in (topics.INGEST, topics.STATUS, topics.CONDITIONS, topics.BEATS)
)
NS = 1_000_000_000


@dataclass
class World:
    """Everything is well, idle, and seen each second, until a test says otherwise."""

    partitions: int = 2
    limits: Limits = field(default_factory=Limits)
    now_s: float = 1000.0
    brokers: dict[str, str] = field(default_factory=lambda: {"kafka-1:9092": ""})
    database: str | None = ""
    members: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(FOLLOWED, 1))
    leaderless: int = 0
    thin: int = 0
    gateways: dict[str, Gateway] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    roster: Roster | None = None
    unread: str = ""
    told: list[tuple[float, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = {t.name for followed in FOLLOWED.values() for t in followed} | {STATUS}
        self.ends: dict[Spot, int] = {(name, p): 0 for name in names for p in range(self.partitions)}
        self.done: dict[str, dict[Spot, int]] = {
            group: {(t.name, p): 0 for t in followed for p in range(self.partitions)}
            for group, followed in FOLLOWED.items()
        }
        self.old: dict[int, int] = {}
        self.log: Log | None = None
        self.copies: Copies | None = None
        self.heard: Gateways | None = None
        self.rules = Rules(self.limits)
        self.alarms = Alarms()
        self.pages: list[Page] = []
        self.began_s = self.now_s

    @property
    def kafka_is_away(self) -> bool:
        return all(self.brokers.values())

    def sight(self) -> Sight:
        if not self.kafka_is_away:
            groups = {g: Group(self.members[g], dict(self.done[g])) for g in FOLLOWED}
            self.log = Log(self.now_s, dict(self.ends), groups, dict(self.old))
            self.copies = Copies(self.now_s, self.leaderless, self.thin)
            self.heard = Gateways(self.now_s, {}, dict(self.gateways))
        return Sight(
            {address: Contact(self.now_s, trouble) for address, trouble in self.brokers.items()},
            None if self.database is None else Contact(self.now_s, self.database),
            self.log,
            self.copies,
            dict(self.disks),
            self.heard,
            Duty(self.now_s, self.holes(), self.unread),
        )

    def holes(self) -> list[Hole]:
        return [] if self.roster is None else ahead(self.roster, round(self.now_s * NS))

    def go_on(self, seconds: float, *each: Callable[[], None]) -> None:
        """Let time pass; ``each`` happens every second of it."""
        for _ in range(round(seconds)):
            self.now_s += 1.0
            for happens in each:
                happens()
            self.look()

    def look(self) -> None:
        verdict = self.rules.judge(self.sight(), self.now_s)
        for page in self.alarms.step(verdict, self.now_s, round(self.now_s * NS)):
            self.pages.append(page)
            self.told.append((self.now_s - self.began_s, page.what, page.condition))

    def since(self, mark_s: float) -> list[tuple[float, str, str]]:
        """What was told since a moment, each with the s since then."""
        shift_s = mark_s - self.began_s
        return [(round(t - shift_s, 3), what, code) for t, what, code in self.told if t > shift_s]

    # -- what may happen each second

    def devices_send(self) -> None:
        for p in range(self.partitions):
            self.ends[INGEST, p] += 2

    def worker_works(self) -> None:
        """As a real one: outputs at once, the position ten seconds behind."""
        for p in range(self.partitions):
            self.ends[STATUS, p] = self.ends[INGEST, p]
            behind = max(0, self.ends[INGEST, p] - 20)
            self.done[WORKERS][INGEST, p] = max(self.done[WORKERS][INGEST, p], behind)

    def sink_works(self) -> None:
        for spot in self.done[SINK]:
            self.done[SINK][spot] = self.ends[spot]

    def pager_works(self) -> None:
        for spot in self.done[PAGER]:
            self.done[PAGER][spot] = self.ends[spot]

    def all_is_well(self) -> None:
        self.devices_send()
        self.worker_works()
        self.sink_works()
        self.pager_works()
