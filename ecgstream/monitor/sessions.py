"""Sessions: who has logged in, on this process, until when.

They live in memory: whoever restarts the monitor logs everybody out. A cookie is a random number that says
nothing; what is kept of it is a digest, which opens nothing.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ecgstream.monitor import metrics

IDLE_S = 1800.0
"""Without a sign of a person for so long, a session ends; what a page fetches by itself is none."""
WHOLE_S = 43_200.0
"""A session ends after so long in any case: a shift, and who comes next logs in."""
FRESH_S = 300.0
"""For so long after a login nobody is asked again who they are."""
MOST_OF_ACCOUNT = 8
"""Of more sessions of one account, the one that was used longest ago ends."""


@dataclass(slots=True)
class Session:
    """One login.

    Attributes:
        account: who.
        zone: IANA name of the time zone of the facility where they stand.
        csrf: what every form of this session brings along, so that no other site can say anything.
        began_s, used_s: by the sessions' clock.
    """

    account: str
    zone: str
    csrf: str
    began_s: float
    used_s: float


class Sessions:
    """All sessions; any thread may ask.

    Args:
        clock_s: steady.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._kept: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, account: str, zone: str) -> str:
        """Return the cookie of a new session."""
        now_s, cookie = self._clock_s(), secrets.token_urlsafe(32)
        with self._lock:
            self._forget(now_s)
            own = sorted((s.used_s, key) for key, s in self._kept.items() if s.account == account)
            for _, key in own[: max(0, len(own) + 1 - MOST_OF_ACCOUNT)]:
                del self._kept[key]
            self._kept[_digest(cookie)] = Session(account, zone, secrets.token_urlsafe(32), now_s, now_s)
            metrics.SESSIONS.set(len(self._kept))
        return cookie

    def look(self, cookie: str, *, used: bool) -> Session | None:
        """Return the session of a cookie, None: there is none any more; ``used``: a person has done this."""
        now_s, key = self._clock_s(), _digest(cookie)
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if _is_over(found, now_s):
                self._forget(now_s)
                return None
            if used:
                found.used_s = now_s
            return found

    def is_fresh(self, session: Session) -> bool:
        """Return whether its person has logged in just now."""
        return self._clock_s() - session.began_s < FRESH_S

    def end(self, cookie: str) -> None:
        """End a session."""
        with self._lock:
            self._kept.pop(_digest(cookie), None)
            metrics.SESSIONS.set(len(self._kept))

    def _forget(self, now_s: float) -> None:
        self._kept = {key: s for key, s in self._kept.items() if not _is_over(s, now_s)}
        metrics.SESSIONS.set(len(self._kept))


def _is_over(session: Session, now_s: float) -> bool:
    return now_s - session.used_s >= IDLE_S or now_s - session.began_s >= WHOLE_S


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
