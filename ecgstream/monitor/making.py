"""What is done of reports in the processes of ``workshop``: made from the store, and drawn.

A report is read in one transaction, which sees one state of the store, as the person who wants it. By which
rows of the registry the patient wore what, the database compares as it keeps the document: no correction of
them slips in between.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import wait
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg

from devices.files.child import limit_memory
from ecgstream.monitor.stored import AS_WEB, GoneError, become
from ecgstream.registry.errors import RegistryError
from ecgstream.reports import make, stored
from ecgstream.reports.kind import Kind
from ecgstream.reports.make import Wanted
from ecgstream.reports.standing import Standing
from ecgstream.reports.words import Language
from ecgstream.store.connection import connect

NICENESS = 10
"""So much later than the monitor itself these processes have their turn."""
MEMORY_BYTES = 2**31
"""Beside the libraries."""
_READING = 0.9
"""Of the work, until all but the strips is read."""
_KEEP: LiteralString = "SELECT api.keep_report(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"

_done: list[Any] = []
"""How much of each order is done, 0 to 1: memory that is shared with the monitor."""


class Order(NamedTuple):
    """A report that somebody wants; ``amends``: the signed report that it would replace."""

    id: UUID
    account: str
    kind: Kind
    patient: str
    since: datetime
    until: datetime
    amends: UUID | None


def begin(done: Any) -> None:
    """Begin a process: what the monitor does goes before what it does, and it ends with the monitor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends what it does in order
    os.nice(NICENESS)
    limit_memory(MEMORY_BYTES)
    _done[:] = [done]
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)


def made(url: str, order: Order, slot: int) -> str:
    """Make a report and keep it; return why that was not done, empty if it was.

    As ``api.keep_report`` says it (``moved``, ``amended``), and ``gone``: no such account any more; ``none``:
    the patient wore nothing then, or one does not see it; ``resting``: likewise, or it is no resting ECG;
    ``part``: one does not see all of it; ``large``: more than a document may be.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    with connect(url, name="ecgstream-monitor report") as connection:
        try:
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                # To compute what was read may take longer than a page may.
                connection.execute("SET LOCAL idle_in_transaction_session_timeout = '300s'")
                connection.execute("SET LOCAL statement_timeout = '120s'")
                connection.execute(AS_WEB)
                become(connection, order.account)
                found, worn = _read(connection, order, slot)
            content = make.drawn(found, ".json", "en")
            with connection.transaction():
                connection.execute(AS_WEB)
                whose = (order.account, order.id, str(order.kind), order.patient, order.since, order.until)
                how = (found.software, list(found.report.detectors), order.amends)
                row = connection.execute(_KEEP, (*whose, worn, content, *how)).fetchone()
            return str(row[0]) if row else ""
        except GoneError:
            return "gone"
        except RegistryError:
            return "resting" if order.kind is Kind.RESTING else "none"
        except psycopg.errors.InsufficientPrivilege:
            return "part"
        except psycopg.errors.CheckViolation:
            return "large"


def drawn(content: bytes, kind: str, language: Language, standing: Standing) -> bytes:
    """Return a document as a file (``make.drawn``).

    Raises:
        RegistryError: there is no font.
        ValueError: it is no document.
    """
    return make.drawn(make.read(content), kind, language, standing)


def _read(connection: psycopg.Connection, order: Order, slot: int) -> tuple[make.Made, list[UUID]]:
    stretch = (order.since, order.until)
    worn = stored.associations(connection, order.patient, *stretch)
    if order.kind is Kind.RESTING:
        return make.resting(connection, "", order.patient, order.since), worn
    parts = stored.patient_parts(connection, order.patient, *stretch)

    def progress(items: Iterable[Any], title: str) -> Iterator[Any]:
        listed = list(items)
        low, high = (_READING, 1.0) if title == "Strips" else (0.0, _READING)
        for n, item in enumerate(listed):
            with suppress(IndexError):
                _done[0][slot] = low + (high - low) * n / len(listed)
            yield item

    return make.of_parts(connection, Wanted("", order.patient, stretch), parts, progress), worn
