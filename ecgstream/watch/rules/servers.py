"""Rules of the servers: brokers, their copies of what is written, the database."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ecgstream.watch.finding import Finding, Standing, Steps, Topic
from ecgstream.watch.rules.limits import FRESH_S, Limits
from ecgstream.watch.sight import Contact, Copies, Sight
from schemas.conditions import Code


class _Answers:
    """For how long servers have not answered, from when they were asked last before that."""

    def __init__(self) -> None:
        self._answered_s: dict[str, float] = {}

    def silent(self, servers: Mapping[str, Contact], now_s: float) -> dict[str, float]:
        for name, contact in servers.items():
            before = self._answered_s.setdefault(name, now_s)
            if not contact.trouble:
                self._answered_s[name] = max(before, contact.asked_s)
        return {name: now_s - self._answered_s[name] for name in servers}


class Brokers:
    """No broker answers."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.BROKER_AWAY, "brokers"),)

    def __init__(self, limits: Limits) -> None:
        self._limit_s = limits.silent_s
        self._answers = _Answers()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        if not sight.brokers:
            return None
        silent = self._answers.silent(sight.brokers, now_s)
        since_s = min(silent.values())
        if since_s < self._limit_s:
            return []
        text = (
            f"Kafka does not answer ({_troubles(sight)}). Nothing arrives, nothing is detected, nobody is "
            "paged; gateways keep what they receive. Look at the brokers, and at the network to them."
        )
        return [Finding(Code.BROKER_AWAY, "brokers", "", since_s, text, {"silent_s": since_s})]


def _troubles(sight: Sight) -> str:
    return "; ".join(f"{b}: {c.trouble or 'no answer'}" for b, c in sorted(sight.brokers.items()))


class CopiesRule:
    """Partitions without a leader, or that lack copies; one of several brokers is gone."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.BROKER_AWAY, "leaders"), (Code.BROKER_DEGRADED, "copies"))

    def __init__(self, limits: Limits) -> None:
        self._limit_s = limits.silent_s
        self._answers = _Answers()
        self._steps = Steps()
        self._leaderless, self._thin = Standing(), Standing()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        copies = sight.copies
        if copies is None or now_s - copies.asked_s > FRESH_S:
            return None
        step_s = self._steps.to(copies.asked_s)
        self._leaderless.see(None, step_s, waits=copies.leaderless > 0)
        self._thin.see(None, step_s, waits=copies.thin > 0)
        silent = self._answers.silent(sight.brokers, now_s)
        gone = [b for b, s in silent.items() if s >= self._limit_s]
        if len(gone) == len(silent):
            gone = []  # of that the other rule speaks
        found = []
        if self._leaderless.stood_s >= self._limit_s:
            found.append(self._no_leader(copies))
        if self._thin.stood_s >= self._limit_s or gone:
            found.append(self._degraded(copies, gone))
        return found

    def _no_leader(self, copies: Copies) -> Finding:
        text = (
            f"{copies.leaderless} partitions of Kafka have no leader: what they carry stands still, and "
            "their patients are not watched. Start the brokers that are down."
        )
        evidence = {"partitions": float(copies.leaderless)}
        return Finding(Code.BROKER_AWAY, "leaders", "", self._leaderless.stood_s, text, evidence)

    def _degraded(self, copies: Copies, gone: Sequence[str]) -> Finding:
        text = (
            f"{copies.thin} partitions of Kafka lack copies"
            + (f", and {', '.join(sorted(gone))} does not answer" if gone else "")
            + ". All goes on; the next failure may stop it. Start the broker that is down."
        )
        evidence = {"partitions": float(copies.thin), "brokers": float(len(gone))}
        return Finding(Code.BROKER_DEGRADED, "copies", "", self._thin.stood_s, text, evidence)


class Database:
    """The database does not answer."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.DATABASE_AWAY, "database"),)

    def __init__(self, limits: Limits) -> None:
        self._limit_s = limits.silent_s
        self._answers = _Answers()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        if sight.database is None:
            return None
        (since_s,) = self._answers.silent({"database": sight.database}, now_s).values()
        if since_s < self._limit_s:
            return []
        text = (
            f"The database does not answer ({sight.database.trouble or 'no answer'}). Pages still go out and "
            "Kafka keeps what is to be stored, but screens show nothing new. Look at its server and its disk."
        )
        return [Finding(Code.DATABASE_AWAY, "database", "", since_s, text, {"silent_s": since_s})]
