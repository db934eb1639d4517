"""What a roster holds: people, teams, shifts, and who stands in for whom; the same in its file and in JSON.

Each value is checked by itself as it is read; whether they fit each other is another question (``check``).
"""

import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from schemas.records import Priority

LONGEST_SHIFT = timedelta(days=31)
LONGEST_STAND_IN = timedelta(days=366)
_MOST_S = {Priority.HIGH: 300, Priority.MEDIUM: 1800, Priority.LOW: 7200}
_T = TypeVar("_T")
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?")


class Weekday(StrEnum):
    """A day on which a weekly shift begins; on a holiday those of ``HOLIDAY`` and no others."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"
    HOLIDAY = "holiday"


def _account(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", value):
        raise ValueError(f"{value[:40]!r} is no account: a lower-case letter and 1 to 40 of a-z, 0-9, _")
    return value


def _code(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", value):
        raise ValueError(f"{value[:40]!r} is no code of a facility: 1 to 32 of A-Z, a-z, 0-9, - and _")
    return value


def _word(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value):
        raise ValueError(f"{value[:40]!r} is no skill: a lower-case letter and up to 40 of a-z, 0-9, _")
    return value


def _name(value: str) -> str:
    if not 1 <= len(value) <= 60 or not value.isprintable() or value != value.strip():
        raise ValueError(f"{value[:40]!r} is no name: 1 to 60 characters in one line, no space at its ends")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})  # what this machine has, and none


def _zone(value: str) -> str:
    if value not in _zones():
        raise ValueError(f"{value[:40]!r} is no time zone of the IANA database, as Asia/Shanghai is")
    return value


def _day(value: object) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError(f"{str(value)[:40]!r} is no date, as 2026-10-01 is")


def _clock(value: object) -> time:
    if isinstance(value, time) and not value.microsecond:
        return value
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        with suppress(ValueError):
            return time.fromisoformat(value)
    raise ValueError(f'{str(value)[:40]!r} is no time of the day, as "08:00" is; midnight is "00:00"')


def _moment(value: object) -> datetime:
    if isinstance(value, str) and len(value) >= len("2026-10-01T08:00"):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError(f"{str(value)[:40]!r} is no date with a time, as 2026-10-01T08:00:00 is")  # noqa: TRY004
    if value.microsecond:
        raise ValueError(f"{value.isoformat()!r} has parts of a second")
    if not 1971 <= value.year <= 2115:
        raise ValueError(f"{value.isoformat()!r} is before 1971 or after 2115")
    return value


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(
            f"{value.isoformat()!r} is of no zone: add its offset, as in 2026-10-01T08:00:00+08:00"
        )
    return value


def _pseudonym(value: str) -> str:
    if not re.fullmatch(r"P-[A-Z2-7]{10}", value):
        raise ValueError("is no pseudonym of a patient, as P-ABCDE23456 is; never write a name here")
    return value


def _some(value: tuple[_T, ...]) -> tuple[_T, ...]:
    if not value:
        raise ValueError("is an empty list")
    return value


Account = Annotated[str, AfterValidator(_account)]
Code = Annotated[str, AfterValidator(_code)]
Skill = Annotated[str, AfterValidator(_word)]
Name = Annotated[str, AfterValidator(_name)]
Day = Annotated[date, BeforeValidator(_day)]
Clock = Annotated[time, BeforeValidator(_clock)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Instant = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_instant)]
Pseudonym = Annotated[str, AfterValidator(_pseudonym)]


def _pair(priority: Priority) -> AfterValidator:
    def check(value: tuple[int, int]) -> tuple[int, int]:
        if not 0 < value[0] < value[1] <= _MOST_S[priority]:
            raise ValueError(
                f"{list(value)} are not two rising times in s, the second at most {_MOST_S[priority]}: "
                "when the back-up is paged, and when the whole team and the ward are"
            )
        return value

    return AfterValidator(check)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


class Times(_Entry):
    """When an alert that nobody takes goes on to the back-up, and then to all: s from its page, by priority.

    High: everybody is paged as two minutes end, the time in which a patient in hospital whose heart
    fibrillates should have a shock (AHA; where it took longer 22 % survived, otherwise 39 %: Chan et al.,
    N Engl J Med 2008;358:9). Medium and low: first values, longer by the meaning of the priorities (IEC
    60601-1-8, table 1), which gives no seconds: who keeps a roster decides.
    """

    high: Annotated[tuple[StrictInt, StrictInt], _pair(Priority.HIGH)] = (60, 120)
    medium: Annotated[tuple[StrictInt, StrictInt], _pair(Priority.MEDIUM)] = (180, 600)
    low: Annotated[tuple[StrictInt, StrictInt], _pair(Priority.LOW)] = (1800, 3600)

    def of(self, priority: Priority) -> tuple[int, int]:
        """Return the two times of a priority."""
        return {Priority.HIGH: self.high, Priority.MEDIUM: self.medium, Priority.LOW: self.low}[priority]


class Person(_Entry):
    """Who can be on duty; ``left``: from this day on never paged, by the local time of the team."""

    account: Account
    skills: tuple[Skill, ...] = ()
    left: Day | None = None


class Team(_Entry):
    """Who watches a region, which is a facility and all that is below it.

    Attributes:
        backup: who is paged second, the first who is not on duty and is there.
        skill: the team is asked only for conditions that need this.
        green_channel: the team is asked only for the green channel: ambulances, and patients who are marked.
        part_time: nobody on duty is meant: then the enclosing region's team is asked, and it is no hole.
        holidays: the name of the list of the days on which shifts of holidays hold.
    """

    name: Name
    region: Code
    zone: Annotated[str, AfterValidator(_zone)]
    members: Annotated[tuple[Account, ...], AfterValidator(_some)]
    backup: tuple[Account, ...] = ()
    skill: Skill | Literal[""] = ""
    green_channel: StrictBool = False
    part_time: StrictBool = False
    holidays: Name | Literal[""] = ""
    escalate_after_s: Times = Times()

    @property
    def clock(self) -> ZoneInfo:
        """The zone in which its shifts are told."""
        return ZoneInfo(self.zone)


class _Shift(_Entry):
    team: Name
    person: Account
    backup: Account | Literal[""] = ""
    joint: StrictBool = False


_S = TypeVar("_S", bound=_Shift)


class Weekly(_Shift):
    """A shift that comes again every week; where ``to`` is not after ``from`` it ends on the next day.

    It begins on ``days`` from ``since`` to ``until``, both included.
    """

    days: Annotated[tuple[Weekday, ...], AfterValidator(_some)]
    from_: Clock = Field(alias="from")
    to: Clock
    since: Day | None = None
    until: Day | None = None


class Dated(_Shift):
    """A shift that is once; in the team's local time, where that comes twice with an offset as in +01:00."""

    from_: Moment = Field(alias="from")
    to: Moment


class StandIn(_Entry):
    """From one moment to another ``person`` does the duties that ``instead_of`` has in the team."""

    team: Name
    person: Account
    instead_of: Account
    from_: Moment = Field(alias="from")
    to: Moment


class Green(_Entry):
    """A patient of the green channel until a moment, by pseudonym: after an operation, on a transfer."""

    patient: Pseudonym
    until: Instant


class Roster(_Entry):
    """All of it; ``fallback`` is the team that is asked where nobody else is found.

    ``wards`` names by facility the account of the ward itself: its telephone, no person.
    """

    version: Literal[1]
    fallback: Name
    holidays: dict[Name, tuple[Day, ...]] = {}
    wards: dict[Code, Account] = {}
    people: tuple[Person, ...] = Field(alias="person", default=())
    teams: tuple[Team, ...] = Field(alias="team", default=())
    weekly: tuple[Weekly, ...] = ()
    dated: tuple[Dated, ...] = ()
    stand_ins: tuple[StandIn, ...] = Field(alias="stand_in", default=())
    green: tuple[Green, ...] = ()

    def is_green(self, patient: str, at_ns: int) -> bool:
        """Return whether a patient (pseudonym) is marked for the green channel at a time (UTC ns)."""
        marks = (one.until for one in self.green if one.patient == patient)
        return any(at_ns < int(until.timestamp()) * 1_000_000_000 for until in marks)

    @cached_property
    def person_of(self) -> dict[str, Person]:
        """People by account."""
        return {person.account: person for person in self.people}

    @cached_property
    def team_of(self) -> dict[str, Team]:
        """Teams by name."""
        return {team.name: team for team in self.teams}

    @cached_property
    def weekly_of(self) -> dict[str, list[tuple[str, Weekly]]]:
        """Weekly shifts by team, each with what it is called in the file: weekly 3."""
        return _by_team("weekly", self.weekly)

    @cached_property
    def dated_of(self) -> dict[str, list[tuple[str, Dated]]]:
        """Dated shifts by team, likewise."""
        return _by_team("dated", self.dated)


def _by_team(kind: str, shifts: tuple[_S, ...]) -> dict[str, list[tuple[str, _S]]]:
    found: dict[str, list[tuple[str, _S]]] = {}
    for i, shift in enumerate(shifts, 1):
        found.setdefault(shift.team, []).append((f"{kind} {i}", shift))
    return found
