"""Who looks: what every page and every stream knows of the person in front of it."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


class Wall(NamedTuple):
    """A screen that stands unattended: it shows the devices of a facility and of those below it."""

    id: UUID
    account: str
    name: str
    facility: str
    sectors: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is logged in.

    Attributes:
        account: whose rights decide what is seen.
        language: of the words that are shown.
        zone: IANA name of the time zone in which times are shown.
        wall: the screen that looks in their name; None: they do themselves.
    """

    account: str
    language: str = "en"
    zone: str = "UTC"
    wall: Wall | None = None
