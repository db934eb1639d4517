"""What a watch that is started again must know: the alarms that are open, and what is still to be told.

One small JSON file, replaced as a whole. An alarm is in it before it is told, and what is to be told until
the receiver has taken it: ended anywhere, the watch tells again, under the same idempotency key, what may not
have arrived. Where the file cannot be written (a full disk is what it alarms of) all goes on in memory.
"""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from alerts.notify import Page
from ecgstream.watch.alarms import Alarm
from schemas.conditions import Code
from schemas.records import Priority

log = structlog.get_logger()


class Book:
    """The file, and what is in it; any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._alarms: list[dict[str, Any]] = []
        self._pages: list[Page] = []
        self._load()

    def alarms(self) -> list[Alarm]:
        """Return the alarms that are open."""
        return [Alarm(**alarm | {"code": Code[alarm["code"]]}) for alarm in self._alarms]

    def pages(self) -> Sequence[Page]:
        """Return what is still to be told."""
        with self._changed:
            return tuple(self._pages)

    def note(self, alarms: Iterable[Alarm], pages: Iterable[Page]) -> None:
        """Note the alarms that are open now, and more that is to be told."""
        with self._changed:
            noted = [asdict(alarm) | {"code": alarm.code.name} for alarm in alarms]
            more = list(pages)
            if noted == self._alarms and not more:
                return
            self._alarms = noted
            self._pages += more
            self._save()
            self._changed.notify_all()

    def next(self, timeout_s: float) -> Page | None:
        """Return what is to be told next, the most urgent first; wait for it."""
        order = list(Priority)
        with self._changed:
            self._changed.wait_for(lambda: self._pages, timeout_s)
            return min(self._pages, key=lambda page: order.index(page.priority), default=None)

    def told(self, page: Page) -> None:
        """Note that the receiver has taken it."""
        with self._changed:
            self._pages = [p for p in self._pages if p.key != page.key]
            self._save()

    def _load(self) -> None:
        try:
            content = json.loads(self._path.read_text("utf-8"))
            self._alarms = content["alarms"]
            self._pages = [Page(**p | {"priority": Priority(p["priority"])}) for p in content["pages"]]
            self.alarms()  # so that what does not fit is found here
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("book_unreadable", path=str(self._path), error=type(error).__name__)
            self._alarms, self._pages = [], []

    def _save(self) -> None:
        pages = [asdict(page) for page in self._pages]
        content = json.dumps({"alarms": self._alarms, "pages": pages})
        part = self._path.with_suffix(".part")
        try:
            with part.open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            log.warning("book_not_saved", path=str(self._path), error=error.strerror)
