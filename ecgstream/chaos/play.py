"""One play of the load on a site, to its end: until everything that was sent has gone all the way."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psycopg
from kafka import TopicPartition
from kafka.errors import KafkaError

from ecgstream import clients
from ecgstream.centre import GROUPS
from ecgstream.chaos import alarms, compare, load, watched
from ecgstream.chaos.receiver import Post
from ecgstream.chaos.site import Site
from ecgstream.demo.settle import settle
from ecgstream.member import end_offsets
from ecgstream.settings import Settings
from schemas import codec, topics
from schemas.conditions import Code
from schemas.records import Control, Lane, Notification, NotificationState
from schemas.topics import Topic

_STEP_S = 0.2
_OVERTIME_S = 90.0
"""How much longer than its signal a play may take, wall-clock s: gateways begin late and must catch up.
This and all patience is longer on a slow machine."""
_SETTLE_PATIENCE_S = 120.0
_FILL_PATIENCE_S = 60.0
_STORED = (
    *(topics.INGEST, topics.BACKFILL, topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS),
    *(topics.SEGMENTS, topics.ALERTS),
)


class PlayError(RuntimeError):
    """A play does not come to its end; the message says where it hangs."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a play has left: the clinical tables, the lost links, what the receiver was told.

    ``controls``: what the log says of each device besides its signal. ``wall_s``: how long after the play's
    begin all this was looked at. ``speed``, ``slowness``: see ``Site``.
    """

    tables: compare.Contents
    lost_links: list[alarms.LostLink]
    controls: dict[str, list[Control]]
    posts: list[Post]
    watched: list[watched.Watched]
    wall_s: float
    speed: float
    slowness: float


def to_the_end(site: Site, stop: threading.Event, is_over: Callable[[], bool] = lambda: True) -> Left:
    """Play to the end, keep what is kept running, wait until all is stored; return what is left.

    ``is_over``: whether all faults are.

    Raises:
        PlayError: it does not come to its end, or ``stop`` was set.
    """
    away_s = load.AWAY_S if site.far_lines else None
    deadline = time.monotonic() + load.SIGNAL_S / site.speed + _OVERTIME_S * site.slowness
    while not (site.is_played() and is_over()):
        if away_s is not None:
            _hold_off(site, away_s)
        _keep(site, stop)
        if time.monotonic() > deadline:
            raise PlayError("the gateways, or the faults, have not come to their end")
    return _settled(site, stop)


def _hold_off(site: Site, away_s: tuple[float, float]) -> None:
    """Keep the far gateway away from Kafka when it is time."""
    away = away_s[0] <= site.signal_s() < away_s[1]
    for line in site.far_lines:
        if away and not line.is_cut:
            line.cut(silent=site.silent)
        elif line.is_cut and not away:
            line.mend()


def _keep(site: Site, stop: threading.Event) -> None:
    site.centre.restart_what_ended()
    if stop.wait(_STEP_S):
        raise PlayError("ended by a signal before its end")


def _settled(site: Site, stop: threading.Event) -> Left:
    """Wait until all services have gone through all there is and all pages are sent; look at what is left."""
    steps = (("worker", (topics.INGEST,)), ("pager", (topics.CONDITIONS,)), ("sink", _STORED))
    deadline = time.monotonic() + _SETTLE_PATIENCE_S * site.slowness

    def wait(what: str) -> None:
        _keep(site, stop)
        if time.monotonic() > deadline:
            raise PlayError(f"{what} does not come to its end")

    with psycopg.connect(site.settings.database.get_secret_value(), autocommit=True) as connection:
        while not _all_links_lost(connection):
            wait("the last lost link")
        filled_by = time.monotonic() + _FILL_PATIENCE_S * site.slowness
        while site.far_lines and not _gaps_filled(connection) and time.monotonic() < filled_by:
            wait("the backlog")
        for service, followed in steps:
            while _lags(site.settings, service, followed):
                wait(service)
        while _pages_due(site.settings):
            wait("a page")
        posts = site.receiver.posts()
        return Left(
            compare.read(connection),
            alarms.lost_links(connection),
            _controls(site.settings),
            posts,
            watched.alarms(posts, site.begin_ns),
            site.signal_s() / site.speed,
            site.speed,
            site.slowness,
        )


def _lags(settings: Settings, service: str, followed: Iterable[Topic]) -> bool:
    try:
        return settle(settings, GROUPS[service], followed, 1.0) > 0
    except KafkaError:  # a broker that has just come back moves groups and leaders once more
        return True


def _pages_due(settings: Settings) -> bool:
    """Return whether the notification log has an entry that is neither sent nor given up."""
    newest = {key: codec.decode(value) for key, value in _log(settings, topics.NOTIFICATIONS) if value}
    return any(n.state is NotificationState.DUE for n in newest.values() if isinstance(n, Notification))


def _controls(settings: Settings) -> dict[str, list[Control]]:
    found: dict[str, list[Control]] = {}
    for _, value in _log(settings, topics.INGEST):
        record = codec.decode(value)
        if isinstance(record, Control):
            found.setdefault(record.device, []).append(record)
    return found


def _log(settings: Settings, topic: Topic) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of all records of a topic, from its beginning to its present end."""
    reader = clients.reader(settings)
    try:
        tps = [TopicPartition(topic.name, p) for p in range(settings.partitions)]
        reader.assign(tps)
        ends = end_offsets(reader, tps)
        reader.seek_to_beginning(*tps)
        while any(reader.position(tp) < ends[tp] for tp in tps):
            for records in reader.poll(timeout_ms=200).values():
                yield from ((record.key, record.value) for record in records)
    finally:
        reader.close()


def _gaps_filled(connection: psycopg.Connection) -> bool:
    """Return whether what the far devices sent afterwards is analysed; no group commits how far that is."""
    found = connection.execute(
        "SELECT count(*) FROM ecg.segment WHERE lane = %s AND to_sample IS NOT NULL AND device = ANY (%s)",
        (Lane.BACKFILL, list(load.FAR_DEVICES)),
    ).fetchone()
    return found == (len(load.FAR_DEVICES),)


def _all_links_lost(connection: psycopg.Connection) -> bool:
    """Return whether the play's end is known of every device: what comes last is its lost link."""
    found = connection.execute(
        "SELECT count(DISTINCT device) FROM ecg.alert WHERE condition = %s AND onset_ns > %s",
        (Code.LINK_LOST.name, load.START_NS + round((load.SIGNAL_S - 2) * 1e9)),
    ).fetchone()
    return found == (len(load.DEVICES),)
