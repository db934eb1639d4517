"""One play of the load on a site, to its end: until everything that was sent has gone all the way."""

import threading
import time
from dataclasses import dataclass

import psycopg

from ecgstream.centre import GROUPS
from ecgstream.chaos import alarms, compare, load
from ecgstream.chaos.receiver import Post
from ecgstream.chaos.site import Site
from ecgstream.demo.settle import settle
from schemas import topics
from schemas.conditions import Code

_STEP_S = 0.2
_OVERTIME_S = 90.0
"""How much longer than its signal a play may take, wall-clock s: gateways begin late and must catch up."""
_SETTLE_PATIENCE_S = 90.0
_STORED = (topics.INGEST, topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS)


class PlayError(RuntimeError):
    """A play does not come to its end; the message says where it hangs."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a play has left: the clinical tables, the lost links, what the receiver was told."""

    tables: compare.Contents
    lost_links: list[alarms.LostLink]
    posts: list[Post]


def to_the_end(site: Site, stop: threading.Event) -> Left:
    """Play to the end, keep what is kept running, wait until all is stored; return what is left.

    Raises:
        PlayError: it does not come to its end, or ``stop`` was set.
    """
    away_s = load.AWAY_S if site.far_lines else None
    deadline = time.monotonic() + load.SIGNAL_S / site.speed + _OVERTIME_S
    while not site.is_played():
        if away_s is not None:
            _hold_off(site, away_s)
        _keep(site, stop)
        if time.monotonic() > deadline:
            raise PlayError("the gateways have not come to their end")
    return Left(*_settled(site, stop), site.receiver.posts())


def _hold_off(site: Site, away_s: tuple[float, float]) -> None:
    """Keep the far gateway away from Kafka when it is time."""
    away = away_s[0] <= site.signal_s() < away_s[1]
    for line in site.far_lines:
        if away and not line.is_cut:
            line.cut()
        elif line.is_cut and not away:
            line.mend()


def _keep(site: Site, stop: threading.Event) -> None:
    site.centre.restart_what_ended()
    if stop.wait(_STEP_S):
        raise PlayError("ended by a signal before its end")


def _settled(site: Site, stop: threading.Event) -> tuple[compare.Contents, list[alarms.LostLink]]:
    steps = (("worker", (topics.INGEST,)), ("pager", (topics.CONDITIONS,)), ("sink", _STORED))
    deadline = time.monotonic() + _SETTLE_PATIENCE_S

    def wait(what: str) -> None:
        _keep(site, stop)
        if time.monotonic() > deadline:
            raise PlayError(f"{what} does not come to its end")

    with psycopg.connect(site.settings.database.get_secret_value(), autocommit=True) as connection:
        while not _all_links_lost(connection):
            wait("the last lost link")
        for service, followed in steps:
            while settle(site.settings, GROUPS[service], followed, 1.0):
                wait(service)
        return compare.read(connection, but=load.FAR_DEVICES), alarms.lost_links(connection)


def _all_links_lost(connection: psycopg.Connection) -> bool:
    """Return whether the play's end is known of every device: what comes last is its lost link."""
    found = connection.execute(
        "SELECT count(DISTINCT device) FROM ecg.alert WHERE condition = %s AND onset_ns > %s",
        (Code.LINK_LOST.name, load.START_NS + round((load.SIGNAL_S - 2) * 1e9)),
    ).fetchone()
    return found == (len(load.DEVICES),)
