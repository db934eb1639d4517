"""What ``ecgstream audit verify`` tells."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ecgstream.audit.chain import Entry
from ecgstream.audit.check import Checker, Fault
from ecgstream.audit.keys import fingerprint
from schemas.audit import AuditHead

MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; ``signed``: the last entry that a head speaks for, -1: none."""

    entries: int
    last: int
    signed: int
    heads: int
    keys: list[str]
    faults: list[Fault]

    def lines(self, *, is_named: bool) -> Iterator[str]:
        """Yield it as a person reads it."""
        if self.faults:
            yield f"NOT AS IT WAS SEALED: {len(self.faults):,} faults in {self.entries:,} entries"
            yield from map(str, self.faults[:MOST_TOLD])
            if len(self.faults) > MOST_TOLD:
                yield f"… and {len(self.faults) - MOST_TOLD:,} more"
        else:
            yield f"As it was sealed: {self.entries:,} entries, {self.heads:,} signed heads"
        unsigned = self.last - self.signed
        if unsigned:
            yield f"The last {unsigned:,} entries are chained, and not signed yet"
        if not self.keys:
            yield "No key has signed yet: is the sealer running, with a key?"
        for name in self.keys:
            yield f"signed by {name}"
        if self.keys and not is_named:
            yield "Compare that with the fingerprint that you keep elsewhere, or name it: --key"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "entries": self.entries,
            "last": self.last,
            "signed": self.signed,
            "heads": self.heads,
            "keys": self.keys,
            "faults": [fault._asdict() for fault in self.faults],
        }


def verify(
    entries: Iterable[Entry], kept: list[AuditHead], copied: list[AuditHead], *, trusted: str = ""
) -> Report:
    """Return whether a chain is as it was sealed; the arguments are those of ``Checker``."""
    checker = Checker(kept, copied, trusted=trusted)
    for entry in entries:
        checker.see(entry)
    faults = checker.finish()
    names = [fingerprint(public) for _, public in checker.keys]
    heads = sum(map(len, checker.heads.values()))
    return Report(checker.entries, checker.last, checker.signed, heads, names, faults)
