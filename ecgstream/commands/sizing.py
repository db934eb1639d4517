"""``ecgstream sizing``: how many machines a number of devices needs."""

import json as json_module
import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from ecgstream.sizing import SITES, Measured, Plan, Site, as_json, plan

app = App(name="sizing", help="How many machines a number of devices needs, from what the benches have measured.")

HEADS = {
    "name": "",
    "devices": "devices",
    "centres": "centres",
    "partitions": "partitions",
    "workers": "workers",
    "sinks": "sinks",
    "brokers": "brokers",
    "ingest_mb_s": "ingest MB/s",
    "broker_gb": "GB a broker",
    "database_gb_day": "database GB a day",
    "database_tb": "database TB a year",
    "lag_records": "lagRecords",
}


@app.default
def sizing(
    *,
    pipeline: Path,
    disk: Path,
    devices: int = 0,
    gateways: int = 0,
    leads: int = 2,
    rate_hz: float = 250.0,
    keep_days: int = 365,
    json: Annotated[bool, Parameter(negative="")] = False,
    markdown: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print how many partitions, workers, sinks, brokers and disks it takes.

    Never more than half of what was measured is planned with. Without --devices: from a ward to a country.

    Args:
        pipeline: what `ecgstream bench pipeline --json FILE` has written.
        disk: what `ecgstream bench disk --json FILE` has written.
        devices: number of devices.
        gateways: number of gateways; 0: one for every eight devices.
        leads: ECG leads of a device.
        rate_hz: samples a second of a lead.
        keep_days: how long the database keeps signal and findings.
        json: print JSON.
        markdown: print the table as docs/operations.md has it.
    """
    measured = _measured(pipeline, disk)
    sites = SITES
    if devices:
        sites = (Site(f"{devices:,} devices", devices, gateways, leads, rate_hz, keep_days),)
    plans = [plan(site, measured) for site in sites]
    if json:
        print(json_module.dumps(as_json(plans), indent=2))  # noqa: T201 - what was asked for
    elif markdown:
        print("\n".join(in_markdown(plans)))  # noqa: T201
    else:
        Console().print(_table(plans))


def _measured(pipeline: Path, disk: Path) -> Measured:
    try:
        found = [json_module.loads(path.read_text("utf-8")) for path in (pipeline, disk)]
        return Measured.of(found[0], found[1]["disk"])
    except OSError as error:
        sys.exit(f"ecgstream: {error.filename} cannot be read ({error.strerror}): ecgstream bench writes it")
    except (ValueError, KeyError, TypeError) as error:
        sys.exit(f"ecgstream: no result of the benches ({type(error).__name__}: {error})")


def _cells(found: Plan) -> list[str]:
    values: list[Any] = [getattr(found, f.name) for f in fields(found)]
    return [v if isinstance(v, str) else f"{v:,}" for v in values]


def _table(plans: list[Plan]) -> Table:
    table = Table(box=None, header_style="bold")
    for name, head in HEADS.items():
        table.add_column(head, justify="left" if name == "name" else "right")
    for one in plans:
        table.add_row(*_cells(one))
    return table


def in_markdown(plans: list[Plan]) -> list[str]:
    """Return the table's lines."""
    lines = [list(HEADS.values()), ["---", *["---:"] * (len(HEADS) - 1)], *map(_cells, plans)]
    return [f"| {' | '.join(cells)} |" for cells in lines]
