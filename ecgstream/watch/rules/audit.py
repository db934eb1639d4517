"""The rule of the audit log: its chain is signed every minute, or it can be cut unseen."""

from typing import ClassVar

from ecgstream.watch.finding import Finding, Standing, Steps, Topic
from ecgstream.watch.rules.limits import AUDIT_S, FRESH_S
from ecgstream.watch.sight import Sight
from schemas import topics
from schemas.conditions import Code


class AuditStalled:
    """No signed head has come to Kafka for minutes: no sealer runs, or it lacks its key or the database."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.AUDIT_STALLED, "heads"),)

    def __init__(self) -> None:
        self._steps = Steps()
        self._ends = Standing()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        log = sight.log
        if log is None or now_s - log.asked_s > FRESH_S:
            return None
        ends = {spot: end for spot, end in log.ends.items() if spot[0] == topics.AUDIT_HEADS.name}
        if not ends:
            return None
        self._ends.see(sum(ends.values()), self._steps.to(log.asked_s))
        stood_s = self._ends.stood_s
        if stood_s < AUDIT_S:
            return []
        text = (
            f"The audit log was not signed for {stood_s:.0f} s: what is done now could be cut off unseen. "
            "What is said to it is kept. Look at the log of `ecgstream sealer`: its key, the database."
        )
        return [Finding(Code.AUDIT_STALLED, "heads", "", stood_s, text, {"stood_s": stood_s})]
