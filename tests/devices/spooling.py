"""What tests of the spool and of what ships it have in common."""

import numpy as np

from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet, Vital

RATE = 250
START_NS = 1_790_000_000_000_000_000
SESSION = START_NS


def packet(device: str, seq: int, session: int = SESSION) -> Packet:
    """A second of signal that tells which one it is."""
    samples = ((np.arange(RATE) * 7 + seq * 31 + len(device)) % 4001 - 2000).astype(np.int16)
    lead = Channel(mdc.LEADS["II"], 0, 0, float(RATE), 200.0, samples)
    return Packet(device, session, seq, seq * RATE, session + seq * 10**9, START_NS, [lead])


def vital(device: str, second: int, session: int = SESSION) -> Vital:
    return Vital(device, session, session + second * 10**9, mdc.SPO2, 97.0)


def bundle(seq: int, devices: str = "a", shard: int = 9, *, vitals: bool = True) -> Bundle:
    """A second of each device, with a number."""
    numbers = [vital(device, seq) for device in devices] if vitals else []
    return Bundle.of("gw", shard, START_NS + seq, [packet(device, seq) for device in devices], numbers)
