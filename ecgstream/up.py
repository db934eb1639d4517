"""``ecgstream up``: a whole centre on this machine, in real time, until Ctrl-C."""

import logging
import shlex

from rich.console import Console

from ecgstream.centre import Centre, CentreError
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.settings import Settings

GATEWAY = "gateway"
WORKER = "worker-1"
"""A name, so that a worker that ended has its partitions back at once."""


def run(settings: Settings, *, ward: bool) -> int:
    """Run the centre; return the exit status."""
    console = Console()
    set_up_logging(settings, "up", at_least=logging.WARNING)
    try:
        named = settings.model_copy(update={"worker": settings.worker or WORKER})
        with stop_on_signals() as stop, Centre(named, console.print) as centre:
            centre.start_services()
            if ward:
                centre.start(GATEWAY, ["gateway", "--demo"])
            _tell(console, centre, ward=ward)
            while not stop.wait(0.5):
                centre.restart_what_ended()
            console.print("Stopping …")
    except (CentreError, ServiceUnavailableError) as error:
        console.print(f"[bold red]ecgstream up:[/] {error}")
        return 1
    return 0


def _tell(console: Console, centre: Centre, *, ward: bool) -> None:
    database = centre.settings.database.get_secret_value()
    console.print("\n[bold]The centre runs.[/] Ctrl-C ends it; its data stays.")
    if ward:
        console.print("Eight devices play in real time; those named sim-… are SIMULATED.")
    console.print(f"  Kafka      {centre.settings.kafka}", highlight=False)
    if not centre.database_given:
        # An embedded database is on a socket that only this user can reach; its address holds no password.
        console.print(f"  Database   psql {shlex.quote(database)}", highlight=False, soft_wrap=True)
        console.print("             e.g. select device, condition, priority, state from api.alerts;")
    console.print(f"  Logs       {centre.logs}", highlight=False)
    console.print("  A device   ", end="")
    console.print(
        f"ECGSTREAM_KAFKA={centre.settings.kafka} ecgstream gateway RECORD.hea",
        highlight=False,
        soft_wrap=True,
    )
