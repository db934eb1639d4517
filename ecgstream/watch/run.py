"""The watch's process: probes, rules, alarms, and those who tell."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import structlog

from alerts.channels.webhook import Webhook
from alerts.notify import Page
from ecgstream.embedded.process import lock_directory
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.settings import PREFIX, Settings
from ecgstream.watch import metrics, probes
from ecgstream.watch.alarms import Alarms
from ecgstream.watch.book import Book
from ecgstream.watch.clock import AwakeClock
from ecgstream.watch.kafka import BrokerDisksLook, CopiesLook, GatewaysLook, LogLook
from ecgstream.watch.probes import Look, Probe
from ecgstream.watch.roster import RosterLook
from ecgstream.watch.rules import Rules
from ecgstream.watch.rules.limits import ASK_S, Limits
from ecgstream.watch.rules.pipeline import WORKERS
from ecgstream.watch.sight import Contact, Copies, Disk, Duty, Gateways, Log, Sight
from ecgstream.watch.tell import Heartbeat, Teller
from schemas.conditions import Code

TICK_S = 0.5
COPIES_S = 3.0
DISKS_S = 30.0
ROSTER_S = 30.0
STUCK_S = 5.0
"""How long the rules may not have been applied, before the heartbeat is withheld."""
HANGS_S = 30.0
"""How long a look may take, before the heartbeat is withheld."""
BLIND_S = 60.0
"""How long what should be seen may not have been seen; the same."""
GIVE_UP_S = 120.0
"""How long a look may take, before the watch ends itself."""
GAVE_UP = 70
"""Exit status of a watch that cannot go on (EX_SOFTWARE); its supervisor starts it again."""

log = structlog.get_logger()


class Eyes:
    """All probes, and what they see together."""

    def __init__(self, settings: Settings, clock: AwakeClock) -> None:
        url = settings.database.get_secret_value()

        def probe(name: str, look: Look[Any], every_s: float) -> Probe[Any]:
            return Probe(name, look, every_s, clock)

        addresses = [address.strip() for address in settings.kafka.split(",")]
        self._brokers: Mapping[str, Probe[Contact]] = {
            a: probe(f"broker {a}", probes.BrokerLook(settings, a), ASK_S) for a in addresses
        }
        self._database: Probe[Contact] | None = (
            probe("database", probes.DatabaseLook(url), ASK_S) if url else None
        )
        self._log: Probe[Log] = probe("log", LogLook(settings), ASK_S)
        self._copies: Probe[Copies] = probe("copies", CopiesLook(settings), COPIES_S)
        self._gateways: Probe[Gateways] = probe("gateways", GatewaysLook(settings), ASK_S)
        disks = probes.DisksLook(probes.folders(settings), url, settings.database_volume_gb)
        self._disks: Probe[Mapping[str, Disk]] = probe("disks", disks, DISKS_S)
        self._broker_disks: Probe[Mapping[str, Disk]] = probe(
            "broker disks", BrokerDisksLook(settings), DISKS_S
        )
        self._duty: Probe[Duty] = probe("duty", RosterLook(settings), ROSTER_S)
        self._clock = clock

    def all(self) -> list[Probe[Any]]:
        """Return the probes."""
        found: list[Probe[Any]] = [*self._brokers.values(), self._log, self._copies, self._gateways]
        found += [self._disks, self._broker_disks, self._duty]
        return found if self._database is None else [*found, self._database]

    def sight(self) -> Sight:
        """Return all that is seen now."""
        return Sight(
            {a: p.seen for a, p in self._brokers.items() if p.seen is not None},
            None if self._database is None else self._database.seen,
            self._log.seen,
            self._copies.seen,
            {**(self._disks.seen or {}), **(self._broker_disks.seen or {})},
            self._gateways.seen,
            self._duty.seen,
        )

    def hanging(self, for_s: float) -> list[str]:
        """Return the probes whose look takes that long."""
        now_s = self._clock()
        return [probe.name for probe in self.all() if now_s - probe.looked_s > for_s]

    def unseen(self, for_s: float) -> list[str]:
        """Return what has never been seen, or not for so long, though a broker answers."""
        contacts = [*self._brokers.values(), *([self._database] if self._database is not None else [])]
        if never := [probe.name for probe in contacts if probe.seen is None]:
            return never
        if all(p.seen is None or p.seen.trouble for p in self._brokers.values()):
            return []  # Kafka is away, and that is seen
        now_s = self._clock()
        of_kafka: list[Probe[Any]] = [self._log, self._copies, self._gateways, self._duty]
        return [p.name for p in of_kafka if p.seen is None or now_s - p.seen.asked_s > for_s]


class Watch:
    """Applies the rules to what is seen, again and again. ``tells``: there is somebody to be told."""

    def __init__(self, eyes: Eyes, rules: Rules, book: Book, clock: AwakeClock, *, tells: bool) -> None:
        self._eyes = eyes
        self._rules = rules
        self._book = book
        self._tells = tells
        self._alarms = Alarms(book.alarms())
        self._clock = clock
        self._judged_s: float | None = None

    @property
    def stuck_s(self) -> float:
        """How long ago the rules were applied."""
        return float("inf") if self._judged_s is None else self._clock() - self._judged_s

    def step(self) -> None:
        """Apply the rules once."""
        sight, now_s = self._eyes.sight(), self._clock()
        pages = self._alarms.step(self._rules.judge(sight, now_s), now_s, time.time_ns())
        for page in pages:
            say = log.error if page.what == "RAISED" else log.info
            say("alarm", what=page.what, condition=page.condition, alert=page.alert, text=page.text)
        self._book.note(self._alarms.open.values(), pages if self._tells else ())
        self._judged_s = now_s
        self._measure(sight)

    def _measure(self, sight: Sight) -> None:
        open_ = [alarm.code for alarm in self._alarms.open.values()]
        for code in Code:
            if code >= Code.PIPELINE_STALLED:
                metrics.ALARMS.labels(code.name).set(open_.count(code))
        if sight.log is None:
            return
        for group, found in sight.log.groups.items():
            waiting = {spot: max(0, sight.log.ends.get(spot, 0) - done) for spot, done in found.done.items()}
            metrics.WAITING.labels(group).set(sum(waiting.values()))
            metrics.MEMBERS.labels(group).set(found.members or 0)
            if group == WORKERS:
                for (_, number), records in waiting.items():
                    metrics.PARTITION_WAITING.labels(str(number)).set(records)


def run(settings: Settings) -> None:
    """Run the watch until SIGTERM or Ctrl-C. It starts whatever is away: that is its work."""
    set_up_logging(settings, "watch")
    # It would say with every try what the probes say once; and of Faust's members, that it cannot read them.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    folder = settings.data / "watch"
    if lock_directory(folder) is None:
        sys.exit(f"ecgstream watch: another watch uses {folder}: give this one its own {PREFIX}DATA")
    clock = AwakeClock()
    book = Book(folder / "book.json")
    eyes = Eyes(settings, clock)
    send = _notifier(settings)
    watch = Watch(eyes, Rules(Limits.of(settings)), book, clock, tells=send is not None)
    teller = None if send is None else Teller(book, send, clock)

    def blind() -> Sequence[str]:
        return [
            *(["the rules"] if watch.stuck_s > STUCK_S else []),
            *(f"{name} hangs" for name in eyes.hanging(HANGS_S)),
            *(f"{name} is not seen" for name in eyes.unseen(BLIND_S)),
            *(["nothing can be told"] if teller is not None and teller.failing_s > BLIND_S else []),
        ]

    heartbeat = Heartbeat(settings.heartbeat_url.get_secret_value(), settings.heartbeat_s, blind)
    with serve(settings, "watch") as health, stop_on_signals() as stop:
        log.info("watch_started", open=len(book.alarms()), untold=len(book.pages()))
        for probe in eyes.all():
            _start(probe.name, probe.run, stop)
        if teller is not None:
            _start("teller", teller.run, stop)
        _start("heartbeat", heartbeat.run, stop)
        _watch(watch, eyes, health, stop)
        log.info("watch_stopped")


def _watch(watch: Watch, eyes: Eyes, health: Health, stop: threading.Event) -> None:
    while not stop.wait(TICK_S):
        watch.step()
        health.beat()
        health.ready(not eyes.unseen(BLIND_S))
        if hanging := eyes.hanging(GIVE_UP_S):
            give_up(f"{', '.join(hanging)} hangs")


def _notifier(settings: Settings) -> Callable[[Page], None] | None:
    url = settings.notify_url.get_secret_value()
    if not url:
        log.warning("nobody_is_told", what_to_do=f"set {PREFIX}NOTIFY_URL: alarms are in this log only")
        return None
    try:
        return Webhook(url).send
    except ValueError as error:
        sys.exit(f"ecgstream watch: {PREFIX}NOTIFY_URL: {error}")


def _start(name: str, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
    def guarded() -> None:
        try:
            work(stop)
        except Exception:
            log.exception("thread_ended", thread=name)
            give_up(f"{name} has ended")

    threading.Thread(target=guarded, name=name, daemon=True).start()


def give_up(reason: str) -> NoReturn:
    """End the process: a thread that hangs could be ended in no other way."""
    log.error("watch_ends_itself", reason=reason)
    os._exit(GAVE_UP)
