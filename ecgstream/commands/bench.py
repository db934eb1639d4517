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
    from ecgstream.bench.run import found_by, machine, show, write

    found = found_by(lambda: bench.run(_database(settings)))
    show(found)
    write(json, {"run": machine(), **found})


@app.command
def store(*, json: JsonFile = None, settings: SettingsFlags = None) -> None:
    """Measure how long a strip and a day of trends take to be read, with 3 and 30 days of them stored.

    They go into a database of the bench's own, of about 10 GB, which is removed again: some minutes.
    """
    from ecgstream.bench import store as bench
    from ecgstream.bench.run import found_by, machine, show, write

    found = found_by(lambda: bench.run(_database(settings)))
    show(found)
    write(json, {"run": machine(), **found})


@app.command
def traces(folder: Path, /, *, json: JsonFile = None, settings: SettingsFlags = None) -> None:
    """Measure how small and how quick trace blocks of real recordings are, beside WFDB, zstd and plain rows.

    A row a sample goes into a table of the named database or, where none is named, the embedded PostgreSQL.

    Args:
        folder: WFDB records, also in folders below.
        json: also write codec to bytes_per_sample, encode_ns and decode_ns to this file.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import traces as bench
    from ecgstream.bench.run import found_by, show_beside, write

    found = found_by(lambda: bench.run(folder, _database(settings)))
    show_beside(found)
    write(json, found)


@app.command
def disk(*, json: JsonFile = None) -> None:
    """Count the bytes that a device takes in Kafka and in the database, as the services write them.

    The demo's ward is played through a whole centre with a broker and a database of its own. `ecgstream
    sizing` reads what is found.
    """
    from ecgstream.bench import disk as bench
    from ecgstream.bench.run import found_by, machine, show, write

    found = found_by(bench.run)
    show({name: str(value) for name, value in found.items()})
    write(json, {"run": machine(), "disk": found})


def _database(settings: Settings | None) -> str:
    return (settings or Settings()).database.get_secret_value()
