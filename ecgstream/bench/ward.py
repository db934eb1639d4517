"""Devices of one lead whose every second is known: it can be told whether it has come as it was sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgstream.bench.load import NS, RATE_HZ, STRIDE, ecg, scale
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Channel, Packet, Vital
from schemas.units import MILLIVOLT

CODES = (mdc.HEART_RATE, mdc.SPO2)
"""Of the numbers that each device tells each second."""
_LEAD = "II"


@dataclass(frozen=True, slots=True)
class Ward:
    """``names``: of the devices, which all began at ``session_ns``, device time, and never stopped."""

    names: tuple[str, ...]
    session_ns: int

    @classmethod
    def of(cls, devices: int, session_ns: int) -> "Ward":
        """Return a ward of so many devices."""
        return cls(tuple(f"bench-{n:03}" for n in range(devices)), session_ns)

    def over_ns(self, second: int) -> int:
        """Return when a second had been measured, device time."""
        return self.session_ns + (second + 1) * NS

    def seconds_at(self, now_ns: int) -> int:
        """Return how many whole seconds each device has measured."""
        return (now_ns - self.session_ns) // NS

    def packet(self, device: int, second: int) -> Packet:
        """Return what a device has measured in a second."""
        gain, offset = scale()
        lead = ecg()[0]
        at = (device * STRIDE + second * RATE_HZ) % (lead.size - RATE_HZ)
        samples = lead[at : at + RATE_HZ]
        wave = Channel(mdc.LEADS[_LEAD], ECG_KIND, MILLIVOLT, float(RATE_HZ), gain, samples, offset)
        begin_ns = self.session_ns + second * NS
        return Packet(self.names[device], self.session_ns, second, second * RATE_HZ, begin_ns, 0, [wave])

    def vitals(self, device: int, second: int) -> list[Vital]:
        """Return the numbers of a device and second."""
        name, at_ns = self.names[device], self.session_ns + second * NS
        return [Vital(name, self.session_ns, at_ns, code, _value(device, second, code)) for code in CODES]

    def samples(self, device: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return a second of each of these; int16, shape (n, RATE_HZ)."""
        lead = ecg()[0]
        at = (device * STRIDE + second * RATE_HZ) % (lead.size - RATE_HZ)
        found: NDArray[np.int16] = lead[at[:, None] + np.arange(RATE_HZ)]
        return found


def _value(device: int, second: int, code: int) -> float:
    return float(60 + (device + second + code) % 40)


class Arrived:
    """What of a ward has come, each packet and number counted; ``wrong``: those that were never sent so.

    Attributes:
        packets: how often, int64, shape (devices, seconds).
        numbers: as often, shape (devices, seconds, codes).
    """

    def __init__(self, ward: Ward, seconds: int) -> None:
        self.packets = np.zeros((len(ward.names), seconds), np.int64)
        self.numbers = np.zeros((len(ward.names), seconds, len(CODES)), np.int64)
        self.wrong = 0
        self._ward = ward
        self._index = {name: n for n, name in enumerate(ward.names)}

    def take(self, bundle: Bundle) -> None:
        """Count what a bundle holds."""
        device = np.array([self._index.get(name, -1) for name in bundle.devices], np.int64)
        self._take_packets(bundle, device[bundle.packet.device])
        for vital in bundle.vitals():
            self._take_number(vital)

    def _take_packets(self, bundle: Bundle, device: NDArray[np.int64]) -> None:
        packet, seq = bundle.packet, bundle.packet.seq
        if bundle.sample.size != device.size * RATE_HZ:
            self.wrong += device.size
            return
        is_right = (
            (device >= 0)
            & (seq < self.packets.shape[1])
            & (packet.session == self._ward.session_ns)
            & (packet.first_sample == seq * RATE_HZ)
            & (packet.start_ns == self._ward.session_ns + seq * NS)
            & (bundle.sample.reshape(-1, RATE_HZ) == self._ward.samples(device, seq)).all(axis=1)
        )
        self.wrong += int((~is_right).sum())
        np.add.at(self.packets, (device[is_right], seq[is_right]), 1)

    def _take_number(self, vital: Vital) -> None:
        device = self._index.get(vital.device, -1)
        second, rest = divmod(vital.time_ns - self._ward.session_ns, NS)
        is_ours = device >= 0 and vital.code in CODES and 0 <= second < self.numbers.shape[1]
        if is_ours and not rest and vital.value == _value(device, second, vital.code):
            self.numbers[device, second, CODES.index(vital.code)] += 1
        else:
            self.wrong += 1

    def missing(self) -> tuple[int, int]:
        """Return how many packets have not come, and how many numbers."""
        return int((self.packets == 0).sum()), int((self.numbers == 0).sum())

    def repeated(self) -> int:
        """Return how many packets and numbers have come once more than once."""
        return sum(int(np.maximum(come - 1, 0).sum()) for come in (self.packets, self.numbers))
