"""``ecgstream up``: a whole centre on this machine, in real time, until Ctrl-C."""

import logging
import shlex
from pathlib import Path

from rich.console import Console

from ecgstream.centre import Centre, CentreError
from ecgstream.demo.seed import ROLE, SeedError, seed
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.play import demo_devices
from ecgstream.settings import Settings
from ecgstream.store.connection import connect

GATEWAY = "gateway"
WEB, MONITOR = "web", "monitor"
WORKER = "worker-1"
"""A name, so that a worker that ended has its partitions back at once."""
_LOGIN = "log in with an account that has a password: `ecgstream person password ACCOUNT`"


def run(settings: Settings, *, ward: bool) -> int:
    """Run the centre; return the exit status."""
    console = Console()
    set_up_logging(settings, "up", at_least=logging.WARNING)
    try:
        named = settings.model_copy(update={"worker": settings.worker or WORKER} | _spool(settings))
        with stop_on_signals() as stop, Centre(named, console.print) as centre:
            centre.start_services()
            if centre.settings.web_url:
                centre.start(WEB, [WEB], kept=True)
            if (own := _of_monitor(centre)) is not None:
                centre.start(MONITOR, [MONITOR], settings=own, kept=True)
            if ward:
                seed(centre.settings, demo_devices(centre.settings.recordings))
                centre.start(GATEWAY, ["gateway", "--demo"])
            _tell(console, centre, ward=ward)
            while not stop.wait(0.5):
                centre.restart_what_ended()
            console.print("Stopping …")
    except (CentreError, ServiceUnavailableError, SeedError) as error:
        console.print(f"[bold red]ecgstream up:[/] {error}")
        return 1
    return 0


def _spool(settings: Settings) -> dict[str, Path]:
    """Let the ward's gateway keep its spool with the centre's data, unless another place is named."""
    return {} if "spool" in settings.model_fields_set else {"spool": settings.data / "spool"}


def _of_monitor(centre: Centre) -> Settings | None:
    """Return the settings of the monitor; None: no login of its own is named at a database that was given."""
    settings = centre.settings
    if settings.monitor_database.get_secret_value():
        return settings
    # An embedded database is this user's alone.
    return (
        None if centre.database_given else settings.model_copy(update={"monitor_database": settings.database})
    )


def _tell(console: Console, centre: Centre, *, ward: bool) -> None:
    def line(title: str, *words: str) -> None:
        for word in words:
            console.print(f"  {title:10} {word}", highlight=False, markup=False, soft_wrap=True)
            title = ""

    console.print("\n[bold]The centre runs.[/] Ctrl-C ends it; its data stays.")
    if ward:
        console.print("Eight devices play in real time; those named sim-… are SIMULATED.")
    line("Logs", str(centre.logs))
    line("Kafka", f"export ECGSTREAM_KAFKA={centre.settings.kafka}")
    line("Alerts", "ecgstream alert list")
    if centre.settings.web_url:
        line("Web", f"{centre.settings.web_url}, where the links of pages lead")
    if (own := _of_monitor(centre)) is not None:
        line("Monitor", own.monitor_url or f"http://{own.monitor_host}:{own.monitor_port}", _LOGIN)
    if not centre.database_given:
        # An embedded database is on a socket that only this user can reach; its address holds no password.
        url = centre.settings.database.get_secret_value()
        line("Registry", f"export ECGSTREAM_DATABASE={shlex.quote(url)}", "ecgstream facility tree --depth 3")
        if _has_reader(url):
            seen = shlex.quote(f"{url}&options=-c%20role%3D{ROLE}")
            line("Findings", f"psql {seen}", "select device, condition, priority, state from api.alerts;")
    line(
        "A device",
        "ecgstream device enrol NAME --facility CODE --kind holter",
        "ecgstream gateway RECORD.hea",
    )


def _has_reader(url: str) -> bool:
    """Return whether the demo's account is there: the owner of a database has no place in the tree."""
    with connect(url) as connection:
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone()
    return found is not None
