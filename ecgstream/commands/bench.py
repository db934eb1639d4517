"""``ecgstream bench``: how fast the parts are, each beside what it is compared with."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ecgstream.commands.flags import SettingsFlags
from ecgstream.settings import Settings

app = App(name="bench", help="Measure how fast the parts are, each beside what it is compared with.")

JsonFile = Annotated[Path | None, Parameter(name="--json", help="also write the figures to this file.")]


@app.default
def parts(*, json: JsonFile = None) -> None:
    """Measure bundles, detectors and registry, one after the other."""
    from ecgstream.bench.run import run

    run(json)


@app.command
def sink(*, json: JsonFile = None, settings: SettingsFlags = None) -> None:
    """Measure how many rows a second reach the database, the named one or the embedded PostgreSQL.

    They go into a database of the bench's own, which is removed again.
    """
    from ecgstream.bench import sink as bench
    from ecgstream.bench.run import run_one

    run_one(lambda: bench.run((settings or Settings()).database.get_secret_value()), json)
