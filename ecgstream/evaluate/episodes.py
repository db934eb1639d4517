"""Episode by episode: what lasts, such as fibrillation.

After ANSI/AAMI EC57:2012, 4.5, and the WFDB application ``epicmp``: an episode is found if any of it is; its
duration is compared sample by sample.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ecgstream.evaluate.truth import Span


class Episodes(NamedTuple):
    """How annotated and found episodes agree.

    Attributes:
        hit, missed: annotated ones of which any was, or nothing was found.
        right, false: found ones that touch an annotated one, or none.
        both, annotated, found: durations, s: in which both say so, and each.
    """

    hit: int
    missed: int
    right: int
    false: int
    both: float
    annotated: float
    found: float

    def __add__(self, other: "Episodes") -> "Episodes":  # type: ignore[override] # sums, not a longer tuple
        return Episodes._make(a + b for a, b in zip(self, other, strict=True))


def merged(spans: Iterable[Span], gap: float = 0) -> list[Span]:
    """Return spans in order, with those that touch, or are no further apart than ``gap`` samples, as one.

    >>> merged([(30, 40), (0, 10), (10, 20)]), merged([(0, 10), (12, 20)], gap=2)
    ([(0, 20), (30, 40)], [(0, 20)])
    """
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1] + gap:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def overlap(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return where both are."""
    others = list(other)
    return [(max(a, c), min(b, d)) for a, b in one for c, d in others if max(a, c) < min(b, d)]


def compare(
    annotated: list[Span],
    found: list[Span],
    rate: float,
    excused: Iterable[Span] = (),
) -> Episodes:
    """Return how merged spans agree.

    Args:
        annotated: spans that do not touch each other.
        found: the same.
        rate: Hz.
        excused: a found episode that touches one of these is not false.
    """
    allowed = [*annotated, *excused]
    hit = sum(bool(overlap([span], found)) for span in annotated)
    right = sum(bool(overlap([span], annotated)) for span in found)
    false = sum(not overlap([span], allowed) for span in found)
    return Episodes(
        hit,
        len(annotated) - hit,
        right,
        false,
        _seconds(overlap(annotated, found), rate),
        _seconds(annotated, rate),
        _seconds([s for s in found if overlap([s], annotated) or not overlap([s], excused)], rate),
    )


def _seconds(spans: Iterable[Span], rate: float) -> float:
    return sum(end - begin for begin, end in spans) / rate
