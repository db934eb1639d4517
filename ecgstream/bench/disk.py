"""How many bytes a device takes: in Kafka by topic, in the database by table, as the services write them.

The demo's ward is played through a whole centre. What is counted is what lies on the disk afterwards:
Kafka's segments with their compression, tables with their indexes, less what they took empty. Whole pages
are counted, so that small tables are rather counted too large. The Community edition of TimescaleDB
compresses what is older than a month or two; that is not in it.
"""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from ecgstream.bench.measure import CannotMeasureError
from ecgstream.centre import Centre, CentreError
from ecgstream.demo.play import DemoError, at_speed, settled
from ecgstream.demo.seed import seed
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.play import demo_devices
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import topics

SPEED = 20.0
PATIENCE_S = 300.0

_SIGNAL: LiteralString = """
SELECT sum(n), (SELECT sum(s) FROM (SELECT max(s) AS s FROM (
    SELECT device, session, channel, sum(n / rate) AS s FROM ecg.trace GROUP BY device, session, channel
) AS channels GROUP BY device, session) AS devices) FROM ecg.trace
"""
_TABLES: LiteralString = """
SELECT relname, pg_total_relation_size(c.oid) FROM pg_class AS c
WHERE relnamespace = 'ecg'::regnamespace AND relkind = 'r' AND relname = ANY(%s)
"""
TABLES = ("trace", "beat", "rhythm", "vital", "trend", "condition", "alert", "segment")
"""Those that grow with time."""


def run() -> dict[str, Any]:
    """Play the ward, and measure what it left.

    Raises:
        CannotMeasureError: the centre cannot be started here.
    """
    with tempfile.TemporaryDirectory(prefix="ecgstream-disk-") as folder:
        settings = at_speed(Settings(data=Path(folder), kafka="", partitions=8), SPEED)
        try:
            with Centre(settings, lambda _: None) as centre:
                return _measure(centre)
        except (CentreError, ServiceUnavailableError, DemoError) as error:
            raise CannotMeasureError(str(error)) from error


def _measure(centre: Centre) -> dict[str, Any]:
    centre.start_services()
    seed(centre.settings, demo_devices(None))
    url = centre.settings.database.get_secret_value()
    empty = _sizes(url)
    gateway = centre.start("gateway", ["gateway", "--demo", "--speed", f"{SPEED:g}"])
    if gateway.wait(PATIENCE_S) != 0:
        raise CannotMeasureError(f"the gateway has failed; its log was {centre.logs / 'gateway'}.log")
    settled(centre)
    bytes_of = {name: size - empty[name] for name, size in _sizes(url).items()}
    with connect(url, autocommit=True) as connection:
        samples, device_s = (float(n) for n in connection.execute(_SIGNAL).fetchone() or ())
        rows_of = {name: _rows(connection, name) for name in bytes_of}
    kafka = _kafka_bytes(centre.settings.data / "kafka")
    others = sorted(set(bytes_of) - {"trace"})
    return {
        "ingest_bytes_sample": round(kafka.pop(topics.INGEST.name) / samples, 4),
        "topic_bytes_s": {name: round(n / device_s, 3) for name, n in sorted(kafka.items())},
        "trace_bytes_sample": round(bytes_of["trace"] / samples, 4),
        "table_bytes_s": {name: round(bytes_of[name] / device_s, 3) for name in others},
        "table_rows_s": {name: round(rows_of[name] / device_s, 5) for name in others},
    }


def _sizes(url: str) -> dict[str, int]:
    with connect(url, autocommit=True) as connection:
        return dict(connection.execute(_TABLES, [list(TABLES)]).fetchall())


def _rows(connection: psycopg.Connection[Any], table: str) -> int:
    counting = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("ecg", table))
    return sum(n for (n,) in connection.execute(counting))


def _kafka_bytes(folder: Path) -> dict[str, float]:
    """Return the size of the records that each topic has kept, of those that are deleted by age."""
    kept = {t.name for t in topics.ALL if "retention.ms" in t.config}
    found: dict[str, float] = defaultdict(float)
    for segment in folder.glob("data/*/*.log"):
        topic = segment.parent.name.rpartition("-")[0]
        if topic in kept:
            found[topic] += segment.stat().st_size
    return found
