"""What a bundle gives up where it cannot be kept whole: numbers first, then other waves, at last all of it.

Pure. A packet keeps its device, session, seq and first sample, whatever it gives up; one that is gone is a
hole that its neighbours tell, as where a device did not measure.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from devices.tally import Lost
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Channel, Packet, Vital

WHOLE, FEW_NUMBERS, ECG_ONLY = range(3)
"""How much of a record is left (``devices.rows.Record.level``)."""
EVERY_NS = 60 * 1_000_000_000
"""Time between two numbers that are kept, of a device and code."""
STEADY = frozenset({mdc.HEART_RATE, mdc.VPC_RATE, mdc.RR, mdc.ST, mdc.PULSE_RATE, mdc.SPO2, mdc.RESP_RATE})
"""What monitors tell every second or so. All other numbers are rare, and kept: pressures, temperature …"""
_MOST_KNOWN = 20_000


class Sieve:
    """Which numbers are kept of what comes in order: of each device and code one a minute, the first.

    >>> sieve = Sieve()
    >>> [sieve.keeps(Vital("d", 7, s * 10**9, mdc.SPO2, 97.0)) for s in (0, 1, 59, 60, 61)]
    [True, False, False, True, False]
    >>> sieve.keeps(Vital("d", 7, 10**9, mdc.NIBP_SYS, 120.0))
    True
    """

    def __init__(self) -> None:
        self._kept_ns: OrderedDict[tuple[str, int], int] = OrderedDict()

    def keeps(self, vital: Vital) -> bool:
        """Return whether a number is kept; one from before the last that was, where a clock was set, is."""
        if vital.code not in STEADY:
            return True
        key = (vital.device, vital.code)
        kept_ns = self._kept_ns.get(key)
        if kept_ns is not None and 0 <= vital.time_ns - kept_ns < EVERY_NS:
            return False
        self._kept_ns[key] = vital.time_ns
        self._kept_ns.move_to_end(key)
        if len(self._kept_ns) > _MOST_KNOWN:
            self._kept_ns.popitem(last=False)
        return True


def with_few_numbers(bundle: Bundle, keeps: Callable[[Vital], bool]) -> tuple[Bundle, Lost]:
    """Return the bundle with these numbers only, and what it has lost."""
    before = list(bundle.vitals())
    vitals = [vital for vital in before if keeps(vital)]
    return _bundle(bundle, bundle.packets(), vitals), Lost(numbers=len(before) - len(vitals))


def with_ecg_only(bundle: Bundle) -> tuple[Bundle, Lost]:
    """Return the bundle without waves other than ECG, and what it has lost.

    A packet's first channel stays where an ECG stands behind it: the first one counts the samples.
    """
    packets, lost = [], Lost()
    for packet in bundle.packets():
        channels = _with_ecg(packet.channels)
        if len(channels) < len(packet.channels):
            lost += Lost(wave_s=seconds(packet))
        if channels:
            packets.append(replace(packet, channels=channels))
    return _bundle(bundle, packets, bundle.vitals()), lost


def all_of(bundle: Bundle) -> Lost:
    """Return what is lost with a bundle."""
    lost = Lost(numbers=bundle.vital.device.size)
    for packet in bundle.packets():
        kinds = {channel.kind for channel in packet.channels}
        lost += Lost(
            wave_s=seconds(packet) if kinds - {ECG_KIND} else 0.0,
            ecg_s=seconds(packet) if ECG_KIND in kinds else 0.0,
        )
    return lost


def seconds(packet: Packet) -> float:
    """Return how long a packet is, s."""
    first = packet.channels[0]
    return first.samples.size / first.rate


def _with_ecg(channels: list[Channel]) -> list[Channel]:
    if not any(channel.kind == ECG_KIND for channel in channels):
        return []
    return [c for at, c in enumerate(channels) if at == 0 or c.kind == ECG_KIND]


def _bundle(of: Bundle, packets: Iterable[Packet], vitals: Iterable[Vital]) -> Bundle:
    return Bundle.of(of.gateway, of.shard, of.created_ns, list(packets), list(vitals))
