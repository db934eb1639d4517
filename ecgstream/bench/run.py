"""Runs the benches and prints what they found."""

import json
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ecgstream import __version__
from ecgstream.bench import bundles, detectors, registry
from ecgstream.bench.measure import CannotMeasureError

BENCHES = {"bundles": bundles.run, "detectors": detectors.run, "registry": registry.run}


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
        table = Table(box=None, show_header=False)
        for figure, value in found[name].items():
            table.add_row(figure.replace("_", " "), value if isinstance(value, str) else f"{value:,}")
        console.print(table)
    if json_file is not None:
        machine = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "ecgstream": __version__,
        }
        json_file.write_text(json.dumps({"run": machine, **found}, indent=2) + "\n", "utf-8")
        console.print(f"Written to {json_file}")
