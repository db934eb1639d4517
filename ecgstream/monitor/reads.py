"""Who has seen what: pages of patients' data, and screens with their signals, go into the audit log.

A page is noted before it is sent; where that cannot be done, it is not shown. Of a screen that is open,
signals are never held back for it: what cannot be noted waits until it can. What a page fetches by itself is
noted as well, once an hour, so that nobody reads on unseen by saying that nobody has touched it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from ecgstream.audit.recent import Recent
from ecgstream.monitor import metrics
from ecgstream.monitor.viewer import Viewer

Note = Callable[[str, str, str, str, Mapping[str, Any]], None]
"""Who, did what, with what kind of thing, which; and what else is to be said."""
AGAIN_S = 3600.0
MOST_WAITING = 10_000
_QUERY = ("device", "at", "since", "until", "hours", "days", "priority", "layout", "level")
"""Of an address: which device and stretch was looked at. Nothing else that somebody may type."""
_LONGEST = 100
_HOUR_MS = 3_600_000

log = structlog.get_logger()


class Reads:
    """Takes notes; any thread may.

    Args:
        note: puts an entry into the log; raises ``psycopg.Error``.
        clock_s: steady.
    """

    def __init__(self, note: Note, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._note = note
        self._recent = Recent(AGAIN_S, clock_s)
        self._waiting: deque[tuple[str, str, str, str, dict[str, Any]]] = deque()
        self._lock = threading.Lock()

    def login(self, account: str, by: str) -> None:
        """Somebody has logged in, by a password or a provider.

        Raises:
            psycopg.Error: it cannot be noted.
        """
        self._note(account, "login", "person", account, {"by": by})

    def page(
        self, account: str, kind: str, object_: str, page: str, query: Mapping[str, str], *, by_itself: bool
    ) -> None:
        """A page is about to be shown to somebody.

        Args:
            account: to whom.
            kind: of what is shown: patient, alert, report, list.
            object_: its pseudonym or id.
            page: the address's pattern.
            query: of the address.
            by_itself: nobody has touched the page that asks.

        Raises:
            psycopg.Error: it cannot be noted.
        """
        # PostgreSQL keeps no NUL in a text.
        asked = {name: query[name][:_LONGEST].replace("\0", "") for name in _QUERY if name in query}
        key = (account, kind, object_, page, asked.get("device", ""), _hour(asked))
        if by_itself and not self._recent.is_new(key):
            return
        self._note(account, "read", kind, object_, {"page": page, "by_itself": by_itself, **asked})

    def refused(self, account: str, kind: str, object_: str, page: str) -> None:
        """Somebody has asked for what they may not see, or what there is not.

        Raises:
            psycopg.Error: it cannot be noted.
        """
        self._note(account, "refused", kind, object_[:_LONGEST], {"page": page})

    def screen(self, viewer: Viewer, devices: Collection[str], whole: Collection[str]) -> None:
        """A screen shows devices that it has not shown before; ``whole``: all leads of these."""
        detail = {"devices": sorted(devices), "whole": sorted(whole)}
        wall = "" if viewer.wall is None else str(viewer.wall.id)
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                metrics.UNNOTED.inc()
                log.error("read_not_noted", account=viewer.account)
                return
            self._waiting.append((viewer.account, "read", "screen", wall, detail))
        self.catch_up()

    def catch_up(self) -> None:
        """Note what waits, if that can be done now."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                entry = self._waiting.popleft()
            try:
                self._note(*entry)
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("read_waits", error=type(error).__name__)
                with self._lock:
                    self._waiting.appendleft(entry)
                return


def _hour(asked: Mapping[str, str]) -> str:
    """Return in which hour of the signal a stretch lies, so that each hour that is looked at is noted.

    >>> _hour({"since": "7200000"}), _hour({"since": "soon"}), _hour({})
    ('2', '', '')
    """
    try:
        return str(int(float(asked["since"]) // _HOUR_MS))
    except (KeyError, ValueError, OverflowError):
        return ""
