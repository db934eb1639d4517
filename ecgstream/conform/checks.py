"""One check after the other; each tells what devices rely on, and whether it holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecgstream.speaking.link import LinkDownError


class Verdict(StrEnum):
    """What came of a check."""

    HOLDS = "ok"
    FAILS = "FAIL"
    UNTOLD = "not asked"


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` devices rely on; ``why``: of what does not hold, or could not be asked."""

    what: str
    verdict: Verdict
    why: str = ""


class UnmetError(Exception):
    """It does not hold; says what was seen instead."""


class UntoldError(Exception):
    """It cannot be asked with what is given; says what is wanted."""


Check = tuple[str, Callable[[], None]]


def met(holds: object, why: str) -> None:
    """Raise ``UnmetError`` unless something holds.

    >>> met([], "no answer")
    Traceback (most recent call last):
        ...
    ecgstream.conform.checks.UnmetError: no answer
    """
    if not holds:
        raise UnmetError(why)


def findings(checks: Sequence[Check]) -> Iterator[Finding]:
    """Yield what comes of each check; one that fails keeps no other from being asked."""
    for what, check in checks:
        try:
            check()
        except UnmetError as error:
            yield Finding(what, Verdict.FAILS, str(error))
        except LinkDownError as error:
            yield Finding(what, Verdict.FAILS, f"no answer: {error}")
        except UntoldError as error:
            yield Finding(what, Verdict.UNTOLD, str(error))
        else:
            yield Finding(what, Verdict.HOLDS)
