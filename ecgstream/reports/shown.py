"""How figures of a report are written, on paper and on a screen."""


def rate(bpm: float | None) -> str:
    """Return a rate a minute."""
    return "-" if bpm is None else f"{bpm:.0f}"


def share(part: float | None) -> str:
    """Return a share; one that is not nothing is never shown as 0.

    >>> share(0.1234), share(0.0), share(0.00001), share(None)
    ('12.3 %', '0 %', '<0.1 %', '-')
    """
    if part is None:
        return "-"
    if part == 0:
        return "0 %"
    return f"{100 * part:.1f} %" if part >= 0.0005 else "<0.1 %"


def level(mv: float | None) -> str:
    """Return an ST level in mV, with its sign.

    >>> level(0.123), level(-0.05), level(-0.001), level(None)
    ('+0.12', '-0.05', '+0.00', '-')
    """
    return "-" if mv is None else f"{round(mv, 2) + 0.0:+.2f}"


def lasting(seconds: float) -> str:
    """Return hours, minutes and seconds.

    >>> lasting(86400), lasting(61.4)
    ('24:00:00', '0:01:01')
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
