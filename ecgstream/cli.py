"""The command line: one command a service, and what a person needs around them."""

import sys
from pathlib import Path
from typing import Literal

from cyclopts import App, Group
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from ecgstream import __version__
from ecgstream.commands.by_name import by_name
from ecgstream.commands.flags import Names, SettingsFlags, addressed
from ecgstream.settings import PREFIX, Settings

SERVICES = Group("Services (each also part of `ecgstream up`)", sort_key=1)
BEGIN = Group("To begin with", sort_key=0)
REGISTRY = Group("Who and where (each has commands of its own)", sort_key=2)
FINDINGS = Group("What is found", sort_key=3)
DEVICES = Group("Devices that send", sort_key=4)
TRYING = Group("To try a gateway", sort_key=5)
UPKEEP = Group("Upkeep", sort_key=6)

app = App(
    name="ecgstream",
    version=__version__,
    help=(
        "Real-time ECG and vital-sign monitoring on Kafka, Faust and TimescaleDB.\n\n"
        "Not a certified medical device: it supplements bedside alarms, it never replaces them.\n\n"
        "Every setting is also a flag of every command, such as --database: see `ecgstream settings`."
    ),
)
app.register_install_completion_command(group=UPKEEP)


def _settings(flags: Settings | None) -> Settings:
    return flags if flags is not None else Settings()


@app.command(group=BEGIN)
def demo(
    *,
    json: Path | None = None,
    speed: float = 10.0,
    settings: SettingsFlags = None,
) -> None:
    """Play 8 devices for 5 minutes of signal through a whole centre, and show what it finds.

    Device 1 is real ECG (MIT-BIH 208). The others are real recordings where ECGSTREAM_RECORDINGS names a
    folder of WFDB records, otherwise simulated, with scripted trouble.

    Args:
        json: also write the summary as one JSON object to this file.
        speed: seconds of signal a second.
        settings: see `ecgstream settings`.
    """
    from ecgstream.demo.play import play

    sys.exit(play(_settings(settings), speed=speed, json_file=json))


@app.command(group=BEGIN)
def up(*, ward: bool = True, settings: SettingsFlags = None) -> None:
    """Run a whole centre in real time until Ctrl-C, with its own broker and database where none is named.

    Args:
        ward: also play the demo's 8 devices, in real time.
        settings: see `ecgstream settings`.
    """
    from ecgstream.up import run

    sys.exit(run(_settings(settings), ward=ward))


@app.command(group=SERVICES)
def gateway(
    records: list[Path] | None = None,
    /,
    *,
    demo: bool = False,
    speed: float = 1.0,
    gateway: str = "gw-recordings",
    play: str = "",
    start_ns: int | None = None,
    report: Path | None = None,
    settings: SettingsFlags = None,
) -> None:
    """Play recordings or simulated devices as live devices into Kafka.

    What devices give is first kept in the gateway's spool (a file in the folder --spool), and deleted once
    Kafka has acknowledged it. While Kafka is away, at the start or later, the gateway goes on. Once a minute
    it says so, with what waits and how much of the disk is free; which devices may send, it knows from its
    last contact. When Kafka is back, a device of which no more than 60 s are missing is filled in in order.
    Of others the newest goes first, and what is missing follows beside it, on ecg.backfill. A gateway that is
    ended before that, or killed, sends what waits when it is started again under the same name.

    Args:
        records: WFDB headers (.hea) or EDF files; each becomes a device, which must be enrolled.
        demo: play the eight devices of the demo.
        speed: seconds of signal a second.
        gateway: name that the gateway goes by; two that run must have two.
        play: name of the play. A gateway that is started again with the same goes on where it was, as if
            devices had kept what they measured meanwhile. Another name, or none, begins anew.
        start_ns: device time at which the play begins, UTC ns; by default now.
        report: when done, write what Kafka has acknowledged to this JSON file.
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "kafka")
    from ecgstream.play import Wanted, run

    run(found, Wanted(tuple(records or ()), demo, speed, gateway, play, start_ns, report))


@app.command(group=SERVICES)
def worker(*, settings: SettingsFlags = None) -> None:
    """Detect beats, rhythms and alarm conditions in the signals of the partitions it is given."""
    found = addressed(settings, "kafka")
    from ecgstream.worker.stream import run

    run(found)


@app.command(group=SERVICES)
def sink(*, settings: SettingsFlags = None) -> None:
    """Write traces, beats, rhythms, vitals, trends, conditions and alerts to the database."""
    found = addressed(settings, "kafka", "database")
    from ecgstream.store.sink import run

    run(found)


@app.command(group=SERVICES)
def pager(*, settings: SettingsFlags = None) -> None:
    """Turn alarm conditions into alerts and pages; needs no database.

    ECGSTREAM_NOTIFY_URL names the webhook that pages are posted to.

    Args:
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "kafka")
    from ecgstream.pager.service import run

    run(found)


@app.command(group=SERVICES)
def web(*, settings: SettingsFlags = None) -> None:
    """Serve the pages that links lead to; people take alerts on there, with a personal code.

    It needs no database. ECGSTREAM_WEB_URL is where people reach it, ECGSTREAM_LINK_KEY the key that the
    pager signs links with, ECGSTREAM_CODES the file of personal codes: see docs/web.md.

    Args:
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "kafka")
    from ecgstream.web.service import run

    run(found)


@app.command(group=SERVICES)
def monitor(*, settings: SettingsFlags = None) -> None:
    """Serve the central monitor: people log in and see what their positions let them (docs/monitor.md)."""
    from ecgstream.monitor.service import run

    run(addressed(settings, "kafka", "monitor_database"))


@app.command(group=SERVICES)
def registry(*, all: bool = False, settings: SettingsFlags = None) -> None:  # noqa: A002 - the flag's name
    """Tell gateways and workers, through Kafka, what changes in the registry.

    Args:
        all: first ask for everything to be told anew, as a new Kafka needs it.
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "kafka", "database")
    from ecgstream.registry.teller import run

    run(found, everything=all)


_ALONE = {
    "export": "export:export",
    "import": "files:import_",
    "receive": "receive:receive",
    "sealer": "sealer:sealer",
    "watch": "watch:watch",
    "witness": "witness:witness",
    "report": "report:report",
    "settings": "settings:show",
    "simulate-device": "simulate_device:simulate_device",
}
"""Commands that have none of their own, and the function that each is."""
for _group, _commands in {
    SERVICES: {
        "sealer": "Chain what the audit log is told, and sign the chain's head.",
        "watch": "Watch the system itself: alarm where it stands still, or a disk fills up.",
        "witness": "Carry what people read with SQL from the server's log into the audit log.",
    },
    DEVICES: {
        "receive": "Take what they send.",
        "import": "Take files of ECG devices, once or from a folder.",
    },
    TRYING: {
        "conform": "Does it do what devices rely on? Asked as a device would.",
        "simulate-device": "Play a device that sends to it.",
    },
    REGISTRY: {
        "facility": "The tree of facilities, from province to village.",
        "device": "Devices: enrol, move, disable, see how they are.",
        "patient": "Patients: who wears what, alarm limits, identifiers.",
        "person": "People: accounts, and what they may do where.",
        "share": "Grants that open a patient's data to others for a time.",
        "roster": "Who is on duty, and whom a page goes to.",
        "consult": "Ask those above for an opinion on a stretch of ECG; answer.",
        "kafka": "Who may do what on the broker.",
    },
    FINDINGS: {
        "alert": "Alerts: see them, acknowledge them.",
        "replay": "What was recorded, through the same code again: is the same found?",
        "audit": "Who did, read and changed what; whether any of it was altered.",
        "evidence": "All of one alert in one signed file.",
        "report": "A preliminary report of a day of ECG: PDF, JSON, FHIR.",
        "export": "Stored ECG, with what was found in it, as WFDB, EDF+, DICOM or HL7 aECG.",
    },
    UPKEEP: {
        "bench": "Measure how fast the parts are, each beside what it is compared with.",
        "sizing": "How many machines a number of devices needs, from what the benches have measured.",
        "dashboards": "Dashboards in Grafana: what differs, bring it there, take it away.",
        "settings": "Every setting: its value, where that comes from, what it means.",
    },
}.items():
    for _name, _help in _commands.items():
        by_name(app, _ALONE.get(_name, f"{_name}:app"), _name, _help, _group)


@app.command(group=UPKEEP)
def migrate(*, settings: SettingsFlags = None) -> None:
    """Bring the database to this version; the login must own it and be allowed to make roles."""
    found = addressed(settings, "database")
    from ecgstream.commands.common import clear_errors
    from ecgstream.lifecycle import set_up_logging
    from ecgstream.store.migrate import MigrationError
    from ecgstream.store.migrate import migrate as bring

    set_up_logging(found, "migrate")
    with clear_errors():
        try:
            ran = bring(found.database.get_secret_value())
        except MigrationError as error:
            sys.exit(f"ecgstream: {error}")
    Console(stderr=True).print(f"{len(ran)} migrations run: {', '.join(ran)}" if ran else "Nothing to do.")


@app.command(group=UPKEEP)
def housekeeping(*, dry_run: bool = False, settings: SettingsFlags = None) -> None:
    """Make hourly trends, and delete what is kept no longer: from a timer, every hour.

    Nothing is deleted unless settings say how long it is kept (keep_traces_days and others); what an open
    alert points at stays. Of reports only those go that nobody has signed (keep_unsigned_days), each noted
    in the audit log.

    Args:
        dry_run: only tell what would be done.
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "database")
    from ecgstream.commands.common import clear_errors, progress, say
    from ecgstream.store.connection import connect
    from ecgstream.store.housekeeping import ROLE, keep_house

    with clear_errors():
        url = found.database.get_secret_value()
        with connect(url, name="ecgstream-housekeeping", role=ROLE, autocommit=True) as connection:
            keep_house(connection, found, say, dry_run=dry_run, progress=progress)


@app.command(group=UPKEEP)
def prepare(*, settings: SettingsFlags = None) -> None:
    """Fetch the embedded Kafka (unless a broker is named) and compile the detectors, for quick starts."""
    console = Console(stderr=True)
    if not _settings(settings).kafka:
        from ecgstream.embedded.errors import ServiceUnavailableError
        from ecgstream.embedded.jars import kafka_classpath

        try:
            kafka_classpath()
        except ServiceUnavailableError as error:
            sys.exit(f"ecgstream: {error}")
    console.print("Compiling the detectors (the first time about a minute) …")
    import detectors

    detectors.warm_up()


@app.command(group=UPKEEP)
def chaos(
    *,
    seed: int = 1,
    faults: int = 12,
    pager_kills: int = 0,
    json: Path | None = None,
    settings: SettingsFlags = None,
) -> None:
    """Play the demo's devices on three brokers, kill what can be killed, and compare with a play in peace.

    It needs a database server in which it may do as it likes (restart it, too), never one that is in use;
    where none is named it brings PostgreSQL. The exit status is 0 only if nothing differs.

    Args:
        seed: of the faults' schedule; the same seed gives the same faults at the same times.
        faults: how many, all kinds by turns.
        pager_kills: how often the pager is killed besides.
        json: also write what was found to this file.
        settings: see `ecgstream settings`.
    """
    from ecgstream.chaos.run import chaos as run

    sys.exit(run(_settings(settings), seed=seed, faults=faults, pager_kills=pager_kills, json_file=json))


@app.command(group=UPKEEP)
def evaluate(
    suite: Literal["beats", "rhythm", "patterns", "alarms", "burden", "af", "noise", "timing"],
    folder: Path | None = None,
    /,
    *,
    records: Names = (),
    against: Names = (),
    json: Path | None = None,
    html: Path | None = None,
    document: Path | None = None,
) -> None:
    """Compare what the detectors find with what people have annotated, after ANSI/AAMI EC57.

    Recordings are played in packets, as live: nothing is known of what comes later. SUITE is one of

    - beats: QRS complexes and their classes (records with .atr, such as MIT-BIH);
    - rhythm: episodes of VF, VFL, VT, of AF, and pauses (records with rhythm marks);
    - patterns: couplets, runs, bigeminy, trigeminy, supraventricular tachycardia (the same);
    - alarms: true and false alarms of bedside monitors (PhysioNet/CinC Challenge 2015);
    - af: atrial fibrillation in short recordings (PhysioNet/CinC Challenge 2017);
    - noise: QRS complexes in noise, and whether quality tells errors (MIT-BIH Noise Stress Test);
    - timing: seconds to alarm, heart rates (no folder: it makes signals after EC13 and IEC 60601-2-27).

    Args:
        suite: what is looked at.
        folder: of WFDB records; all suites but timing need one.
        records: names of records, separated by commas; by default all of the folder, or all signals.
        against: other QRS detectors to compare in beats and noise, separated by commas: neurokit, xqrs, gqrs.
        json: also write the figures to this file.
        html: also write them as a page.
        document: also write them into this document, between `<!-- SUITE -->` and its end.
    """
    from ecgstream.evaluate.run import run

    run(suite, folder, records, against, json_file=json, html_file=html, document=document)


def main() -> None:
    """Run the command line; a wrong setting or a missing extra is one clear line, not a traceback."""
    try:
        app()
    except ValidationError as error:
        for e in error.errors():
            name = ".".join(str(part) for part in e["loc"])
            said = e["msg"].removeprefix("Value error, ")
            print(f"ecgstream: setting {name} ({PREFIX}{name.upper()}): {said}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except SettingsError as error:
        print(f"ecgstream: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:  # at a question; services end in order
        sys.exit(130)
    except ImportError as error:
        missing = error.__cause__ or error
        if not isinstance(missing, ModuleNotFoundError) or (missing.name or "").startswith("ecgstream"):
            raise
        sys.exit(f'ecgstream: {missing.name} is not installed: pip install "ecgstream[centre]"')
