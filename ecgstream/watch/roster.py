"""Looking at the duty roster, as the pager knows it: when will nobody be on duty?

It holds accounts and times, and nothing of any patient.
"""

import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from alerts.roster.civil import DAY_NS, local
from alerts.roster.duty import Watch, holes
from alerts.roster.model import Roster
from alerts.roster.read import RosterError
from ecgstream import clients
from ecgstream.duty_roster import PARTITION, Latest
from ecgstream.settings import Settings
from ecgstream.watch.sight import Duty, Hole
from ecgstream.whole import records
from schemas import topics
from schemas.errors import BadRecordError

AHEAD_NS = DAY_NS
"""A hole that begins within this time is told."""
FAR_NS = 31 * DAY_NS
"""How far its end is looked for."""
POLL_MS = 1000


def ahead(roster: Roster, now_ns: int) -> list[Hole]:
    """Return the holes that have begun or soon will, the earliest first; ``now_ns``: UTC."""
    return [
        _hole(roster, found, now_ns)
        for found in holes(roster, now_ns, now_ns + FAR_NS)
        if found.from_ns < now_ns + AHEAD_NS
    ]


def _hole(roster: Roster, found: Watch, now_ns: int) -> Hole:
    team = roster.team_of[found.team]
    begins = None if found.from_ns <= now_ns else local(found.from_ns, team.clock)
    ends = None if found.until_ns >= now_ns + FAR_NS else local(found.until_ns, team.clock)
    return Hole(team.name, team.region, team.zone, begins, ends)


class RosterLook:
    """Follows the roster's topic, from its beginning; after a failure from there again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: KafkaConsumer | None = None
        self._latest = Latest()
        self._unread = ""

    def __call__(self, now_s: float) -> Duty:
        """Return what is seen."""
        try:
            for record in self._come():
                self._take(record.value)
        except BaseException:
            self.close()
            raise
        roster = self._latest.roster
        return Duty(now_s, () if roster is None else ahead(roster, time.time_ns()), self._unread)

    def close(self) -> None:
        """Close the consumer."""
        made, self._reader = self._reader, None
        if made is not None:
            made.close(autocommit=False)

    def _come(self) -> Iterator[Any]:
        """Yield what has come since; at first all that there is."""
        source = TopicPartition(topics.ROSTER.name, PARTITION)
        if self._reader is None:
            self._latest, self._unread = Latest(), ""
            self._reader = clients.reader(self._settings)
            yield from (record for _, record in records(self._reader, [source]))
        else:
            yield from self._reader.poll(timeout_ms=POLL_MS).get(source, ())

    def _take(self, value: bytes | None) -> None:
        try:
            self._latest.take(value)
        except (BadRecordError, RosterError) as error:
            self._unread = type(error).__name__
        else:
            self._unread = ""
