"""How long an export of 24 hours with twelve leads takes, and how much memory, from a real database.

Each format is written by a process of its own, so that its most memory is its own too. An HL7 aECG takes an
hour, since it may not be longer by much.
"""

import multiprocessing
import re
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ecgstream.bench import report
from ecgstream.bench.database import new_database
from ecgstream.bench.store import readers
from ecgstream.exchange.stored import recording
from ecgstream.reports.stored import device_parts
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate

BAR_MB = 512
"""Of the samples alone there are 518 MB."""
LEADS = 12
HOURS = {"wfdb": 24, "edf": 24, "dicom": 24, "aecg": 1}


def run(server: str) -> dict[str, Any]:
    """Return s and the most MB of memory of each format, and the bytes of its files.

    Args:
        server: URL of a database server; empty for the embedded PostgreSQL.

    Raises:
        CannotMeasureError: there is no such server.
    """
    with new_database(server) as url:
        migrate(url)
        report.enrol(url)
        with connect(url, autocommit=True) as owner:
            figures: dict[str, Any] = {"edition": str(detect(owner)), "beats": report.fill(owner, LEADS)}
        with readers(url) as roles:
            for name, hours in HOURS.items():
                figures |= _measured(url, roles["clinic"], name, hours)
    return figures


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted, what was found, and whether that will do."""
    most = max(value for name, value in found.items() if name.endswith("_most_mb"))
    return [("MB of memory at most", f"< {BAR_MB}", f"{most}", most < BAR_MB)]


def _measured(url: str, role: str, name: str, hours: float) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_export, args=(url, role, name, hours, there))
    process.start()
    there.close()
    found: dict[str, Any] = here.recv()
    process.join()
    return found


def _export(url: str, role: str, name: str, hours: float, told: Connection) -> None:
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as scratch,
        connect(url, role=role) as connection,
    ):
        until = report.BEGIN + timedelta(hours=hours)
        parts = device_parts(connection, report.DEVICE, report.BEGIN, until)
        files = import_module(f"ecgstream.exchange.{name}").write(
            recording(connection, parts, "", Path(scratch)), Path(folder)
        )
        taken = time.perf_counter() - began
        size = sum(file.stat().st_size for file in files)
    # Not ru_maxrss, which begins with what the process had that made this one.
    most = int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024
    told.send(
        {
            f"{name}_s": round(taken, 1),
            f"{name}_most_mb": most // 1_000_000,
            f"{name}_files_mb": size // 1_000_000,
        }
    )
