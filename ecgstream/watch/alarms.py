"""From what is wrong now to what is told: each trouble once when it begins, once when it is over.

An alarm ends when its trouble has not been found for ``CLEAR_S``, so that one that comes and goes stays one.
Where nothing can be told of a trouble, its alarm stays as it is. Of the same trouble with many (all gateways
of a province, all partitions of a worker) one alarm is raised instead of a page each: such a flood would bury
the next alarm, and delay it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alerts.notify import Page, key_of
from alerts.priority import priority_of
from ecgstream.watch.finding import Finding, Topic, Verdict
from schemas.conditions import Code
from schemas.ids import event_id

CLEAR_S = 20.0
"""Longer than what it takes to find most troubles again."""
FEW = 3
"""So many of a kind are told one by one."""
EACH = frozenset({Code.ROSTER_HOLE})
"""Each new one is told, also while many are open: it lies ahead, and something can be done about it."""
SEVERAL = "several"
CHANNEL = "webhook"
RAISED, ENDED = "RAISED", "ENDED"
_NAMES = 10
"""So many are named in a page about several."""


@dataclass(slots=True)
class Alarm:
    """An alarm that was raised and has not ended.

    Args:
        kind, name: what it is about: ``partition`` ``3``; ``several``: those in ``members``.
        onset_ns: UTC ns by the watch's clock.
    """

    id: str
    code: Code
    kind: str
    name: str
    onset_ns: int
    text: str
    members: list[str] = field(default_factory=list)

    @property
    def topic(self) -> Topic:
        """What it speaks of."""
        return self.code, self.kind

    def is_in(self, found: Mapping[str, Finding]) -> bool:
        """Return whether any of its troubles is still there."""
        return any(name in found for name in self.members or [self.name])


class Alarms:
    """The alarms that are open."""

    def __init__(self, alarms: Iterable[Alarm] = ()) -> None:
        self.open = {alarm.id: alarm for alarm in alarms}
        self._absent_s: dict[str, float] = {}

    def step(self, verdict: Verdict, now_s: float, now_ns: int) -> list[Page]:
        """Take in what is wrong now; return what is to be told, in order.

        ``now_s``: of the watch's clock. ``now_ns``: UTC.
        """
        found: dict[Topic, dict[str, Finding]] = {}
        for finding in verdict.findings:
            found.setdefault((finding.code, finding.kind), {})[finding.name] = finding
        pages = []
        for topic in sorted({*found, *(alarm.topic for alarm in self.open.values())} - verdict.unknown):
            mine = [alarm for alarm in self.open.values() if alarm.topic == topic]
            pages += self._raise(topic, found.get(topic, {}), mine, now_ns)
            pages += self._end(found.get(topic, {}), mine, now_s, now_ns)
        return pages

    def _raise(
        self, topic: Topic, found: Mapping[str, Finding], mine: list[Alarm], now_ns: int
    ) -> list[Page]:
        known = {name for alarm in mine for name in alarm.members or [alarm.name]}
        new = {name: finding for name, finding in found.items() if name not in known}
        if not new:
            return []
        counted = [] if topic[0] in EACH else mine
        several = next((alarm for alarm in counted if alarm.name == SEVERAL), None)
        if several is not None:
            several.members += new
            return []
        if len(new) + len(counted) > FEW:
            return [self._open(topic, SEVERAL, _of_several(topic, new), now_ns, list(new))]
        return [self._open(topic, name, finding, now_ns, []) for name, finding in new.items()]

    def _open(self, topic: Topic, name: str, finding: Finding, now_ns: int, members: list[str]) -> Page:
        code, kind = topic
        onset_ns = now_ns - round(finding.since_s * 1e9)
        key = event_id(f"{kind} {name}", 0, code.name, onset_ns)
        alarm = self.open[key] = Alarm(key, code, kind, name, onset_ns, finding.text, members)
        return _page(alarm, RAISED, alarm.text, now_ns, dict(finding.evidence))

    def _end(
        self, found: Mapping[str, Finding], mine: list[Alarm], now_s: float, now_ns: int
    ) -> Iterable[Page]:
        for alarm in mine:
            if alarm.is_in(found):
                self._absent_s.pop(alarm.id, None)
            elif now_s - self._absent_s.setdefault(alarm.id, now_s) >= CLEAR_S:
                del self.open[alarm.id], self._absent_s[alarm.id]
                lasted_s = (now_ns - alarm.onset_ns) / 1e9
                text = f"Over after {lasted_s:.0f} s. It was: {alarm.text}"
                yield _page(alarm, ENDED, text, now_ns, {"lasted_s": lasted_s})


def _of_several(topic: Topic, new: Mapping[str, Finding]) -> Finding:
    code, kind = topic
    longest = max(new.values(), key=lambda finding: finding.since_s)
    named = ", ".join(list(new)[:_NAMES]) + (" and others" if len(new) > _NAMES else "")
    text = f"{len(new)} at once ({kind} {named}). Of one: {longest.text}"
    return Finding(code, kind, SEVERAL, longest.since_s, text, {"number": float(len(new))})


def _page(alarm: Alarm, what: str, text: str, now_ns: int, evidence: dict[str, float]) -> Page:
    return Page(
        key=key_of(alarm.id, what, CHANNEL),
        what=what,
        alert=alarm.id,
        device="",
        patient="",
        condition=alarm.code.name,
        priority=priority_of(alarm.code.name),
        text=text,
        onset_ns=alarm.onset_ns,
        decided_ns=now_ns,
        evidence=evidence,
    )
