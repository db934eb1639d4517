"""Which limits and settings a replay goes by: those that were in force, or others in their place. No I/O."""

from collections.abc import Callable, Iterator, Sequence

from ecgstream.replay.stored import Placed
from schemas.records import Control, Limit, Limits, Settings

Controls = Callable[[list[Placed]], list[Placed]]
"""Gives the control records of a replay, from those that there were."""
_WHO = "what-if"


def as_they_were(controls: list[Placed]) -> list[Placed]:
    """Return the control records as they are."""
    return controls


def in_force(known: Sequence[Placed]) -> Controls:
    """Return what gives a replay the settings and limits that are in force now, from its begin on.

    Who wears the device, and how it is enrolled, stays as it was.

    Args:
        known: the newest control records of the device, by offset.
    """
    newest = [one for one in known if _sets(one)]

    def controls(was: list[Placed]) -> list[Placed]:
        begin = [Placed(n - len(newest), -1, _at_once(one.item)) for n, one in enumerate(newest)]
        return [*begin, *(one for one in was if not _sets(one))]

    return controls


def with_limits(device: str, limits: Sequence[Limit]) -> Controls:
    """Return what gives a replay limits of some numbers for everybody, whatever else is set; others stay."""
    codes = {limit.code for limit in limits}

    def others(was: list[Placed]) -> Iterator[Placed]:
        yield Placed(-1, -1, _told(device, limits))
        for one in was:
            change = one.item.change if isinstance(one.item, Control) else None
            if isinstance(change, Limits):
                left = [limit for limit in change.limits if limit.code not in codes]
                yield Placed(one.offset, one.place, _told(device, left))
                continue
            yield one
            if isinstance(change, Settings):  # a change of category brings that category's limits
                yield Placed(one.offset, one.place + 1, _told(device, limits))

    return lambda was: list(others(was))


def _told(device: str, limits: Sequence[Limit]) -> Control:
    return Control(_WHO, device, 0, 0, 0, _WHO, Limits(tuple(limits)))


def _sets(one: Placed) -> bool:
    return isinstance(one.item, Control) and isinstance(one.item.change, Limits | Settings)


def _at_once(item: object) -> Control:
    assert isinstance(item, Control)  # noqa: S101 - by ``_sets``
    return Control(item.id, item.device, 0, 0, item.issued_ns, item.issued_by, item.change)
