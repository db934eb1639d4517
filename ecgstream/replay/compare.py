"""Where what was found now differs from what was found then. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ecgstream.replay.findings import Findings, Key, Values
from ecgstream.replay.stored import Ran

MISSING, NEW, CHANGED = "missing", "new", "changed"
"""What was found then and is not now; what is now and was not then; what has other values."""
_AT = {
    "segment": "from_ns",
    "beat": "time_ns",
    "rhythm": "time_ns",
    "condition": "onset_ns",
    "alert": "onset_ns",
}
_ENDS = {"segment": "to_ns", "condition": "end_ns", "alert": "end_ns"}
_KNOWN_AT_ITS_END = {
    "segment": ("to_sample", "to_ns", "settings"),
    "condition": ("patient", "phase", "end_ns", "evidence"),
    "alert": ("patient", "end_ns"),
}
"""What of a finding that lasts is not the same at every time: compared where it ended within the stretch."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding that differs.

    Attributes:
        kind, what: what it is of, and ``MISSING``, ``NEW`` or ``CHANGED``.
        session, at_ns: where it is, by the device's clock.
        key: what it is.
        then, now: its values; of one that has changed, those that differ.
    """

    kind: str
    what: str
    session: int
    at_ns: int
    key: Key
    then: Values
    now: Values

    def told(self, device: str) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "device": device,
            "kind": self.kind,
            "what": self.what,
            "session": self.session,
            "at_ns": self.at_ns,
            "key": list(self.key),
            "then": self.then,
            "now": self.now,
        }


def differences(then: Findings, now: Findings, until_ns: int) -> list[Difference]:
    """Return where two differ, in the order of time; ``until_ns``: the end of the stretch."""
    found: list[Difference] = []
    for kind, of_then in then.kinds().items():
        of_now = now.kinds()[kind]
        if kind == "trend":
            of_now = {k: v for k, v in of_now.items() if k in of_then or k not in now.open_minutes}
        for key in of_then.keys() | of_now.keys():
            one = _difference(kind, key, of_then.get(key), of_now.get(key), until_ns)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda d: (d.at_ns, d.kind, str(d.key)))


def _difference(
    kind: str, key: Key, then: Values | None, now: Values | None, until_ns: int
) -> Difference | None:
    known = then if then is not None else now
    if known is None or _is_decided_behind(known, until_ns):
        return None
    session = known["session"] if "session" in known else key[0]
    at_ns = key[1] if kind == "trend" else known[_AT[kind]]
    if then is None or now is None:
        what = NEW if then is None else MISSING
        return Difference(kind, what, session, at_ns, key, then or {}, now or {})
    lasts = kind in _ENDS and not any(_ended(kind, one, until_ns) for one in (then, now))
    left_out = _KNOWN_AT_ITS_END[kind] if lasts else ()
    names = [n for n in then.keys() & now.keys() if n not in left_out and then[n] != now[n]]
    if not names:
        return None
    return Difference(
        kind,
        CHANGED,
        session,
        at_ns,
        key,
        {n: then[n] for n in sorted(names)},
        {n: now[n] for n in sorted(names)},
    )


def _ended(kind: str, values: Values, until_ns: int) -> bool:
    end_ns = values.get(_ENDS[kind])
    return end_ns is not None and end_ns < until_ns


def _is_decided_behind(values: Values, until_ns: int) -> bool:
    """Return whether a finding began in the stretch and was known only behind it."""
    return bool(values.get("decided_ns", 0) >= until_ns)


def by_segment(
    ran: Sequence[Ran], found: Iterable[Difference]
) -> tuple[dict[int, list[Difference]], list[Difference]]:
    """Return the differences in each segment, by its place, and those that lie in none."""
    inside: dict[int, list[Difference]] = {n: [] for n in range(len(ran))}
    outside = []
    for one in found:
        n = next((n for n, segment in enumerate(ran) if _lies_in(segment, one)), None)
        if n is None:
            outside.append(one)
        else:
            inside[n].append(one)
    return inside, outside


def _lies_in(segment: Ran, one: Difference) -> bool:
    if segment.session != one.session:
        return False
    if one.kind == "segment":
        return one.key[1:] == (str(segment.lane), segment.from_sample)
    # A minute belongs to where it begins, or ends.
    at_ns = one.at_ns + (59 * 10**9 if one.kind == "trend" else 0)
    begins = segment.from_ns <= at_ns
    return begins and (segment.to_ns is None or one.at_ns < segment.to_ns)
