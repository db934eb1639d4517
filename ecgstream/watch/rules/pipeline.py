"""Rules of the log and those who read it: workers, the pager, the sink."""

from collections import defaultdict
from typing import ClassVar

from ecgstream.broker.access import ACCESS, Service
from ecgstream.watch.finding import Finding, NotFalling, Standing, Steps, Topic
from ecgstream.watch.rules.limits import (
    BEHIND_S,
    CHECKPOINT_S,
    FALLING_S,
    FRESH_S,
    IDLE_S,
    SINK_S,
    START_S,
    Limits,
)
from ecgstream.watch.sight import Log, Sight, Spot
from schemas import topics
from schemas.conditions import Code

WORKERS, SINK, PAGER = (ACCESS[s].group for s in (Service.WORKER, Service.SINK, Service.PAGER))
FOLLOWED = {
    WORKERS: (topics.INGEST,),
    SINK: ACCESS[Service.SINK].reads,
    PAGER: (topics.CONDITIONS, topics.ACKNOWLEDGEMENTS),
}
"""The topics in which a group commits its place."""
SIGNS = (topics.STATUS, topics.DEAD_LETTERS)
"""Of these a worker writes something for every bundle of signal, and for every record that it refuses."""


def _fresh(sight: Sight, now_s: float) -> Log | None:
    log = sight.log
    return None if log is None or now_s - log.asked_s > FRESH_S else log


class _Nobody:
    """A group without members: what its service should do, nobody does."""

    speaks_of: ClassVar[tuple[Topic, ...]]
    _GROUP: ClassVar[str]
    _TEXT: ClassVar[str]

    def __init__(self, limits: Limits) -> None:
        self.is_found = False
        self._limit_s = limits.stall_s
        self._steps = Steps()
        self._empty = Standing()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log = _fresh(sight, now_s)
        if log is None:
            return None
        members = log.groups[self._GROUP].members
        self._empty.see(None, self._steps.to(log.asked_s), waits=not members)
        self.is_found = self._empty.stood_s >= (START_S if members is None else self._limit_s)
        ((code, kind),) = self.speaks_of
        return [Finding(code, kind, "", self._empty.stood_s, self._TEXT)] if self.is_found else []


class NobodyWorks(_Nobody):
    """No worker is there."""

    speaks_of = ((Code.PIPELINE_STALLED, "workers"),)
    _GROUP = WORKERS
    _TEXT = "No worker runs: nothing is detected, for any patient. Start `ecgstream worker`."


class NobodyPages(_Nobody):
    """No pager is there."""

    speaks_of = ((Code.PAGER_STALLED, "pagers"),)
    _GROUP = PAGER
    _TEXT = "No pager runs: conditions are detected and nobody is paged. Start `ecgstream pager`."


class Stalled:
    """Partitions in which records wait and no worker gets on, or gets on without a checkpoint."""

    speaks_of: ClassVar[tuple[Topic, ...]] = (
        (Code.PIPELINE_STALLED, "partition"),
        (Code.PIPELINE_STALLED, "checkpoints"),
    )

    def __init__(self, limits: Limits, workers: NobodyWorks) -> None:
        self._limits = limits
        self._workers = workers
        self._steps = Steps()
        self._all: dict[int, Standing] = defaultdict(Standing)
        self._outputs: dict[int, Standing] = defaultdict(Standing)
        self._position: dict[int, Standing] = defaultdict(Standing)

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log = _fresh(sight, now_s)
        if log is None or log.groups[WORKERS].members is None:
            return None
        step_s = self._steps.to(log.asked_s)
        found = []
        for (_, number), waiting in sorted(_waiting(log, WORKERS).items()):
            position = log.groups[WORKERS].done[topics.INGEST.name, number]
            signs = tuple(log.ends.get((t.name, number), 0) for t in SIGNS)
            self._all[number].see((position, signs), step_s, waits=waiting > 0)
            self._outputs[number].see(signs, step_s)
            self._position[number].see(position, step_s, waits=waiting > 0)
            found += self._of(number, waiting)
        return None if self._workers.is_found else found  # of these the other rule speaks

    def _of(self, number: int, waiting: int) -> list[Finding]:
        stood_s = self._all[number].stood_s
        silent_before_s = self._outputs[number].stood_s - stood_s
        # Where devices were silent, a control record may be all that waits: it leaves no output, and its
        # position is taken in its turn among the snapshots.
        limit_s = self._limits.stall_s + (self._limits.spread_s if silent_before_s > IDLE_S else 0.0)
        evidence = {"stood_s": stood_s, "records": float(waiting)}
        if stood_s >= limit_s:
            text = (
                f"Partition {number} stands still for {stood_s:.0f} s while {waiting} records wait: its "
                "patients are watched by nobody here. Restart the worker that has it; its log says why."
            )
            return [Finding(Code.PIPELINE_STALLED, "partition", str(number), stood_s, text, evidence)]
        since_s = self._position[number].stood_s
        if since_s >= CHECKPOINT_S:
            text = (
                f"Partition {number} is processed, but without a checkpoint for {since_s:.0f} s: a restart "
                f"would process {waiting} records again. Look at the log of the worker that has it."
            )
            return [Finding(Code.PIPELINE_STALLED, "checkpoints", str(number), since_s, text, evidence)]
        return []


def _waiting(log: Log, group: str) -> dict[Spot, int]:
    """Return how many records wait for a group, by topic and partition."""
    done = log.groups[group].done
    return {spot: max(0, log.ends[spot] - offset) for spot, offset in done.items() if spot in log.ends}


class Behind:
    """Partitions whose worker gets on, but a minute or more behind the signal, and not closer to it."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.PIPELINE_BEHIND, "partition"),)

    def __init__(self, limits: Limits) -> None:
        self._stall_s = limits.stall_s
        self._steps = Steps()
        self._distance: dict[int, NotFalling] = defaultdict(lambda: NotFalling(0))
        self._position: dict[int, Standing] = defaultdict(Standing)

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log = _fresh(sight, now_s)
        if log is None:
            return None
        step_s = self._steps.to(log.asked_s)
        found = []
        for number, offset in sorted(log.old.items()):
            position = log.groups[WORKERS].done.get((topics.INGEST.name, number), offset)
            old = max(0, offset - position)
            self._distance[number].see(old, step_s)
            self._position[number].see(position, step_s)
            moves = self._position[number].stood_s < self._stall_s  # else it is stalled, or nobody's
            if moves and self._distance[number].stood_s >= FALLING_S:
                found.append(self._finding(number, old))
        return found

    def _finding(self, number: int, old: int) -> Finding:
        since_s = self._distance[number].stood_s
        text = (
            f"Partition {number} is processed more than {BEHIND_S:.0f} s behind the signal, and does not "
            f"catch up: {old} records are older. Its alarms come late. Start another worker, or find out "
            "what slows this one."
        )
        evidence = {"records": float(old)}
        return Finding(Code.PIPELINE_BEHIND, "partition", str(number), since_s, text, evidence)


class PagerStalled:
    """Conditions wait, and the pager does not take them."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.PAGER_STALLED, "conditions"),)

    def __init__(self, limits: Limits, pagers: NobodyPages) -> None:
        self._pagers = pagers
        self._limit_s = limits.stall_s
        self._steps = Steps()
        self._place: dict[Spot, Standing] = defaultdict(Standing)

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log = _fresh(sight, now_s)
        if log is None:
            return None
        found = _longest_wait(log, PAGER, self._place, self._steps)
        if self._pagers.is_found:
            return None  # of it the other rule speaks
        if found is None or found[0] < self._limit_s:
            return []
        stood_s, waiting = found
        text = (
            f"{waiting} alarm conditions or acknowledgements wait for the pager, for {stood_s:.0f} s: nobody "
            "is paged. Restart `ecgstream pager`; its log says why it stands."
        )
        evidence = {"stood_s": stood_s, "records": float(waiting)}
        return [Finding(Code.PAGER_STALLED, "conditions", "", stood_s, text, evidence)]


class SinkStalled:
    """While the database is away, the sink stands as it should, and another rule speaks."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.SINK_STALLED, "sink"),)

    def __init__(self) -> None:
        self._steps = Steps()
        self._place: dict[Spot, Standing] = defaultdict(Standing)

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log, database = _fresh(sight, now_s), sight.database
        if log is None or database is None:
            return None
        if database.trouble or now_s - database.asked_s > FRESH_S:
            self._place.clear()
            return None
        found = _longest_wait(log, SINK, self._place, self._steps)
        if found is None or found[0] < SINK_S:
            return []
        stood_s, waiting = found
        text = (
            f"{waiting} records wait for the sink, for {stood_s:.0f} s: findings are not stored, screens "
            "show nothing new. Kafka keeps them. Restart `ecgstream sink`; its log says why it stands."
        )
        evidence = {"stood_s": stood_s, "records": float(waiting)}
        return [Finding(Code.SINK_STALLED, "sink", "", stood_s, text, evidence)]


def _longest_wait(
    log: Log, group: str, place: dict[Spot, Standing], steps: Steps
) -> tuple[float, int] | None:
    """Return how long a group has stood where it has stood longest, and how many records wait in all."""
    step_s = steps.to(log.asked_s)
    waiting = _waiting(log, group)
    for spot, count in waiting.items():
        place[spot].see(log.groups[group].done[spot], step_s, waits=count > 0)
    longest = max((place[spot].stood_s for spot in waiting), default=0.0)
    return (longest, sum(waiting.values())) if longest else None
