"""Which limits and settings a replay goes by: those that were in force, or others in their place. No I/O."""

from collections.abc import Callable, Sequence

from ecgstream.replay.stored import Placed
from schemas.records import Control, Limits, Settings


def in_force(known: Sequence[Placed]) -> Callable[[list[Placed]], list[Placed]]:
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


def _sets(one: Placed) -> bool:
    return isinstance(one.item, Control) and isinstance(one.item.change, Limits | Settings)


def _at_once(item: object) -> Control:
    assert isinstance(item, Control)  # noqa: S101 - by ``_sets``
    return Control(item.id, item.device, 0, 0, item.issued_ns, item.issued_by, item.change)
