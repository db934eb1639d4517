"""The rule of the duty roster: a hole is told a day ahead, while somebody can still be found."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from ecgstream.watch.finding import Finding, Topic
from ecgstream.watch.sight import Duty, Hole, Sight
from schemas.conditions import Code


class RosterRule:
    """Holes, and a roster that cannot be read. Where none was published, nothing is told."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.ROSTER_HOLE, "hole"), (Code.ROSTER_HOLE, "roster"))

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:  # noqa: ARG002 - others need it
        """See ``Rule``."""
        return None if sight.duty is None else list(_of(sight.duty))


def _of(duty: Duty) -> Iterator[Finding]:
    if duty.unread:
        text = (
            f"The duty roster that was published last cannot be read ({duty.unread}): the one before it "
            "holds, if there is one. Publish it again, with the version that the pager has."
        )
        yield Finding(Code.ROSTER_HOLE, "roster", "", 0.0, text)
    for hole in duty.holes:
        yield Finding(Code.ROSTER_HOLE, "hole", _name(hole), 0.0, _text(hole))


def _name(hole: Hole) -> str:
    """Return what stays the same of a hole while it comes, and while it lasts: its end."""
    return hole.team if hole.ends is None else f"{hole.team} until {_shown(hole.ends)}"


def _text(hole: Hole) -> str:
    begins = "now" if hole.begins is None else f"from {_shown(hole.begins)}"
    ends = "without an end that can be seen" if hole.ends is None else f"until {_shown(hole.ends)}"
    return (
        f"Nobody is on duty in team {hole.team} (region {hole.region}) {begins}, {ends} ({hole.zone}): pages "
        "go to the team above, or to the fallback team. Put somebody on duty, and publish the roster."
    )


def _shown(time: datetime) -> str:
    """Return a local time with its offset: where clocks are changed, it may come twice."""
    return time.isoformat(" ", "minutes")
