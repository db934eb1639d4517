"""Whether a chain is as it was sealed: entries in, what is wrong out. No I/O.

What each tampering leaves behind:

* *edited*: the entry's hash does not follow from its content and the hash before it;
* *removed*: a number is missing; *moved*: an entry names another number than the one at which it stands;
* *rewritten*, with all hashes behind it made anew: a signed head says otherwise;
* *cut*: a signed head, here or in Kafka, knows of entries that are not there.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from ecgstream.audit.chain import NOTHING, Entry, KeyChange, hash_of, is_true, is_vouched
from ecgstream.audit.keys import fingerprint, is_called
from schemas.audit import AuditHead


class Fault(NamedTuple):
    """What is wrong with entries ``first`` to ``last``; ``kind``: edited, removed, moved, cut and others."""

    kind: str
    first: int
    last: int
    why: str

    def __str__(self) -> str:
        which = f"entry {self.first}" if self.first == self.last else f"entries {self.first} to {self.last}"
        return f"{which}: {self.kind}. {self.why}"


class Checker:
    """Takes entries in the order of their numbers.

    Args:
        kept: heads that the database keeps.
        copied: heads that were copied elsewhere; they hold where the database says otherwise.
        trusted: fingerprint of a key that the reader knows to be right; empty: any.
    """

    def __init__(
        self, kept: Iterable[AuditHead], copied: Iterable[AuditHead] = (), *, trusted: str = ""
    ) -> None:
        self.entries = 0
        self.heads: dict[int, list[AuditHead]] = {}
        self.keys: list[tuple[int, bytes]] = []
        self.faults: list[Fault] = []
        for head in {*kept, *copied}:
            self.heads.setdefault(head.seq, []).append(head)
        self._trusted = trusted
        self._name = NOTHING
        self._before: bytes | None = NOTHING  # None: it is not known, for entries are missing
        self._next = 0
        self._good = -1  # the last entry that a head speaks for
        self._foreign: list[AuditHead] = []

    @property
    def last(self) -> int:
        """The number of the last entry; -1: there is none."""
        return self._next - 1

    @property
    def signed(self) -> int:
        """The number of the last entry that a true head speaks for; -1: there is none."""
        return self._good

    def see(self, entry: Entry) -> None:
        """Take the next entry."""
        if entry.seq > self._next:
            self._fault("removed", self._next, entry.seq - 1, "Numbers are given without a hole.")
            self._before = None
        if entry.seq == 0:
            self._name = entry.hash
        self._look_at(entry)
        change = KeyChange.of(entry.said)
        if change is not None:
            self._change(entry.seq, change)
        self._before, self._next = entry.hash, entry.seq + 1
        self.entries += 1
        for head in self.heads.get(entry.seq, ()):
            self._compare(head, entry)

    def _look_at(self, entry: Entry) -> None:
        said = entry.said
        if said.get("seq") != entry.seq:
            number = said.get("seq")
            what = f"It is entry {number}." if isinstance(number, int) else "It does not name its number."
            self._fault("moved", entry.seq, entry.seq, what)
        elif self._before is not None and hash_of(self._before, entry.seq, entry.content) != entry.hash:
            why = "Its hash does not follow from what it says and from the entry before it"
            before = f": this one was changed, or entry {entry.seq - 1} with its hash." if entry.seq else "."
            self._fault("edited", entry.seq, entry.seq, why + before)
        elif not _is_shown_as_it_is(entry):
            self._fault("edited", entry.seq, entry.seq, "The columns to search by do not say what it says.")

    def _change(self, seq: int, change: KeyChange) -> None:
        if self.keys:
            old = self.keys[-1][1]
            if not is_vouched(old, self._name, change.public, change.signature):
                why = f"The key before has not vouched for {fingerprint(change.public)}."
                self._fault("signed by another key from here on", seq, seq, why)
        self.keys.append((seq, change.public))

    def _compare(self, head: AuditHead, entry: Entry) -> None:
        if not is_true(head):
            self._fault("head not true", head.seq, head.seq, "Its signature does not hold.")
        elif head.chain != self._name:
            self._foreign.append(head)
        elif head.hash != entry.hash:
            why = f"The head that was signed at {_time(head)} says otherwise of entry {head.seq}."
            self._fault("rewritten", min(self._good + 1, head.seq), head.seq, why)
        elif head.key != self._key_at(head.seq):
            why = f"Signed with {fingerprint(head.key)}, which was not the chain's key then."
            self._fault("head not true", head.seq, head.seq, why)
        else:
            self._good = head.seq

    def _key_at(self, seq: int) -> bytes:
        at = bisect_right([number for number, _ in self.keys], seq)
        return self.keys[at - 1][1] if at else b""

    def finish(self) -> list[Fault]:
        """Return what is wrong, in the order of the entries; nothing: the chain is as it was sealed."""
        beyond = [head for seq, heads in self.heads.items() if seq > self.last for head in heads]
        true = [head for head in beyond if is_true(head)]
        ours = [head for head in true if head.chain == self._name or not self.entries]
        self._foreign += [head for head in true if head not in ours]
        if ours:
            newest = max(ours, key=lambda head: head.seq)
            why = f"The head that was signed at {_time(newest)} knew of them."
            self._fault("cut", self.last + 1, newest.seq, why)
        if len(true) < len(beyond):
            seq = max(head.seq for head in beyond)
            self._fault("head not true", seq, seq, "The signature of a head beyond the end does not hold.")
        if self._foreign:
            newest = max(self._foreign, key=lambda head: head.at_ns)
            why = (
                f"{len(self._foreign)} heads, the newest of {_time(newest)}, are of another one: this one was"
                " put in its place, or this Kafka has served another database."
            )
            self._fault("another chain", 0, max(self.last, 0), why)
        if self._trusted and not any(is_called(key, self._trusted) for _, key in self.keys):
            why = "None of its keys is the one named."
            self._fault("signed by another key", 0, max(self.last, 0), why)
        joined = _joined(sorted(self.faults, key=lambda f: (f.kind, f.first)))
        return sorted(joined, key=lambda f: (f.first, f.kind))

    def _fault(self, kind: str, first: int, last: int, why: str) -> None:
        self.faults.append(Fault(kind, first, last, why))


def _is_shown_as_it_is(entry: Entry) -> bool:
    said = entry.said
    shown = (entry.who, entry.action, entry.kind, entry.object, entry.facility)
    if shown != tuple(said.get(name) for name in ("who", "action", "kind", "object", "facility")):
        return False
    try:
        return datetime.fromisoformat(str(said.get("at"))) == entry.at
    except ValueError:
        return False


def _joined(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Join faults of one kind that follow each other: whoever removes one and renumbers leaves thousands."""
    held: Fault | None = None
    for fault in faults:
        if held and fault.kind == held.kind and fault.first <= held.last + 1:
            held = held._replace(last=max(held.last, fault.last))
            continue
        if held:
            yield held
        held = fault
    if held:
        yield held


def _time(head: AuditHead) -> str:
    return f"{datetime.fromtimestamp(head.at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
