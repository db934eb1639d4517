"""Ends a worker that is alive but dead.

A service of Faust that crashes, above all the consumer's thread, leaves the process running without work:
its shutdown waits for what will not come. This thread notices and ends the process; the supervisor starts it
again.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

INTERVAL_S = 1.0
PATIENCE_S = 3.0
"""How long a crashed app may take to end by itself."""


def start(app: Any, give_up: Callable[[str], NoReturn]) -> threading.Thread:
    """Watch a Faust app from a thread of its own, since its event loop may be what hangs."""
    thread = threading.Thread(target=_watch, args=(app, give_up), name="watchdog", daemon=True)
    thread.start()
    return thread


def _watch(app: Any, give_up: Callable[[str], NoReturn]) -> None:
    while not has_crashed(app):
        time.sleep(INTERVAL_S)
    time.sleep(PATIENCE_S)
    give_up(f"Faust has crashed: {app.crash_reason!r}")


def has_crashed(service: Any) -> bool:
    """Return whether a Faust service or one below it has crashed."""
    return service.crashed or any(has_crashed(child) for child in service._children)
