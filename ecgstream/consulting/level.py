"""The level above: which facility on the way to the root is asked next; no I/O."""

from alerts.roster.model import Roster


def above(roster: Roster | None, path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the codes from the root to the nearest facility above that has a duty roster; empty: none.

    One has a roster whose region a team of the published roster has, for any patient: not one for a skill,
    nor that of the green channel, which are asked for some alarms only.

    Args:
        roster: that holds; None: none is published.
        path: codes from the root to the facility that asks, or has the case.
    """
    if roster is None:
        return ()
    regions = {team.region for team in roster.teams if not team.skill and not team.green_channel}
    ways = (path[:n] for n in range(len(path) - 1, 0, -1))
    return next((way for way in ways if way[-1] in regions), ())
