"""What a suite is, and how its records are gone through on all cores."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import detectors
from devices.errors import RecordingError


@dataclass(frozen=True, slots=True)
class Suite:
    """One way of looking at the detectors.

    Attributes:
        name: as it is called on the command line.
        about: what it says, for a person.
        paths: of a folder, the records that it takes.
        look: of a record, what was found; in a process of its own, so of plain data.
        sum_up: of what was found in all records, in their order, the figures by name.
    """

    name: str
    about: str
    paths: Callable[[Path], list[Path]]
    look: Callable[[Path], Any]
    sum_up: Callable[[Sequence[Any]], dict[str, Any]]


class NothingToEvaluateError(RuntimeError):
    """There is no record that the suite could take; the message says where it looked."""


def wfdb_records(folder: Path) -> list[Path]:
    """Return the headers of a folder."""
    return sorted(folder.glob("*.hea"))


def annotated(folder: Path) -> list[Path]:
    """Return the headers of the records that have annotations."""
    return [path for path in wfdb_records(folder) if path.with_suffix(".atr").exists()]


def evaluate(suite: Suite, folder: Path, chosen: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures of a suite, with progress on stderr.

    Args:
        suite: which.
        folder: of WFDB records.
        chosen: names of records; by default all that the suite takes.

    Raises:
        NothingToEvaluateError: there are none.
    """
    paths = suite.paths(folder)
    unknown = sorted(set(chosen) - {path.stem for path in paths})
    if unknown:
        raise NothingToEvaluateError(f"{folder}: the suite {suite.name} finds no {', '.join(unknown)}")
    wanted = [path for path in paths if not chosen or path.stem in chosen]
    if not wanted:
        raise NothingToEvaluateError(f"{folder}: no records for the suite {suite.name} ({suite.about})")
    found, unreadable = _look_at_all(suite, wanted)
    if not found:
        raise NothingToEvaluateError(f"{folder}: none of {len(wanted)} records can be read: {unreadable[0]}")
    return {
        "suite": suite.name,
        "records": [path.stem for path in wanted if path in found],
        "unreadable": unreadable,
        "detectors": detectors.VERSION,
        **suite.sum_up([found[path] for path in wanted if path in found]),
    }


def _look_at_all(suite: Suite, paths: Sequence[Path]) -> tuple[dict[Path, Any], list[str]]:
    detectors.warm_up()  # once, rather than in every process
    found: dict[Path, Any] = {}
    unreadable: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task(suite.name, total=len(paths))
        running = {pool.submit(partial(suite.look, path)): path for path in paths}
        for done in as_completed(running):
            try:
                found[running[done]] = done.result()
            except RecordingError as error:
                unreadable.append(str(error))
            progress.advance(task)
    return found, sorted(unreadable)
