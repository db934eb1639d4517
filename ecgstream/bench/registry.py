"""The registry: devices enrolled from files, and a province's devices listed with 30 days behind them.

Every question is asked twice, turn by turn: of the views, as a person asks who sees a province or one clinic,
and of the base tables, where nothing is held back. The answers must be the same.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

from psycopg import sql
from rich.console import Console

from ecgstream.bench import history
from ecgstream.bench.database import new_database
from ecgstream.bench.measure import typical
from ecgstream.registry import device_csv, device_store, facility_csv, facility_store, people
from ecgstream.registry.devices import Device
from ecgstream.registry.devices import Kind as DeviceKind
from ecgstream.registry.facilities import Facility, Kind, paths, plan
from ecgstream.registry.henan import PROVINCE, henan
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind as PositionKind
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate
from schemas import mdc

FACILITIES, DEVICES, TURNS = 1300, 10_000, 20
CLINIC = "410100-H1"
ENROL_BAR_S, LIST_BAR_MS = 60, 50
BY = "bench"

_LIST: LiteralString = """
SELECT device, facility, patient, place_kind, place, last_seen, skew_ms, battery_percent, rhythm, open_alerts,
    open_high
FROM {} WHERE NOT disabled
"""
_WORST_FIRST: LiteralString = "ORDER BY open_high DESC, open_alerts DESC, last_seen, device LIMIT 100"
_TREND: LiteralString = """
SELECT time, mean, low, high FROM {} WHERE device = %(device)s AND code = %(code)s ORDER BY time
"""

# As api.device_health, of everything below a facility, whoever asks.
_ALL_DEVICES: LiteralString = """(
    SELECT e.device, e.facility, e.disabled, a.patient, a.place_kind, a.place,
        ecg.at_ns(d.last_seen_ns) AS last_seen, d.skew_ms, d.battery_percent, d.rhythm,
        coalesce(open.alerts, 0) AS open_alerts, coalesce(open.high, 0) AS open_high
    FROM ecg.enrolment AS e
    JOIN ecg.facility AS f ON f.code = e.facility AND f.path <@ %(path)s::ltree
    LEFT JOIN ecg.device AS d ON d.device = e.device
    LEFT JOIN ecg.association AS a ON a.device = e.device AND a.superseded_at IS NULL
        AND a.since <= now() AND a.until > now()
    LEFT JOIN (SELECT device, count(*) AS alerts, count(*) FILTER (WHERE priority = 'HIGH') AS high
               FROM ecg.alert WHERE state <> 'ENDED' GROUP BY device) AS open ON open.device = e.device
) AS all_devices"""


class _Question(NamedTuple):
    """A query of one of two sources: a view, or the base tables. ``place``: where the person stands."""

    name: str
    place: str
    query: LiteralString
    view: LiteralString
    tables: LiteralString


_HEALTH: tuple[LiteralString, LiteralString] = ("api.device_health", _ALL_DEVICES)
QUESTIONS = (
    _Question("province_list", PROVINCE, _LIST, *_HEALTH),
    _Question("province_first_page", PROVINCE, _LIST + _WORST_FIRST, *_HEALTH),
    _Question("clinic_list", CLINIC, _LIST, *_HEALTH),
    _Question("trend_30_days", CLINIC, _TREND, "api.trends", "ecg.trend"),
)


def run() -> dict[str, Any]:
    """Return s to enrol, rows there are, and ms of each question beside that of the base tables.

    Raises:
        CannotMeasureError: there is no database.
    """
    say = Console(highlight=False).print
    with new_database(Settings().database.get_secret_value()) as url:
        migrate(url)
        tree = henan(FACILITIES)
        figures: dict[str, Any] = {"facilities": FACILITIES, "devices": DEVICES}
        figures |= {"enrol_s": _enrol(url, tree), "enrol_bar_s": ENROL_BAR_S}
        say(f"  {FACILITIES:,} facilities and {DEVICES:,} devices enrolled from CSV ({figures['enrol_s']} s)")
        _enrol_siblings(url, tree)
        say(f"  another province with as many; 30 days for all {2 * DEVICES:,} devices:")
        with connect(url, autocommit=True) as owner:
            figures["edition"] = str(detect(owner))
            history.build(owner, CLINIC, say)
            figures |= history.sizes(owner)
        clinic = next(device.device for device in _devices(tree, "a") if device.facility == CLINIC)
        way = paths(tree)
        with _readers(url) as readers:
            for question in QUESTIONS:
                values = {"path": way[question.place], "device": clinic, "code": mdc.HEART_RATE}
                figures |= _measured(url, readers[question.place], question, values)
        figures["province_list_bar_ms"] = LIST_BAR_MS
    return figures


def _enrol(url: str, tree: list[Facility]) -> float:
    """Enrol a province from files; return the seconds, from reading the files on."""
    with tempfile.TemporaryDirectory() as directory:
        facilities, devices = Path(directory) / "facilities.csv", Path(directory) / "devices.csv"
        facility_csv.write(facilities, tree)
        device_csv.write(devices, _devices(tree, "a"))
        began = time.perf_counter()
        with connect(url, role="ecg_registry") as connection:
            facility_store.lock(connection)
            found, lines = facility_csv.gather(facility_csv.rows(facilities))
            wanted = plan(facility_store.load(connection), found, where=lines)
            facility_store.check(connection, wanted, BY)
            facility_store.apply(connection, wanted, BY)
        with connect(url, role="ecg_registry") as connection:
            device_store.lock(connection)
            enrolled, lines = device_csv.gather(device_csv.rows(devices))
            device_store.apply(connection, device_store.planned(connection, enrolled, BY, lines), BY)
        return round(time.perf_counter() - began, 2)


def _devices(tree: list[Facility], prefix: str) -> list[Device]:
    places = [facility.code for facility in tree if facility.kind in (Kind.HOSPITAL, Kind.CLINIC)]
    leads = tuple(mdc.LEADS[name] for name in ("I", "II", "V1"))
    return [
        Device(f"{prefix}-{i:05}", places[i % len(places)], DeviceKind.TELEMETRY, leads)
        for i in range(DEVICES)
    ]


def _enrol_siblings(url: str, tree: list[Facility]) -> None:
    """Enrol another province beside the first, of its shape."""
    below = [facility for facility in tree if facility.code.startswith(PROVINCE[:2])]
    renamed = {facility.code: f"X{facility.code}" for facility in below}
    others = [replace(f, code=renamed[f.code], parent=renamed.get(f.parent or "", f.parent)) for f in below]
    with connect(url, role="ecg_registry") as connection:
        facility_store.apply(connection, plan(tree, others), BY)
        wanted = _devices(others, "b")
        device_store.apply(connection, device_store.planned(connection, wanted, BY), BY)


@contextmanager
def _readers(url: str) -> Iterator[dict[str, str]]:
    """Give facility to the role of a person there; roles outlive a database, so they are removed here."""
    accounts = {place: f"bench_{os.getpid()}_{i}" for i, place in enumerate((PROVINCE, CLINIC))}
    with connect(url, role="ecg_registry") as connection:
        people.add(
            connection,
            [Person(a, a, (Position(PositionKind.CLINIC, place),)) for place, a in accounts.items()],
            BY,
        )
    roles = {place: f"person_{account}" for place, account in accounts.items()}
    try:
        yield roles
    finally:
        with connect(url, autocommit=True) as owner:
            for role in roles.values():
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _measured(url: str, role: str, question: _Question, values: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of an answer, and ms of the view, of its server alone and of the base tables."""
    asked, raw = (question.query.format(source) for source in (question.view, question.tables))
    with connect(url, role=role, autocommit=True) as reader, connect(url, autocommit=True) as owner:

        def by_view() -> list[Any]:
            return reader.execute(asked, values).fetchall()

        def by_tables() -> list[Any]:
            return owner.execute(raw, values).fetchall()

        def in_server() -> None:
            reader.execute("EXPLAIN (ANALYZE, TIMING OFF) " + asked, values)

        found = by_view()
        if sorted(found, key=str) != sorted(by_tables(), key=str):
            raise RuntimeError(f"{question.name}: the view and the base tables do not say the same")
        taken = typical({"view": by_view, "tables": by_tables, "server": in_server}, TURNS)
    figures: dict[str, Any] = {f"{question.name}_rows": len(found)}
    for way, (median, best) in taken.items():
        figures[f"{question.name}_{way}_ms"] = _ms(median)
        figures[f"{question.name}_{way}_best_ms"] = _ms(best)
    return {**figures, f"{question.name}_ratio": round(taken["view"][1] / taken["tables"][1], 2)}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
