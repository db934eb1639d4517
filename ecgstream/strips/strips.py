"""The strip of an alert: read from Kafka and drawn, on a thread of its own, for whoever shows alerts.

The consumer belongs to that thread alone, and so does matplotlib's slow first picture, which is drawn for
nobody as the thread starts. Whoever asks waits as long as it has said, whatever Kafka does, and gets the
strip or none; what is ready too late is there for who asks next. Each alert is drawn once, except that what
is not whole (the signal has not come so far yet, or cannot be had) is tried anew some seconds later.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from alerts.ecg import Signal
from alerts.notify import Strip
from alerts.page import condition_text, whose
from alerts.priority import MARKS
from ecgstream.clock import SignalClock
from ecgstream.strips import metrics
from ecgstream.strips.excerpt import excerpt
from ecgstream.strips.recent import Recent
from schemas.records import Alert

BEFORE_S, AFTER_S = 7.0, 3.0
KEPT = 32
"""Strips; each has some 0.2 MB."""
AGAIN_S = 5.0

log = structlog.get_logger()


class Lack(StrEnum):
    """Why there is no strip; a label of metrics."""

    LATE = "late"
    UNREADABLE = "unreadable"
    NO_SIGNAL = "no_signal"
    BROKEN = "broken"


class _LackingError(Exception):
    def __init__(self, lack: Lack) -> None:
        super().__init__(str(lack))
        self.lack = lack


class _Drawn(NamedTuple):
    strip: Strip
    whole: bool


class _Asked(NamedTuple):
    """A strip that somebody has asked for, and when, by ``time.monotonic``, s."""

    drawn: Future[_Drawn]
    at_s: float

    def may_get_better(self, now_s: float) -> bool:
        if not self.drawn.done() or now_s < self.at_s + AGAIN_S:
            return False
        return self.drawn.exception() is not None or not self.drawn.result().whole


class Strips:
    """Gives alerts their strips; any thread may ask.

    Args:
        reader: a consumer without a group that may read the ingest topic; it is closed with this.
        clock: that alerts' times are of.
    """

    def __init__(self, reader: KafkaConsumer, clock: SignalClock) -> None:
        self._reader = reader
        self._recent = Recent(reader, clock)
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._thread = ThreadPoolExecutor(1, "strips")
        self._thread.submit(_warm_up)

    def of(self, alert: Alert, until_s: float) -> Strip | None:
        """Return an alert's strip by a time of ``time.monotonic``, s; None: it cannot be had by then."""
        try:
            drawn = self._ask(alert, until_s)
            return drawn.result(max(0.0, until_s - time.monotonic())).strip
        except _LackingError as error:
            lack, why = error.lack, ""
        except TimeoutError:
            lack, why = Lack.LATE, ""
        except KafkaError as error:
            lack, why = Lack.UNREADABLE, type(error).__name__
        except Exception as error:  # a picture must not cost a page, whatever is wrong with it
            lack, why = Lack.BROKEN, type(error).__name__
        metrics.STRIPS_LACKING.labels(str(lack)).inc()
        log.warning("strip_lacking", reason=str(lack), error=why, alert=alert.id, device=alert.device)
        return None

    def close(self) -> None:
        """End the thread, behind what it is drawing, then close the consumer."""
        self._thread.shutdown(cancel_futures=True)
        self._reader.close()

    def _ask(self, alert: Alert, until_s: float) -> Future[_Drawn]:
        """Return what is drawn or being drawn; where nobody could wait for it, nothing is begun."""
        with self._lock:
            now_s = time.monotonic()
            known = self._asked.get(alert.id)
            if now_s < until_s and (known is None or known.may_get_better(now_s)):
                known = _Asked(self._thread.submit(self._draw, alert, until_s), now_s)
                self._asked[alert.id] = known
                if len(self._asked) > KEPT:
                    del self._asked[next(iter(self._asked))]
            if known is None:
                raise _LackingError(Lack.LATE)
            return known.drawn

    def _draw(self, alert: Alert, until_s: float) -> _Drawn:
        if time.monotonic() >= until_s:
            raise _LackingError(Lack.LATE)  # who asked is gone; others wait
        found = self._recent.around(alert, BEFORE_S, AFTER_S)
        signal = excerpt(found.packets, alert, BEFORE_S, AFTER_S)
        if signal is None:
            raise _LackingError(Lack.NO_SIGNAL)
        title = f"{MARKS[alert.priority]} {condition_text(alert.condition)}"
        return _Drawn(_drawn(signal, title, whose(alert), alert.onset_ns), found.whole)


def _drawn(signal: Signal, title: str, line: str, onset_ns: int) -> Strip:
    # It imports matplotlib, for which no other thread may wait.
    from alerts.strip import Caption, draw

    return draw(signal, Caption(title, line, onset_ns), before_s=BEFORE_S, after_s=AFTER_S)


def _warm_up() -> None:
    _drawn(Signal(("II",), np.zeros((1, 2)), 1.0, 0), "", "", 0)
    log.info("strips_ready")
