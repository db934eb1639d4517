"""Runs the benches and prints what they found."""

import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecgstream import __version__
from ecgstream.bench import bundles, detectors, registry, sink, spool
from ecgstream.bench.document import of_figures
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.documents import put
from ecgstream.lifecycle import set_up_logging
from ecgstream.settings import Settings

T = TypeVar("T")
BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "bundles": bundles.run,
    "detectors": detectors.run,
    "registry": registry.run,
    "spool": spool.run,
    "sink": lambda: sink.run(Settings().database.get_secret_value()),
}


def run(json_file: Path | None) -> None:
    """Run all benches; with ``json_file`` write the figures, with machine and versions."""
    console = Console()
    found = {}
    for name, bench in BENCHES.items():
        console.print(f"Measuring {name} …")
        try:
            found[name] = bench()
        except CannotMeasureError as error:
            console.print(f"Skipped: {error}")
            continue
        show(found[name])
    write(json_file, {"run": machine(), **found})


def say(what: str) -> None:
    """Say what is being done."""
    Console(highlight=False).print(what)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Give what shows on stderr, where that is a terminal, which share of something is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=1.0)
            shown.update(tasks[what], completed=share)

        yield tell


def found_by(bench: Callable[[], T]) -> T:
    """Return what a bench found; what it lacks ends the program."""
    set_up_logging(Settings(), "bench", at_least=logging.WARNING)
    try:
        return bench()
    except CannotMeasureError as error:
        sys.exit(f"ecgstream: {error}")


def machine() -> dict[str, str]:
    """Return what a figure is worth nothing without."""
    return {
        "machine": f"{platform.machine()} with {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "faust-streaming")},
        "ecgstream": __version__,
    }


def show(figures: Mapping[str, Any]) -> None:
    """Print figures, one a line."""
    table = Table(box=None, show_header=False)
    for figure, value in figures.items():
        table.add_row(figure.replace("_", " "), value if isinstance(value, str) else f"{value:,}")
    Console().print(table)


def show_bars(bars: Sequence[tuple[str, str, str, bool]]) -> None:
    """Print what is wanted beside what was found."""
    table = Table("bar", "wanted", "found", "", box=None, header_style="bold")
    for *told, met in bars:
        table.add_row(*told, "met" if met else "MISSED")
    Console().print(table)


def show_beside(found: Mapping[str, Mapping[str, float]]) -> None:
    """Print the same figures of several ways, a way a line."""
    table = Table(box=None, header_style="bold")
    table.add_column()
    for figure in next(iter(found.values())):
        table.add_column(figure.replace("_", " "), justify="right")
    for way, figures in found.items():
        table.add_row(way, *(f"{value:,}" for value in figures.values()))
    Console().print(table)


def tell(
    name: str,
    found: Mapping[str, Any],
    bars: Sequence[tuple[str, str, str, bool]],
    json_file: Path | None,
    document_file: Path | None,
) -> None:
    """Show what a bench found beside its bars; write it to files, if there are to be such."""
    show(found)
    show_bars(bars)
    write(json_file, {"run": machine(), **found})
    if document_file is not None:
        put(document_file, name, of_figures(machine(), found, bars))


def write(json_file: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures to a file, if there is to be one."""
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        Console().print(f"Written to {json_file}")
