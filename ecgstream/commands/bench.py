"""``ecgstream bench``: how fast the parts are, each beside what it is compared with."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="bench", help="Measure how fast the parts are, each beside what it is compared with.")

JsonFile = Annotated[Path | None, Parameter(name="--json", help="also write the figures to this file.")]


@app.default
def parts(*, json: JsonFile = None) -> None:
    """Measure bundles, detectors and registry, one after the other."""
    from ecgstream.bench.run import run

    run(json)
