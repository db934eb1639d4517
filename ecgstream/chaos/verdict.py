"""What is wrong with what a disturbed play has left, and the figures of a whole run."""

from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any

from ecgstream.chaos import compare


@dataclass(slots=True)
class Verdict:
    """Words on all that must not be; ``raw_repeats`` and ``recovery_s`` may be, and are reported.

    Attributes:
        differences: rows and pages that are not the same, faults that could not be done or did not heal.
        missing: technical alarms that had to come.
        extra: technical alarms and pages that were not allowed.
    """

    faults: int = 0
    differences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    pages_lost: list[str] = field(default_factory=list)
    pages_duplicated: list[str] = field(default_factory=list)
    raw_repeats: int = 0
    recovery_s: list[float] = field(default_factory=list)

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def wrong(self) -> list[str]:
        """Return all that must not be."""
        return [
            *self.differences,
            *(f"missing: {words}" for words in self.missing),
            *(f"extra: {words}" for words in self.extra),
            *(f"lost: {words}" for words in self.pages_lost),
            *(f"told twice: {words}" for words in self.pages_duplicated),
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object of ``--json``."""
        recovery = sorted(self.recovery_s)
        return {
            "faults": self.faults,
            "compared": {table: list(columns) for table, columns in compare.COMPARED.items()},
            "differences": len(self.differences),
            "missing": len(self.missing),
            "extra": len(self.extra),
            "pages_lost": len(self.pages_lost),
            "pages_duplicated": len(self.pages_duplicated),
            "raw_repeats": self.raw_repeats,
            "recovery_s": {
                "p50": round(median(recovery), 2) if recovery else None,
                "max": round(recovery[-1], 2) if recovery else None,
            },
        }
