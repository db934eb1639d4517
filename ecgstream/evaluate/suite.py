"""What a suite is, and how its records are gone through on all cores."""

import os
from collections.abc import Callable, Mapping, Sequence
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
        cases: of a folder, the records that it takes; or, by name, what it makes itself.
        look: of a case, what was found; in a process of its own, so of plain data.
        sum_up: of what was found in all cases, in their order, the figures by name.
    """

    name: str
    about: str
    cases: Callable[[Path], list[Path]] | Mapping[str, Any]
    look: Callable[[Any], Any]
    sum_up: Callable[[Sequence[Any]], dict[str, Any]]


class NothingToEvaluateError(RuntimeError):
    """There is nothing that the suite could take; the message says where it looked."""


def wfdb_records(folder: Path) -> list[Path]:
    """Return the headers of a folder."""
    return sorted(folder.glob("*.hea"))


def annotated(folder: Path) -> list[Path]:
    """Return the headers of the records that have annotations."""
    return [path for path in wfdb_records(folder) if path.with_suffix(".atr").exists()]


def evaluate(suite: Suite, folder: Path | None, chosen: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures of a suite, with progress on stderr.

    Args:
        suite: which.
        folder: of WFDB records; None for a suite that makes its own signals.
        chosen: names of records; by default all that the suite takes.

    Raises:
        NothingToEvaluateError: there are none, or the suite wants a folder and has none, or the other way.
    """
    cases = _cases(suite, folder)
    where = f"{folder}: " if folder else ""
    unknown = sorted(set(chosen) - set(cases))
    if unknown:
        raise NothingToEvaluateError(f"{where}the suite {suite.name} finds no {', '.join(unknown)}")
    wanted = {name: case for name, case in cases.items() if not chosen or name in chosen}
    if not wanted:
        raise NothingToEvaluateError(f"{where}no records for the suite {suite.name} ({suite.about})")
    found, unreadable = _look_at_all(suite, wanted)
    if not found:
        raise NothingToEvaluateError(f"{where}none of {len(wanted)} records can be read: {unreadable[0]}")
    return {
        "suite": suite.name,
        "records" if folder else "trials": [name for name in wanted if name in found],
        "unreadable": unreadable,
        "detectors": detectors.VERSION,
        **suite.sum_up([found[name] for name in wanted if name in found]),
    }


def _cases(suite: Suite, folder: Path | None) -> Mapping[str, Any]:
    if callable(suite.cases):
        if folder is None:
            raise NothingToEvaluateError(f"the suite {suite.name} needs a folder: {suite.about}")
        return {path.stem: path for path in suite.cases(folder)}
    if folder is not None:
        raise NothingToEvaluateError(f"{folder}: the suite {suite.name} takes no folder: {suite.about}")
    return suite.cases


def _look_at_all(suite: Suite, cases: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    detectors.warm_up()  # once, rather than in every process
    found: dict[str, Any] = {}
    unreadable: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task(suite.name, total=len(cases))
        running = {pool.submit(partial(suite.look, case)): name for name, case in cases.items()}
        for done in as_completed(running):
            try:
                found[running[done]] = done.result()
            except RecordingError as error:
                unreadable.append(str(error))
            progress.advance(task)
    return found, sorted(unreadable)
