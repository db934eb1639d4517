"""How many rows a second the sink's writer brings into the database: from staging to the commit."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from devices.recordings import toy_ecg
from ecgstream.bench.database import new_database
from ecgstream.bench.measure import typical
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate
from ecgstream.store.traces import Block, TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.batches import Trends
from schemas.bundle import Bundle
from schemas.codec import decode_as
from schemas.records import Channel, Packet

LEADS, RATE_HZ, BLOCK_S = 2, 250, 10
DEVICES_A_BUNDLE = 50
TRENDS, TRENDS_A_RECORD = 20_000, 1000
BLOCKS = 4000
TURNS = 8
BARS = {"trend_rows_s": 100_000, "trace_rows_s": 50_000, "trace_rows_s_with_encoding": 5000}

_BEGAN_NS = 1_700_000_000_000_000_000
_SECOND_NS = 1_000_000_000
_LEADS = tuple(mdc.LEADS[name] for name in ("II", "V1"))
_CODES = (mdc.HEART_RATE, mdc.SPO2, mdc.PULSE_RATE, mdc.RESP_RATE)


def run(server: str) -> dict[str, Any]:
    """Return rows a second, the best of the turns and the median, and what bars there are.

    * ``trend_rows_s``: minute trends, from the bytes of Kafka's records.
    * ``trace_rows_s``: trace blocks of 10 s at 250 Hz that are encoded already.
    * ``trace_rows_s_with_encoding``: the same, encoding them too.
    * ``trace_rows_s_from_records``: the same, and putting them together from the records of gateways.

    Args:
        server: URL of a database server; empty for the embedded PostgreSQL.

    Raises:
        CannotMeasureError: there is no such server.
    """
    with new_database(server) as url:
        migrate(url)
        with connect(url) as owner:
            edition = str(detect(owner))
        writer = Writer(connect(url, role="ecg_sink"))
        try:
            taken = typical(ways(writer), TURNS)
        finally:
            writer.close()
    figures: dict[str, Any] = {"edition": edition}
    for name, (median, best) in taken.items():
        n = TRENDS if name == "trend_rows_s" else BLOCKS
        figures[name] = round(n / best)
        figures[f"{name}_median"] = round(n / median)
        if name in BARS:
            figures[f"{name}_bar"] = BARS[name]
    return figures


def ways(writer: Writer) -> dict[str, Callable[[], None]]:
    """Return what is measured; all that comes in is made beforehand, for every turn anew."""
    turns = range(TURNS + 1)
    trends = iter([_trend_records(turn) for turn in turns])
    records = iter([_ingest_records("r", turn) for turn in turns])
    plain = iter([_blocks(_ingest_records("p", turn)) for turn in turns])
    encoded = [_blocks(_ingest_records("e", turn)) for turn in turns]
    for block in chain.from_iterable(encoded):
        len(block.data)  # kept by the block
    of_turn = iter(encoded)
    return {
        "trend_rows_s": lambda: writer.write(map(rows.OF[topics.TRENDS.name], next(trends)), ()),
        "trace_rows_s": lambda: writer.write((), next(of_turn)),
        "trace_rows_s_with_encoding": lambda: writer.write((), next(plain)),
        "trace_rows_s_from_records": lambda: writer.write((), _blocks(next(records))),
    }


def _trend_records(turn: int) -> list[bytes]:
    """Return a minute's trends as a worker publishes them."""
    devices = [f"dev-{d:05}" for d in range(TRENDS_A_RECORD // len(_CODES))]
    device, code = (np.ravel(c) for c in np.meshgrid(np.arange(len(devices)), _CODES, indexing="ij"))
    values = 60 + np.random.default_rng(turn).random(device.size).astype(np.float32)
    minute = np.full(device.size, _BEGAN_NS + turn * 60 * _SECOND_NS)
    found = []
    for record in range(TRENDS // TRENDS_A_RECORD):
        names = [f"{record}-{name}" for name in devices]
        n, offset = np.full(device.size, 60, np.uint32), np.full(device.size, turn)
        columns = (device, np.full(device.size, _BEGAN_NS), minute, code.astype(np.uint32), n)
        found.append(Trends(record, 1, "1", names, *columns, values, values, values, offset).encode())
    return found


def _ingest_records(prefix: str, turn: int) -> list[bytes]:
    """Return 10 s of all devices, a record a second and gateway: cuts of MIT-BIH 208, as if it had 250 Hz."""
    wave = toy_ecg().sessions[0].waves[0]
    block = BLOCK_S * RATE_HZ
    cuts = np.lib.stride_tricks.sliding_window_view(wave.samples, block)
    starts = np.random.default_rng(turn).integers(0, len(cuts), (BLOCKS // LEADS, LEADS))
    found = []
    for first_device in range(0, BLOCKS // LEADS, DEVICES_A_BUNDLE):
        for second in range(turn * BLOCK_S, (turn + 1) * BLOCK_S):
            at_ns = _BEGAN_NS + second * _SECOND_NS
            packets = []
            for device in range(first_device, first_device + DEVICES_A_BUNDLE):
                part = slice(second % BLOCK_S * RATE_HZ, (second % BLOCK_S + 1) * RATE_HZ)
                leads = [
                    Channel(code, 0, 0, RATE_HZ, wave.gain, cuts[start][part], wave.offset)
                    for code, start in zip(_LEADS, starts[device], strict=True)
                ]
                packets.append(
                    Packet(f"{prefix}-{device:05}", _BEGAN_NS, second, second * RATE_HZ, at_ns, at_ns, leads)
                )
            found.append(Bundle.of("bench", 0, at_ns, packets, []).encode())
    return found


def _blocks(records: list[bytes]) -> list[Block]:
    builder = TraceBuilder()
    for offset, record in enumerate(records):
        builder.add(decode_as(Bundle, record), (topics.INGEST.name, 0), offset)
    return builder.take()
