"""What a dashboard is made of, without Grafana: charts with a query each, choices, marks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from ecgstream.dashboards.wording import Words


class Shape(Enum):
    """How a chart draws what its query returns."""

    LINES = auto()  # columns over "time"
    STEPS = auto()  # the same, each value until the next
    COUNTS = auto()  # the same, as stacked bars
    TIMELINE = auto()  # the word that holds from each "time" on
    BARS = auto()  # numbers by the first column, a text
    NUMBERS = auto()  # one row, a large number a column
    TABLE = auto()


class Source(Enum):
    """Where a board's queries go, and so their language: SQL or PromQL."""

    DATABASE = auto()
    PROMETHEUS = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of an answer, or a series, is shown.

    Attributes:
        words: its name to people.
        unit: Grafana's name of a unit; empty: none.
        says: what the codes in it mean; empty: they stand for themselves.
        colour: of a series, or of the codes in it.
        opens: a board that a value opens, as its choice ``choice``.
        choice: the choice of that board.
    """

    words: Words
    unit: str = ""
    says: Mapping[str, Words] = field(default_factory=dict)
    colour: str | Mapping[str, str] = ""
    opens: str = ""
    choice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One panel.

    Attributes:
        about: what a reader has to know of it.
        query: SQL on the views of schema ``api`` with Grafana's macros, or PromQL.
        columns: name in the answer to how it is shown; of PromQL, nothing.
        legend: what a series of PromQL is called, from its labels.
        unit: of all numbers that have no unit of their own.
        limits: value from which on a colour holds, from the lowest on; ``None``: from the beginning.
        width: of 24.
        height: in rows of Grafana's grid.
        bucket: the shortest time that a point stands for, as ``1m``.
        back: a time of its own that it looks back, as ``30d``; empty: the dashboard's.
    """

    shape: Shape
    title: Words
    about: Words
    query: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    legend: str = ""
    unit: str = ""
    limits: tuple[tuple[float | None, str], ...] = ()
    width: int = 12
    height: int = 8
    bucket: str = ""
    back: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that a reader chooses: ``query`` gives ``__value`` and ``__text``."""

    name: str
    words: Words
    query: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Attributes:
        name: in its uid; no two have the same.
        marks: SQL condition on ``api.alerts AS a``, for alerts that are drawn into its charts; empty: none.
    """

    name: str
    title: Words
    about: Words
    charts: tuple[Chart, ...]
    choices: tuple[Choice, ...] = ()
    marks: str = ""
    source: Source = Source.DATABASE
    back: str = "24h"
    refresh: str = "1m"
