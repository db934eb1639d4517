"""How many pages a channel may take in a minute, and which of those that are due go first.

Services that people use count: DingTalk refuses the 21st message of a minute, and may then refuse all for
ten. So what went in the last minute is remembered by its times, which a token bucket, that lets twice its
size through around a full minute, would not hold to. Pages of high priority may use all of it; the others
leave a reserve.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.records import Priority

MINUTE_NS = 60_000_000_000
RESERVE = 4
"""The part of a budget that is for high priority alone: one in so many, at least one."""

PER_MINUTE = {"dingtalk": 20, "wecombot": 20, "feishu": 100, "lark": 100}
"""By kind of address: what the service itself allows a robot (docs/notifiers.md)."""
PER_MINUTE_ELSE = 60

_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class Due(NamedTuple):
    """A page that waits; ``since_ns``: since when."""

    key: str
    priority: Priority
    since_ns: int


class Plan(NamedTuple):
    """What goes now, in this order, and when to ask again for what does not, ns."""

    now: list[str]
    later: dict[str, int]


class Budget:
    """The budget of one channel.

    Args:
        per_minute: pages; at least 1. With 1 there is no reserve.

    Raises:
        ValueError: no page could ever go.
    """

    def __init__(self, per_minute: int) -> None:
        if per_minute < 1:
            raise ValueError(f"a budget of {per_minute} pages a minute lets none go: give 1 or more")
        reserve = min(per_minute - 1, max(1, per_minute // RESERVE))
        self._room = dict.fromkeys(Priority, per_minute - reserve) | {Priority.HIGH: per_minute}
        self._most = per_minute
        self._went: list[tuple[int, str]] = []  # when, and which; the oldest first

    def remember(self, went_ns: Mapping[str, int]) -> None:
        """Count pages that went, as the notification log has them; not again those that went from here.

        So a process that starts again, or takes on what another has sent, has no second budget.

        Args:
            went_ns: by key, by the clock of ``plan``.
        """
        known = {key for _, key in self._went}
        self._went += [(at_ns, key) for key, at_ns in went_ns.items() if key not in known]
        self._went = sorted(self._went)[-self._most :]

    def plan(self, due: Sequence[Due], now_ns: int) -> Plan:
        """Spend the budget on what is due, the most urgent first; an attempt that fails is spent as well.

        All that is due must be given, since what is not known here cannot be put first.

        Args:
            due: in any order.
            now_ns: by a clock that never goes back.
        """
        plan = Plan([], {})
        for page in sorted(due, key=lambda page: (_RANKS[page.priority], page.since_ns)):
            free_ns = self._free_ns(page.priority)
            if free_ns <= now_ns:
                self._went.append((now_ns, page.key))
                del self._went[: -self._most]
                plan.now.append(page.key)
            else:
                plan.later[page.key] = free_ns
        return plan

    def _free_ns(self, priority: Priority) -> int:
        """Return from when on a page of this priority may go, if none goes before it."""
        room = self._room[priority]
        return self._went[-room][0] + MINUTE_NS if len(self._went) >= room else 0
