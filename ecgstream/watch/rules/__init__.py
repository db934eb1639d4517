"""The rules: from what is seen to what is wrong. No I/O and no clock: a test is a timeline.

What must not alarm, and why it does not:

* a planned hand-over, in which a partition stands for 9 to 10 s: the limit is 15 s (``stall_s``);
* a worker that has processed all there is: its position stands for up to the time over which it spreads its
  snapshots, but while devices send it writes outputs, which are progress;
* a network in which nobody sends: nothing waits;
* a new cluster, which no service has come to yet: a group that the broker does not know has a minute;
* a reader that catches up after an outage: it moves, and its distance falls.
"""

from ecgstream.watch.finding import Finding, Rule, Topic, Verdict
from ecgstream.watch.rules.audit import AuditStalled
from ecgstream.watch.rules.edges import Disks, GatewayRule
from ecgstream.watch.rules.limits import Limits
from ecgstream.watch.rules.pipeline import (
    Behind,
    NobodyPages,
    NobodyWorks,
    PagerStalled,
    SinkStalled,
    Stalled,
)
from ecgstream.watch.rules.roster import RosterRule
from ecgstream.watch.rules.servers import Brokers, CopiesRule, Database
from ecgstream.watch.sight import Sight


class Rules:
    """All rules together."""

    def __init__(self, limits: Limits) -> None:
        workers, pagers = NobodyWorks(limits), NobodyPages(limits)
        self._rules: tuple[Rule, ...] = (
            Brokers(limits),
            CopiesRule(limits),
            Database(limits),
            workers,
            Stalled(limits, workers),
            Behind(limits),
            pagers,
            PagerStalled(limits, pagers),
            SinkStalled(),
            GatewayRule(),
            Disks(limits),
            RosterRule(),
            AuditStalled(),
        )

    def judge(self, sight: Sight, now_s: float) -> Verdict:
        """Return what is wrong now."""
        findings: list[Finding] = []
        unknown: list[Topic] = []
        for rule in self._rules:
            found = rule.judge(sight, now_s)
            if found is None:
                unknown += rule.speaks_of
            else:
                findings += found
        return Verdict(findings, frozenset(unknown))
