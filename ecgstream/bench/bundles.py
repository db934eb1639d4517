"""Decoding packets: the columnar bundle against one Avro record a packet."""

from typing import Any

import numpy as np

from ecgstream.bench.measure import seconds
from schemas import codec, mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet

LEADS, RATE_HZ, PACKETS, BUNDLES = 2, 250, 200, 50


def run() -> dict[str, Any]:
    """Return packets decoded a second each way, and their ratio."""
    rng = np.random.default_rng(1)
    packets = []
    for i in range(PACKETS):
        waves = rng.integers(-2000, 2000, (LEADS, RATE_HZ)).astype(np.int16)
        leads = [
            Channel(mdc.LEADS[n], 0, 0, RATE_HZ, 200.0, w) for n, w in zip(("I", "II"), waves, strict=True)
        ]
        packets.append(Packet(f"dev-{i:04d}", 1, i, i * RATE_HZ, i, i, leads))
    bundle = codec.encode(Bundle.of("bench", 0, 0, packets, []))
    rows = [codec.encode(p) for p in packets]
    taken = seconds(
        {
            "columnar": lambda: [codec.decode(bundle) for _ in range(BUNDLES)],
            "row_wise": lambda: [codec.decode(row) for row in rows],
        }
    )
    columnar = BUNDLES * PACKETS / taken["columnar"]
    row_wise = PACKETS / taken["row_wise"]
    return {
        "packets_a_bundle": PACKETS,
        "columnar_packets_s": round(columnar),
        "row_wise_packets_s": round(row_wise),
        "ratio": round(columnar / row_wise, 1),
        "aim_packets_s": 1_000_000,
    }
