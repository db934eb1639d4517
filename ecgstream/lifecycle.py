"""How a service begins and ends: logging set up once, and a stop that SIGTERM and Ctrl-C ask for."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from ecgstream.settings import Settings


def set_up_logging(settings: Settings, service: str, *, at_least: int = logging.NOTSET) -> None:
    """Write log lines to standard error; each names its service. No line may name a patient.

    ``at_least``: for commands that talk to a person, who need not read what a log may hold.
    """
    level = max(logging.getLevelNamesMapping()[settings.log_level.upper()], at_least)
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if settings.log_json
            else structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service=service)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set; a service leaves its loop when it is set, and cleans up."""
    stop = threading.Event()

    def ask(_signum: int, _frame: object) -> None:
        stop.set()

    before = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
