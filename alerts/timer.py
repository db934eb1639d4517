"""When it is time for what was put off, also where the clock was set back meanwhile.

Times are kept as moments of the wall clock, so that they outlive the process. Whoever sets that clock back by
an hour would put everything off by an hour: but nothing is ever put off for longer than a bound, so what lies
farther ahead is due. It comes early then, never late.
"""


def is_due(at_ns: int, now_ns: int, longest_s: float) -> bool:
    """Return whether a moment has come, or lies farther ahead than ``longest_s``.

    >>> [is_due(at_ns, 1_000_000_000, 2.0) for at_ns in (1_000_000_000, 2_500_000_000, 3_600_000_000_000)]
    [True, False, True]
    """
    return at_ns <= now_ns or at_ns - now_ns > longest_s * 1e9
