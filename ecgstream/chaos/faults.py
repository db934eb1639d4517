"""How each fault is done to a site."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ecgstream.centre import GROUPS, stable_groups
from ecgstream.chaos.database import Server
from ecgstream.chaos.recovery import Progress
from ecgstream.chaos.schedule import BROKERS, LOADED, PAGER, SECOND_WORKER, SINK, WORKER, Fault, Kind, weight
from ecgstream.chaos.site import Site

log = structlog.get_logger()

_JOIN_PATIENCE_S = 40.0
_ZOMBIE_S = 10.0
"""How long a worker that was paused and its heir stay beside each other."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault as it was done, wall-clock s after the play began; ``trouble``: why it could not be done."""

    fault: Fault
    from_s: float
    to_s: float
    recovery_s: float | None
    trouble: str = ""


class Striker:
    """Does the faults of a round, each from a thread of its own, at its time.

    They are those for the pace of the site: see ``Round.slower``.
    """

    def __init__(
        self, site: Site, server: Server, progress: Progress, told: Callable[[Fault, str], None]
    ) -> None:
        self.struck: list[Struck] = []
        self._site = site
        self._server = server
        self._progress = progress
        self._told = told
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._deeds: dict[Kind, Callable[[Fault], None]] = {
            Kind.KILL_WORKER: self._kill,
            Kind.KILL_SINK: self._kill,
            Kind.KILL_PAGER: self._kill,
            Kind.KILL_GATEWAY: self._kill,
            Kind.BROKER_RESTART: self._restart_broker,
            Kind.DATABASE_RESTART: lambda _: self._server.restart(),
            Kind.DATABASE_OUTAGE: self._cut_database_off,
            Kind.SECOND_WORKER: self._second_worker,
            Kind.PAUSE: self._pause,
            **dict.fromkeys(LOADED, self._wait_out),
        }

    def begin(self, faults: tuple[Fault, ...]) -> None:
        """Let the faults come when it is their time."""
        for fault in faults:
            thread = threading.Thread(target=self._strike, args=(fault,), name=fault.kind, daemon=True)
            self._threads.append(thread)
            thread.start()

    def is_over(self) -> bool:
        """Return whether all have come, and were recovered from or given up."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Break off what has not come yet, and wait until what was struck is let go."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _strike(self, fault: Fault) -> None:
        w = weight(fault.kind, fault.target)
        if not self._until(fault.at_s - w.lead_s * self._site.slowness):
            return
        trouble = ""
        replaces = fault.target in GROUPS and fault.kind is not Kind.SECOND_WORKER
        gone = self._progress.members(fault.target) if replaces else frozenset()
        from_s = self._now_s()
        self._told(fault, "")
        try:
            self._deeds[fault.kind](fault)
        except Exception as error:  # the play goes on, and the judgement names what could not be done
            trouble = f"{type(error).__name__}: {error}"
            log.exception("fault_not_done", fault=fault.kind, target=fault.target)
        to_s = self._now_s()
        recovery_s = None if trouble else self._progress.recover(_felt_by(fault), gone)
        with self._lock:
            self.struck.append(Struck(fault, from_s, to_s, recovery_s, trouble))
        self._told(fault, trouble or _words(recovery_s))

    def _now_s(self) -> float:
        return self._site.signal_s() / self._site.speed

    def _until(self, at_s: float) -> bool:
        """Wait for a moment of the play; false: broken off."""
        return not self._stop.wait(max(0.0, at_s - self._now_s()))

    def _kill(self, fault: Fault) -> None:
        process = self._site.centre.process(fault.target)
        if not self._site.centre.signal(fault.target, signal.SIGKILL):
            raise RuntimeError(f"{fault.target} does not run")
        process.wait(10 * self._site.slowness)

    def _wait_out(self, fault: Fault) -> None:
        """Do nothing: it is part of what is played."""
        self._until(fault.end_s)

    def _restart_broker(self, fault: Fault) -> None:
        cluster = self._site.cluster
        if cluster is None:
            raise RuntimeError("one broker alone")
        index = BROKERS.index(fault.target)
        cluster.stop_broker(index)
        try:
            self._until(fault.end_s)
        finally:
            cluster.start_broker(index)

    def _cut_database_off(self, fault: Fault) -> None:
        line = self._site.database_line
        if line is None:
            raise RuntimeError("no line to the database")
        line.cut(silent=fault.silent)
        try:
            self._until(fault.end_s)
        finally:
            line.mend()

    def _second_worker(self, fault: Fault) -> None:
        self._site.start_second_worker()
        self._await_workers(2)
        self._until(fault.end_s)
        self._site.centre.stop(SECOND_WORKER)

    def _pause(self, fault: Fault) -> None:
        """Pause a process; a worker beside another, which takes its partitions: it wakes as a zombie."""
        zombie = fault.target == WORKER
        if zombie:
            self._site.start_second_worker()
            self._await_workers(2)
        self._until(fault.at_s)
        if not self._site.centre.signal(fault.target, signal.SIGSTOP):
            raise RuntimeError(f"{fault.target} does not run")
        try:
            self._until(fault.end_s)
        finally:
            self._site.centre.signal(fault.target, signal.SIGCONT)
        if zombie:
            self._stop.wait(_ZOMBIE_S * self._site.slowness)
            self._site.centre.stop(SECOND_WORKER)

    def _await_workers(self, members: int) -> None:
        group = GROUPS[WORKER]
        patience_s = _JOIN_PATIENCE_S * self._site.slowness
        deadline = time.monotonic() + patience_s
        while stable_groups(self._site.settings, [group]).get(group, 0) < members:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {members} workers after {patience_s:.0f} s")
            if self._stop.wait(0.5):
                return


def _words(recovery_s: float | None) -> str:
    return "not live again" if recovery_s is None else f"live again after {recovery_s:.1f} s"


def _felt_by(fault: Fault) -> tuple[str, ...]:
    """Return what recovers from a fault: see ``recovery``."""
    if fault.kind is Kind.BROKER_RESTART:
        return (WORKER, PAGER, SINK)
    if fault.kind in (Kind.DATABASE_RESTART, Kind.DATABASE_OUTAGE):
        return (SINK,)
    if fault.kind is Kind.REBOOT:
        return (WORKER,)
    return (fault.target,)
