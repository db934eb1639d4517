"""Where a patient is whom an alert is of: it stands in the alert, so that a page says where to go.

As it was known when the alert was raised. A device that nobody has enrolled stands nowhere; its alerts are
paged all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from alerts.state import Event, State


class Place(NamedTuple):
    """A place.

    Attributes:
        facility: codes of the facilities from the root on, joined by dots; empty: it is not known.
        green: of the green channel: an ambulance.
    """

    facility: str = ""
    green: bool = False


Places = Callable[[str], Place]
"""From a device to where it stands."""


def nowhere(device: str) -> Place:  # noqa: ARG001
    """Return that nothing is known of a device's place."""
    return Place()


class Placing:
    """The stage; ``places``: where devices stand."""

    def __init__(self, places: Places = nowhere) -> None:
        self._places = places

    def __call__(self, state: State, events: Sequence[Event], now_ns: int) -> list[Event]:  # noqa: ARG002
        """Give alerts that are new their place."""
        for event in events:
            if event.alert is not None and event.alert.id not in state.alerts:
                place = self._places(event.alert.device)
                event.alert = replace(event.alert, facility=place.facility, green=place.green)
        return list(events)
