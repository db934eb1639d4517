"""How many times faster than real time a replay is: one device, and many one after the other, on one core.

Of one device by the processor time of the replay, so that a machine that others use too disturbs it little,
and by the wall, which has the database in it; of many by the wall.

What worker and pager make of simulated devices is written as a sink writes it; then all of it is replayed as
an auditor asks for it, and must be identical. What a day of a thousand devices takes is extrapolated from it.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import psycopg
from psycopg import sql

from devices.simulator import Bed, simulate
from devices.trouble import Kind as Trouble_
from devices.trouble import Trouble
from ecgstream.bench.database import new_database
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.registry import device_store, facility_store, people
from ecgstream.registry.devices import Device
from ecgstream.registry.devices import Kind as DeviceKind
from ecgstream.registry.facilities import plan
from ecgstream.registry.henan import PROVINCE, henan
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.replay.device import replay
from ecgstream.replay.log import TOGETHER
from ecgstream.replay.paged import paged
from ecgstream.replay.source import Stretch
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate
from ecgstream.store.traces import Block, TraceBuilder
from ecgstream.store.writer import Writer
from ecgstream.worker.detect import Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, Saved
from schemas import codec, mdc, topics
from schemas.bundle import Bundle
from schemas.records import Condition, Packet, Vital

BAR = 1000
"""Times real time, of one device on one core."""
DAY_S, DAY_DEVICES = 86_400, 1000
BY = "bench"
LEADS = ("II", "V1")
_START_NS = 1_790_000_000_000_000_000
_DIFFERENT = 8
"""Simulated devices; the others send the same under names of their own."""

Item = Packet | Vital


def run(server: str, devices: int, minutes: float, say: Callable[[str], object]) -> dict[str, Any]:
    """Measure.

    Args:
        server: URL of a database server's owner; empty: the embedded PostgreSQL.
        devices: how many.
        minutes: of signal of each.
        say: gets what is being done.

    Raises:
        CannotMeasureError: there is no such server, or a replay is not identical.
    """
    stretch = Stretch(_START_NS - 10**9, _START_NS + int(minutes * 60e9))
    names = [f"dev-{n:04}" for n in range(devices)]
    with new_database(server) as url:
        migrate(url)
        say(f"Storing {minutes:g} minutes of {devices:,} devices …")
        _fill(url, names, minutes * 60)
        with _auditor(url, names) as reader, connect(url, role=reader, autocommit=True) as connection:
            edition = str(detect(connection))
            replay(connection, names[0], stretch)  # reads what the next one finds in memory
            begun = time.process_time()
            first = replay(connection, names[0], stretch)
            cpu_s = time.process_time() - begun
            say("Replaying …")
            found = [replay(connection, name, stretch) for name in names]
    if differ := [one.device for one in (first, *found) if one.differences]:
        raise CannotMeasureError(f"not identical: {', '.join(differ)}")
    signal_s, wall_s = sum(one.signal_s for one in found), sum(one.wall_s for one in found)
    return {
        "edition": edition,
        "devices": devices,
        "minutes": minutes,
        "leads": len(LEADS),
        "one_device_x_realtime": round(first.signal_s / cpu_s),
        "one_device_x_realtime_by_the_wall": round(first.signal_s / first.wall_s),
        "x_realtime": round(signal_s / wall_s),
        "wall_s": round(wall_s, 1),
        "day_of_1000_devices_core_h": round(DAY_DEVICES * DAY_S / (signal_s / wall_s) / 3600, 1),
    }


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted beside what was found."""
    x = found["one_device_x_realtime"]
    return [("one device on one core, x real time", f"≥ {BAR:,}", f"{x:,}", x >= BAR)]


def _fill(url: str, names: list[str], seconds: float) -> None:
    """Write what a worker finds, and what a sink stores."""
    made = [_items(n, seconds) for n in range(min(_DIFFERENT, len(names)))]
    encoded: dict[int, list[Block]] = {}
    with connect(url, role="ecg_sink") as connection:
        writer = Writer(connection)
        for n, name in enumerate(names):
            found, blocks = _found(name, made[n % len(made)])
            known = encoded.setdefault(n % len(made), blocks)
            # Encoded once: what is in them is the same.
            same = [
                replace(block, device=name, _data=one.data) for block, one in zip(blocks, known, strict=True)
            ]
            writer.write(found, same)


def _items(number: int, seconds: float) -> list[list[Item]]:
    """Return what a device sends, flush by flush."""
    script = (Trouble(Trouble_.VT, 150, 162), Trouble(Trouble_.SPO2_FALL, 400, 460))
    bed = Bed(number, LEADS, 250, 200, 62 + 5 * number, 14, script)
    source = simulate(bed, duration_s=seconds)
    by_flush = groupby(source.emissions(_START_NS), key=lambda emitted: int(emitted.at_s * 2))
    return [[emitted.item for emitted in group] for _, group in by_flush]


def _found(device: str, flushes: list[list[Item]]) -> tuple[list[rows.Rows], list[Block]]:
    saved = Saved()
    worker = Live(0, 1, saved, Keys(saved), lost_link_s=1e9, clock_rate=1.0)
    builder = TraceBuilder()
    found: list[rows.Rows] = []
    records: list[Record] = []
    for offset, items in enumerate(flushes):
        packets = [replace(item, device=device) for item in items if isinstance(item, Packet)]
        vitals = [replace(item, device=device) for item in items if isinstance(item, Vital)]
        bundle = Bundle.of(BY, 0, _START_NS, packets, vitals)
        builder.add(bundle, ("ecg.ingest", 0), offset)
        found.append(rows.of_bundle(bundle, offset))
        records.append(Record(offset, 0, bundle.encode()))
    for at in range(0, len(records), TOGETHER):
        worker.process(records[at : at + TOGETHER])
    told = [output for output in worker.outbox if output.topic.name in rows.OF and output.value is not None]
    found += [rows.OF[output.topic.name](output.value or b"") for output in told]
    phases = (codec.decode_as(Condition, o.value or b"") for o in told if o.topic is topics.CONDITIONS)
    found += [rows.OF[topics.ALERTS.name](codec.encode(page.alert)) for page in paged(phases)]
    return found, builder.drain()


@contextmanager
def _auditor(url: str, names: list[str]) -> Iterator[str]:
    """Enrol the devices; give the role of somebody who sees them all. Roles outlive a database."""
    account = f"bench_{os.getpid()}_replay"
    with connect(url, role="ecg_registry") as connection:
        facility_store.apply(connection, plan([], henan()), BY)
        leads = tuple(mdc.LEADS[lead] for lead in LEADS)
        devices = [Device(name, PROVINCE, DeviceKind.BEDSIDE_MONITOR, leads) for name in names]
        device_store.apply(connection, device_store.planned(connection, devices, BY), BY)
        people.add(connection, [Person(account, BY, (Position(Kind.AUDITOR, PROVINCE),))], BY)
    try:
        yield f"person_{account}"
    finally:
        with connect(url, autocommit=True) as owner:
            _drop(owner, f"person_{account}")


def _drop(owner: psycopg.Connection, role: str) -> None:
    owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
