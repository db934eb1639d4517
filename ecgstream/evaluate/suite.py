"""What a suite is, and how its records are gone through on all cores."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import detectors
from devices.errors import RecordingError
from ecgstream.evaluate import others, speed
from ecgstream.evaluate.others import Comparison, OfOther
from ecgstream.evaluate.statistics import rounded


@dataclass(frozen=True, slots=True)
class Suite:
    """One way of looking at the detectors.

    Attributes:
        name: as it is called on the command line.
        about: what it says, for a person.
        cases: of a folder, the records that it takes; or, by name, what it makes itself.
        look: of a case, what was found; in a process of its own, so of plain data.
        sum_up: of what was found in all cases, in their order, the figures by name.
        comparison: how other QRS detectors are compared; None where the suite does not ask for beats.
    """

    name: str
    about: str
    cases: Callable[[Path], list[Path]] | Mapping[str, Any]
    look: Callable[[Any], Any]
    sum_up: Callable[[Sequence[Any]], dict[str, Any]]
    comparison: Comparison | None = None


class NothingToEvaluateError(RuntimeError):
    """There is nothing that the suite could take; the message says where it looked."""


def wfdb_records(folder: Path) -> list[Path]:
    """Return the headers of a folder."""
    return sorted(folder.glob("*.hea"))


def annotated(folder: Path) -> list[Path]:
    """Return the headers of the records that have annotations."""
    return [path for path in wfdb_records(folder) if path.with_suffix(".atr").exists()]


class NoComparisonError(RuntimeError):
    """Other detectors were asked for in a suite that compares none."""


def evaluate(
    suite: Suite, folder: Path | None, chosen: Sequence[str] = (), against: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the figures of a suite, with progress on stderr.

    Args:
        suite: which.
        folder: of WFDB records; None for a suite that makes its own signals.
        chosen: names of records; by default all that the suite takes.
        against: names of ``others.DETECTORS``, which find the beats of the same records.

    Raises:
        NothingToEvaluateError: there are none, or the suite wants a folder and has none, or the other way.
        NoComparisonError: this suite compares no other detectors.
        others.UnknownDetectorError: there is no such other detector.
    """
    names = others.known(against)
    if names and suite.comparison is None:
        raise NoComparisonError(
            f"the suite {suite.name} compares no other detectors, since it asks for no beats"
        )
    wanted = _wanted(suite, folder, chosen)
    found, unreadable = _look_at_all(_jobs(suite, wanted, names), suite.name)
    ours = [name for name in wanted if (OURS, name) in found]
    if not ours:
        raise NothingToEvaluateError(f"none of {len(wanted)} records can be read: {unreadable[0]}")
    result = {
        "suite": suite.name,
        "records" if folder else "trials": ours,
        "unreadable": unreadable,
        "detectors": detectors.VERSION,
        **suite.sum_up([found[OURS, name] for name in ours]),
    }
    if suite.comparison is not None:
        result["ns_per_sample_lead"] = speed.ns_a_sample([wanted[name] for name in ours])
    if suite.comparison is not None and names:
        result["against"] = {
            other: _second_opinion(suite.comparison, [found[other, name] for name in ours]) for other in names
        }
    return result


def _wanted(suite: Suite, folder: Path | None, chosen: Sequence[str]) -> dict[str, Any]:
    cases = _cases(suite, folder)
    where = f"{folder}: " if folder else ""
    unknown = sorted(set(chosen) - set(cases))
    if unknown:
        raise NothingToEvaluateError(f"{where}the suite {suite.name} finds no {', '.join(unknown)}")
    wanted = {name: case for name, case in cases.items() if not chosen or name in chosen}
    if not wanted:
        raise NothingToEvaluateError(f"{where}no records for the suite {suite.name} ({suite.about})")
    return wanted


def _cases(suite: Suite, folder: Path | None) -> Mapping[str, Any]:
    if callable(suite.cases):
        if folder is None:
            raise NothingToEvaluateError(f"the suite {suite.name} needs a folder: {suite.about}")
        return {path.stem: path for path in suite.cases(folder)}
    if folder is not None:
        raise NothingToEvaluateError(f"{folder}: the suite {suite.name} takes no folder: {suite.about}")
    return suite.cases


OURS = ""
"""In place of another detector's name."""
Job = tuple[str, str]
"""Whose detector, and on which case."""


def _jobs(suite: Suite, wanted: Mapping[str, Any], against: Sequence[str]) -> dict[Job, Callable[[], Any]]:
    jobs: dict[Job, Callable[[], Any]] = {
        (OURS, name): partial(suite.look, case) for name, case in wanted.items()
    }
    if suite.comparison is not None:
        counted = suite.comparison.counted
        for other in against:
            jobs |= {
                (other, name): partial(others.look, other, counted, path) for name, path in wanted.items()
            }
    return jobs


def _second_opinion(comparison: Comparison, found: Sequence[OfOther]) -> dict[str, Any]:
    told: dict[str, Any] = rounded(
        {
            **comparison.sum_up(found),
            "ns_per_sample_lead": round(float(np.median([one.ns_a_sample for one in found])), 1),
            "gave_up": {one.record: one.gave_up for one in found if one.gave_up},
        }
    )
    return told


def _look_at_all(jobs: dict[Job, Callable[[], Any]], title: str) -> tuple[dict[Job, Any], list[str]]:
    detectors.warm_up()  # once, rather than in every process
    found: dict[Job, Any] = {}
    unreadable: set[str] = set()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task(title, total=len(jobs))
        running = {pool.submit(job): key for key, job in jobs.items()}
        for done in as_completed(running):
            try:
                found[running[done]] = done.result()
            except RecordingError as error:
                unreadable.add(str(error))
            progress.advance(task)
    return found, sorted(unreadable)
