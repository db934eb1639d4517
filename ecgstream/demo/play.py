"""The demo: start a centre, play the devices through it, count, end."""

import json
import logging
import shlex
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live as Screen

from ecgstream.centre import GROUPS, Centre, CentreError
from ecgstream.demo.live import Live
from ecgstream.demo.seed import ROLE, SeedError, seed
from ecgstream.demo.settle import settle
from ecgstream.demo.show import show
from ecgstream.demo.summary import collect
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.process import is_locked
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.play import demo_devices
from ecgstream.settings import Settings
from schemas import topics

GATEWAY = "gateway"
RUNS = Path("var")
SETTLE_PATIENCE_S = 60.0
PLAIN_INTERVAL_S = 5.0
PLAIN_WIDTH = 120


class DemoError(RuntimeError):
    """The demo did not come to its end; the message says why and where to look."""


def play(settings: Settings, *, speed: float, json_file: Path | None) -> int:
    """Run the demo; return the exit status."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    set_up_logging(settings, "demo", at_least=logging.WARNING)
    began = time.monotonic()
    try:
        with stop_on_signals() as stop, Centre(at_speed(settings, speed), console.print) as centre:
            centre.start_services()
            console.print("Enrolling 1,300 facilities, eight devices and who wears them …")
            patients = seed(centre.settings, demo_devices(centre.settings.recordings))
            report = _play_devices(centre, console, patients, speed, stop)
            console.print("All sent. Waiting until everything is stored …")
            settled(centre)
            summary = collect(centre.settings, report, speed, time.monotonic() - began)
    except (CentreError, ServiceUnavailableError, DemoError, SeedError) as error:
        console.print(f"[bold red]ecgstream demo:[/] {error}")
        return 1
    show(summary, console)
    if json_file is not None:
        summary.write(json_file)
        console.print(f"Written as JSON to {json_file}")
    _tell_where(console, centre.settings, given=centre.database_given)
    complete = not summary.packets.lost and not summary.packets.duplicates and not summary.missing()
    return 0 if complete else 1


def at_speed(settings: Settings, speed: float) -> Settings:
    """Return the settings of a demo: a folder of its own, and timers that run as fast as its signals."""
    values: dict[str, Any] = {
        "clock_rate": speed,
        "snapshot_spread_s": settings.snapshot_spread_s / speed,
        "worker": settings.worker or "demo-worker",
    }
    if "data" not in settings.model_fields_set:
        values["data"] = fresh_folder(RUNS)
    if "spool" not in settings.model_fields_set:
        values["spool"] = values.get("data", settings.data) / "spool"
    return Settings(**settings.model_dump() | values)


def fresh_folder(runs: Path) -> Path:
    """Return a new folder for this run, and remove those of runs that have ended, but the last.

    A run's services hold a lock in their folders as long as they live, so that a run beside this one is safe.
    """
    ended = [d for d in sorted(runs.glob("demo-*")) if not is_locked(d / "kafka")]
    for old in ended[:-1]:
        shutil.rmtree(old, ignore_errors=True)
    folder = runs / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%S-%f}"
    folder.mkdir(parents=True)
    return folder.absolute()


def _play_devices(
    centre: Centre, console: Console, patients: dict[str, str], speed: float, stop: Any
) -> dict[str, Any]:
    """Run the gateway to its end behind the live table; return its report."""
    report = centre.settings.data / "gateway.json"
    arguments = ["gateway", "--demo", "--speed", f"{speed:g}", "--report", str(report)]
    gateway = centre.start(GATEWAY, arguments)
    live = Live(centre.settings, patients)
    simulated = centre.settings.recordings is None
    consumer = live.consumer()
    console.print("Preparing the devices' signals …")
    title = f"ecgstream demo, {speed:g} times real time"
    try:
        if console.is_terminal:
            with Screen(live.table(title, simulated=simulated), console=console, transient=False) as screen:
                while gateway.poll() is None and not stop.is_set():
                    live.follow(consumer, timeout_ms=250)
                    screen.update(live.table(title, simulated=simulated))
                    centre.restart_what_ended()
        else:
            _follow_plainly(centre, gateway, live, consumer, console, stop)
    finally:
        consumer.close()
    if stop.is_set():
        raise DemoError("ended by a signal before its end")
    if gateway.returncode != 0 or not report.exists():
        raise DemoError(f"the gateway has failed; its log is {centre.logs / GATEWAY}.log")
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found


def _follow_plainly(
    centre: Centre, gateway: subprocess.Popen[bytes], live: Live, consumer: Any, console: Console, stop: Any
) -> None:
    """Print the table now and then where there is no terminal to redraw it on."""
    simulated = centre.settings.recordings is None
    printed = time.monotonic()
    while gateway.poll() is None and not stop.is_set():
        live.follow(consumer, timeout_ms=250)
        centre.restart_what_ended()
        if live.statuses and time.monotonic() - printed > PLAIN_INTERVAL_S:
            console.print(live.table("ecgstream demo", simulated=simulated))
            printed = time.monotonic()


def settled(centre: Centre) -> None:
    """Wait until what was sent has gone all the way."""
    stored = (topics.INGEST, topics.BEATS, topics.RHYTHMS, topics.TRENDS, topics.CONDITIONS, topics.ALERTS)
    steps = (("worker", (topics.INGEST,)), ("pager", (topics.CONDITIONS,)), ("sink", stored))
    for service, followed in steps:
        left = settle(centre.settings, GROUPS[service], followed, SETTLE_PATIENCE_S)
        if left:
            raise DemoError(f"{service} has left {left} records; its log is {centre.logs / service}.log")


def _tell_where(console: Console, settings: Settings, *, given: bool) -> None:
    if given:
        console.print("The data lies in the database that you named. To look at it:")
        console.print(f"  PGOPTIONS='-c role={ROLE}' psql …  and then: table api.alerts;", highlight=False)
        return
    console.print(f"The data lies in {settings.data}", soft_wrap=True, highlight=False)
    console.print("To look at it:", highlight=False)
    command = [sys.executable, "-m", "ecgstream", "up", "--no-ward", "--data", str(settings.data)]
    console.print(f"  {shlex.join(command)}", soft_wrap=True, highlight=False)
