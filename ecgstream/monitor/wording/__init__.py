"""The words that pages show, in two languages; and how each writes times, numbers and units."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.requests import HTTPConnection

from alerts.page import Measured, condition_text, measured

LANGUAGES = {"en": "English", "zh": "中文"}
"""Language to its own name."""
COOKIE = "language"
"""In which the language is kept that somebody has chosen."""
NOTHING = "\N{EN DASH}"
"""Stands where there is no number."""
_FIGURES = 3


@dataclass(frozen=True, slots=True)
class Wording:
    """One language: ``said`` has its words by key; times are shown in ``zone``."""

    language: str
    said: Mapping[str, str]
    zone: str = "UTC"

    def at(self, zone: str) -> "Wording":
        """Return the same words, with times of another zone."""
        return replace(self, zone=zone)

    def __call__(self, key: str, **values: object) -> str:
        """Return the words of a key, with values put in.

        Raises:
            KeyError: there is no such key.
        """
        return self.said[key].format(**values) if values else self.said[key]

    def one_of(self, kind: str, name: str) -> str:
        """Return the words of one of a kind (``state.ACTIVE``); of one that is not known, its name."""
        return self.said.get(f"{kind}.{name}", name)

    def condition(self, code: str) -> str:
        """Return what a condition is called."""
        return self.said.get(f"condition.{code}") or condition_text(code)

    def evidence(self, evidence: Mapping[str, float]) -> str:
        """Return what a condition rests on."""
        return self._told(measured(dict(evidence)))

    def figures(self, evidence: Mapping[str, float]) -> str:
        """Return the first numbers with a unit of what a condition rests on: what fits a line."""
        return self._told([one for one in measured(dict(evidence)) if one.has_unit][:_FIGURES])

    def _told(self, found: Sequence[Measured]) -> str:
        return ", ".join(f"{self.one_of('evidence', one.words)} {one.value}" for one in found)

    def facility(self, name_en: str, name_zh: str) -> str:
        """Return a facility's name in this language, or in the other where it has but one."""
        return (name_zh or name_en) if self.language == "zh" else (name_en or name_zh)

    def moment(self, when: datetime | int | None) -> str:
        """Return a time with its date: of a datetime, or of UTC ns."""
        return self._written(when, "moment")

    def minute(self, when: datetime | int | None) -> str:
        """Return a time without its seconds and its year."""
        return self._written(when, "minute")

    def clock(self, when: datetime | int | None) -> str:
        """Return the time of the day."""
        return self._written(when, "clock")

    def hm(self, when: datetime | int | None) -> str:
        """Return the time of the day without seconds."""
        return self._written(when, "hm")

    def day(self, when: datetime | int | None) -> str:
        """Return the day of the month."""
        return self._written(when, "day")

    def iso(self, when: datetime) -> str:
        """Return a time for machines, in UTC."""
        return when.astimezone(UTC).isoformat(timespec="seconds")

    def lasting(self, seconds: float | timedelta | None) -> str:
        """Return how long something lasts, in two units at most.

        >>> WORDINGS["en"].lasting(3725), WORDINGS["zh"].lasting(59), WORDINGS["en"].lasting(None)
        ('1 h 2 min', '59 秒', '\u2013')
        """
        if seconds is None:
            return NOTHING
        whole = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        left = max(0, round(whole))
        parts: list[str] = []
        for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
            n, left = divmod(left, size)
            if n or (name == "s" and not parts):
                parts.append(f"{n} {self.said['lasting.' + name]}")
        return " ".join(parts[:2])

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number with its thousands apart; none: a dash.

        >>> WORDINGS["en"].number(12345.6), WORDINGS["en"].number(float("nan"))
        ('12,346', '\u2013')
        """
        return NOTHING if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"

    def bounds(self, low: float | None, high: float | None) -> str:
        """Return alarm limits, of which either side may be none.

        >>> [WORDINGS["en"].bounds(*sides) for sides in ((None, 38.5), (90.0, None), (None, None))]
        ['limit: at most 38.5', 'limit: at least 90', 'no limit']
        """
        sides = "both" if None not in (low, high) else "high" if low is None else "low"
        if low is None and high is None:
            return self.said["limits.none"]
        return self(f"limits.{sides}", low=f"{low or 0:g}", high=f"{high or 0:g}")

    def unit(self, ucum: str) -> str:
        """Return a unit as it is read, by its UCUM code."""
        return self.said.get(f"unit.{ucum}", ucum)

    def _written(self, when: datetime | int | None, form: str) -> str:
        if when is None:
            return NOTHING
        if isinstance(when, int):
            when = datetime.fromtimestamp(when / 1e9, UTC)
        local = when.astimezone(ZoneInfo(self.zone))
        # Months by name from the words: the process's own locale is nobody's here.
        month = self.said["months"].split()[local.month - 1]
        return self.said[f"form.{form}"].format(
            y=local.year,
            month=month,
            m=local.month,
            d=local.day,
            clock=f"{local:%H:%M:%S}",
            hm=f"{local:%H:%M}",
        )


def _load(language: str) -> Wording:
    said = json.loads((Path(__file__).parent / f"{language}.json").read_text("utf-8"))
    return Wording(language, said)


WORDINGS = {language: _load(language) for language in LANGUAGES}


def language_of(connection: HTTPConnection) -> str:
    """Return the language that somebody has chosen, or else the one that their browser likes best."""
    chosen = connection.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    liked = connection.headers.get("accept-language", "").lower().split(",")
    return next((found for one in liked for found in LANGUAGES if one.strip().startswith(found)), "en")
