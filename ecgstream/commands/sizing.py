"""``ecgstream sizing``: how many machines a number of devices needs."""

import json as json_module
import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from ecgstream.sizing import SITES, Measured, Plan, Site, as_json, kept_topics, plan

app = App(
    name="sizing", help="How many machines a number of devices needs, from what the benches have measured."
)

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
    "signal_gb_day": "signal GB a day",
    "findings_gb_day": "findings GB a day",
    "database_tb": "TB a year",
    "lag_records": "lagRecords",
}

TOPIC_HEADS = ["topic", "days", "GB, one copy"]


@app.default
def sizing(
    measured: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    devices: int = 0,
    gateways: int = 0,
    leads: int = 2,
    rate_hz: float = 250.0,
    keep_days: int = 365,
    json: Annotated[bool, Parameter(negative="")] = False,
    markdown: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print how many partitions, workers, sinks, brokers and disks it takes, and what each topic keeps.

    Never more than half of what was measured is planned with. Without --devices: from a ward to a country,
    and the topics of the largest site that is one centre.

    Args:
        measured: what `ecgstream bench pipeline`, `bench sink` and `bench disk` have written with --json.
        devices: number of devices.
        gateways: number of gateways; 0: one for every eight devices.
        leads: ECG leads of a device.
        rate_hz: samples a second of a lead.
        keep_days: how long the database keeps signal and findings.
        json: print JSON.
        markdown: print the tables as docs/operations.md has them.
    """
    found = _read(measured)
    sites: tuple[Site, ...] = SITES
    if devices:
        sites = (Site(f"{devices:,} devices", devices, gateways, leads, rate_hz, keep_days),)
    plans = [plan(site, found) for site in sites]
    in_one = [s for s, p in zip(sites, plans, strict=True) if p.centres == 1]
    whole = max(in_one or sites, key=lambda s: s.devices)
    tables = [list(HEADS.values()), *map(_cells, plans)], [TOPIC_HEADS, *_topics(whole, found)]
    if json:
        print(json_module.dumps(as_json(plans), indent=2))  # noqa: T201 - what was asked for
    elif markdown:
        print("\n\n".join(map(in_markdown, tables)))  # noqa: T201
    else:
        sites_beside, kept = tables
        for rows in ([list(figures) for figures in zip(*sites_beside, strict=True)], kept):
            Console().print(_table(rows))


def _read(paths: list[Path]) -> Measured:
    benches: dict[str, Any] = {}
    try:
        for path in paths:
            benches |= json_module.loads(path.read_text("utf-8"))
        return Measured.of(benches)
    except OSError as error:
        sys.exit(
            f"ecgstream: {error.filename} cannot be read ({error.strerror}): `ecgstream bench` writes it"
        )
    except KeyError as error:
        sys.exit(
            f"ecgstream: the results hold no {error}: `ecgstream bench pipeline`, `sink` and `disk` write it"
        )
    except (ValueError, TypeError) as error:
        sys.exit(f"ecgstream: these are no results of `ecgstream bench` ({error})")


def _topics(site: Site, measured: Measured) -> list[list[str]]:
    return [
        [k.topic, f"{k.days:g}", f"{k.bytes / 1e9:,.1f}"] for k in kept_topics(site.devices, site, measured)
    ]


def _cells(found: Plan) -> list[str]:
    values: list[Any] = [getattr(found, f.name) for f in fields(found)]
    return [v if isinstance(v, str) else f"{v:,}" for v in values]


def _table(rows: list[list[str]]) -> Table:
    table = Table(box=None, header_style="bold")
    for i, head in enumerate(rows[0]):
        table.add_column(head, justify="right" if i else "left")
    for row in rows[1:]:
        table.add_row(*row)
    return table


def in_markdown(rows: list[list[str]]) -> str:
    """Return a table's lines."""
    lines = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
