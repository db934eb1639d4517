"""Reports are made beside the monitor: bounded, later than it, and without taking it along when they fail."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ecgstream.monitor.making import NICENESS, Order
from ecgstream.monitor.workshop import MOST_OF_ACCOUNT, BusyError, Workshop
from ecgstream.reports import document
from ecgstream.reports.document import Document
from ecgstream.reports.kind import Kind
from ecgstream.reports.standing import UNSIGNED
from tests.ecgstream.reports.made import SIGNED
from tests.ecgstream.reports.test_sheet import a_day, strips_of

NOW = datetime(2026, 9, 21, 16, tzinfo=UTC)
WRITTEN = document.written(Document(a_day(30), strips_of(a_day(30))))


def order(account: str = "li") -> Order:
    return Order(uuid4(), account, Kind.STRETCH, "p-1", NOW - timedelta(hours=1), NOW, None)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """Before a database that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = Workshop(f"postgresql://x:y@127.0.0.1:{silent.getsockname()[1]}/z")
        yield made
        made.close()


def processes(workshop: Workshop) -> list[int]:
    assert workshop._pool is not None
    return list(workshop._pool._processes)


def test_what_waits_is_bounded_and_what_fails_is_said(workshop: Workshop) -> None:
    asked = [order() for _ in range(MOST_OF_ACCOUNT)]
    for one in asked:
        workshop.make(one)
    with pytest.raises(BusyError):
        workshop.make(order())
    other = order("wang")
    workshop.make(other)  # of somebody else
    jobs = [workshop.job(str(one.id)) for one in (*asked, other)]
    deadline = time.monotonic() + 120
    while any(job is None or job.outcome is None for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [job and job.outcome for job in jobs] == ["failed"] * 3
    assert workshop.job("nothing") is None
    workshop.make(last := order())  # there is room again
    found = workshop.job(str(last.id))
    assert found is not None
    assert 0 <= workshop.done(found) <= 1
    assert workshop.lasting_s(found) >= 0


def test_a_document_is_drawn_as_each_kind_later_than_the_monitor_itself(workshop: Workshop) -> None:
    assert workshop.draw(WRITTEN, ".pdf", "en", SIGNED).startswith(b"%PDF")
    assert b'"amended"' in workshop.draw(WRITTEN, ".fhir.json", "en", SIGNED)
    assert workshop.draw(WRITTEN, ".json", "en", SIGNED) == WRITTEN
    own = os.getpriority(os.PRIO_PROCESS, 0)
    found = {os.getpriority(os.PRIO_PROCESS, pid) for pid in processes(workshop)}
    assert found == {min(own + NICENESS, 19)}


def test_what_is_no_document_costs_no_process(workshop: Workshop) -> None:
    before = workshop.draw(WRITTEN, ".json", "en", UNSIGNED)
    with pytest.raises(ValueError, match="no report"):
        workshop.draw(b"{}", ".pdf", "en", UNSIGNED)
    assert workshop.draw(WRITTEN, ".json", "en", UNSIGNED) == before


def test_a_process_that_dies_is_replaced(workshop: Workshop) -> None:
    workshop.draw(WRITTEN, ".json", "en", UNSIGNED)
    for pid in processes(workshop):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    drawn = b""
    while not drawn:
        assert time.monotonic() < deadline
        with suppress(BusyError):  # while it is being noticed
            drawn = workshop.draw(WRITTEN, ".json", "en", UNSIGNED)
    assert drawn == WRITTEN
