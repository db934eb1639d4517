"""Things that stand in a Grafana, as far as they are ours: what is compared, and how they are known."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

PREFIX = "ecg-"
"""What the uids of our folders, data sources and dashboards begin with."""
TEAM = "ecgstream"
"""What the names of our teams begin with."""


class Kind(IntEnum):
    """Kinds of things, in the order in which they are made; they are deleted in the opposite one."""

    TEAM = 1
    FOLDER = 2
    SOURCE = 3
    DASHBOARD = 4

    @property
    def words(self) -> str:
        """What people call it."""
        return "data source" if self is Kind.SOURCE else self.name.lower()


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing.

    Attributes:
        kind: what it is.
        key: what it is known by: a uid, or a team's name.
        title: what people see.
        state: what is compared, JSON values by name.
        body: what it takes besides to make it: passwords are in here.
    """

    kind: Kind
    key: str
    title: str
    state: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def uid(what: str, of: str) -> str:
    """Return the uid of what belongs to a facility (or to none): the same each time, 40 characters at most.

    A digest, for a code may be too long beside a name, and some of Grafana's databases do not tell case.

    >>> uid("alarms-zh-Hans", "410100-H1")
    'ecg-alarms-zh-Hans-97aedf1e57b5'
    """
    return f"{PREFIX}{what}-{hashlib.sha256(of.encode()).hexdigest()[:12]}"


def team(of: str) -> str:
    """Return the name of a facility's team, or of the one that runs the centre.

    >>> team("410100-H1"), team("")
    ('ecgstream 410100-H1', 'ecgstream operations')
    """
    return f"{TEAM} {of or 'operations'}"


def digest(model: Mapping[str, Any]) -> str:
    """Return what tells a dashboard from any other content of it."""
    return hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:16]
