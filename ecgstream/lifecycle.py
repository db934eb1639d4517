"""How a service begins and ends: logging set up once, and a stop that SIGTERM and Ctrl-C ask for."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor

from ecgstream.settings import Settings


def set_up_logging(settings: Settings, service: str, *, at_least: int = logging.NOTSET) -> None:
    """Write log lines to standard error; each names its service. No line may name a patient.

    ``at_least``: for commands that talk to a person, who need not read what a log may hold.
    """
    level = max(logging.getLevelNamesMapping()[settings.log_level.upper()], at_least)

    def name_it(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service  # not by a context variable, which other threads do not have
        return event

    shared: list[Processor] = [
        name_it,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json, as_text = structlog.processors.JSONRenderer(), structlog.dev.ConsoleRenderer(colors=False)
    line: Processor = as_json if settings.log_json else as_text
    structlog.configure(
        processors=[*shared, line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line and its end in one write, as libraries do below: none slips in between.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    # What libraries say, by the standard library, becomes such lines too: all of a log can be read as JSON.
    others = logging.StreamHandler(sys.stderr)
    others.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[others])
    _log_crashes()


def _log_crashes() -> None:
    """Make a log line of what nobody has caught, in any thread: a traceback alone cannot be read as JSON."""
    log = structlog.get_logger()

    def crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt) or error is None:
            sys.__excepthook__(kind, error or kind(), trace)
            return
        log.critical("crashed", thread=threading.current_thread().name, exc_info=(kind, error, trace))

    sys.excepthook = crash
    threading.excepthook = lambda told: crash(told.exc_type, told.exc_value, told.exc_traceback)


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
