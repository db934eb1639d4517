"""How long to wait before a page is tried again: longer each time, up to a bound, and never quite the same.

A page is tried again for as long as a retry can help: nobody knows when a channel comes back, and a page that
was given up is a page that nobody gets. The bound is short, since a patient waits; jitter spreads the
attempts of many pages, and of many pagers.
"""

FIRST_S = 0.5
FACTOR = 2.0
LONGEST_S = 10.0


def delay_s(attempts: int, jitter: float) -> float:
    """Return the wait behind so many attempts; ``jitter``: 0 to 1, which takes away up to half.

    >>> [delay_s(n, 0.0) for n in (1, 2, 3, 100)], delay_s(1, 1.0)
    ([0.5, 1.0, 2.0, 10.0], 0.25)
    """
    whole = min(LONGEST_S, FIRST_S * FACTOR ** min(attempts - 1, 32))
    return whole * (1.0 - jitter / 2)
