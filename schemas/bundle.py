"""The columnar bundle: what a gateway sends at a flush, and what a detector bank eats.

One Kafka record holds the packets and vitals of many devices of one shard, so that the cost of a
record is shared. Decoding makes views, no copies: over a million packets a second on one core
(``make bench``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import columns
from schemas.checks import (
    MAX_CHANNELS,
    MAX_COUNT,
    MAX_GAIN,
    MAX_PACKET_S,
    MAX_RATE_HZ,
    MAX_TIME_NS,
    MIN_GAIN,
    MIN_RATE_HZ,
    check_packet,
    device_list,
)
from schemas.errors import BadRecordError
from schemas.records import Channel, Packet, Vital
from schemas.registry import Schema, newest, writer_of


class PacketColumns(NamedTuple):
    """One row a packet; ``device`` indexes the bundle's devices, ``channels`` and ``paces`` are counts."""

    device: NDArray[np.integer]
    session: NDArray[np.int64]
    seq: NDArray[np.int64]
    first_sample: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    channels: NDArray[np.uint8]
    paces: NDArray[np.uint16]


class ChannelColumns(NamedTuple):
    """One row a channel of a packet, in packet order; ``samples`` are counts. Units as in ``Channel``."""

    code: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    unit: NDArray[np.uint8]
    rate: NDArray[np.float64]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    high_pass: NDArray[np.float32]
    low_pass: NDArray[np.float32]
    notch: NDArray[np.float32]
    lead_off: NDArray[np.uint8]
    samples: NDArray[np.uint32]


class VitalColumns(NamedTuple):
    """One row a vital."""

    device: NDArray[np.integer]
    session: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    code: NDArray[np.uint32]
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Packets and vitals of the devices of one shard; all arrays are read-only views once decoded.

    ``sample``: int16, shape (all samples,), planar by packet, then channel.

    >>> import numpy as np
    >>> from schemas import mdc
    >>> lead = Channel(mdc.LEADS["II"], 0, 0, 250.0, 200.0, np.zeros(250, np.int16))
    >>> sent = Bundle.of("gw-1", 0, 1, [Packet("dev-1", 1, 0, 0, 5, 6, [lead])], [])
    >>> got = Bundle.decode(sent.encode())
    >>> got.devices, got.channel.rate, got.sample.size
    (['dev-1'], array([250.]), 250)
    """

    gateway: str
    shard: int
    created_ns: int
    devices: list[str]
    packet: PacketColumns
    channel: ChannelColumns
    pace_mark: NDArray[np.uint32]
    vital: VitalColumns
    sample: NDArray[np.int16]

    @classmethod
    def of(
        cls, gateway: str, shard: int, created_ns: int, packets: Sequence[Packet], vitals: Sequence[Vital]
    ) -> "Bundle":
        """Return the bundle of these rows.

        Raises:
            BadRecordError: a packet is absurd; the message says which and why.
        """
        for p in packets:
            check_packet(p)
        names = list(dict.fromkeys([p.device for p in packets] + [v.device for v in vitals]))
        index = {name: i for i, name in enumerate(names)}
        channels = [c for p in packets for c in p.channels]
        return cls(
            gateway,
            shard,
            created_ns,
            names,
            _table(PacketColumns, "packet", (_packet_row(p, index) for p in packets)),
            _table(ChannelColumns, "channel", (_channel_row(c) for c in channels)),
            np.fromiter((m for p in packets for m in p.pace_marks), np.uint32),
            _table(
                VitalColumns,
                "vital",
                ((index[v.device], v.session, v.time_ns, v.code, v.value) for v in vitals),
            ),
            np.concatenate([c.samples for c in channels]) if channels else np.empty(0, np.int16),
        )

    def encode(self) -> bytes:
        """Return the bundle in single-object encoding, with the newest version of its schema."""
        values: dict[str, Any] = {
            "gateway": self.gateway,
            "shard": self.shard,
            "created_ns": self.created_ns,
            "devices": "\n".join(self.devices),
            "pace_mark": self.pace_mark,
            "sample": self.sample,
        }
        for prefix, table in (("packet", self.packet), ("channel", self.channel), ("vital", self.vital)):
            values |= {f"{prefix}_{name}": column for name, column in table._asdict().items()}
        return columns.encode("Bundle", values)

    @classmethod
    def decode(cls, data: bytes | memoryview, writer: Schema | None = None) -> "Bundle":
        """Return the bundle that ``data`` (bytes with their header) holds, as views into ``data``.

        Raises:
            BadRecordError: truncated, lengths that disagree, or values that no device can mean.
        """
        return _read(columns.read(writer or newest("Bundle"), [data])).bundle

    def packets(self) -> Iterator[Packet]:
        """Yield the packets as rows; their samples stay views."""
        channel = list(zip(*(column.tolist() for column in self.channel), strict=True))
        at = pace = start = 0
        packet = zip(*(column.tolist() for column in self.packet), strict=True)
        for device, session, seq, first, start_ns, received_ns, n_channels, n_paces in packet:
            channels = []
            for code, kind, unit, rate, gain, offset, high, low, notch, off, n in channel[
                at : at + n_channels
            ]:
                samples = self.sample[start : start + n]
                channels.append(
                    Channel(code, kind, unit, rate, gain, samples, offset, high, low, notch, bool(off))
                )
                start += n
            marks = self.pace_mark[pace : pace + n_paces].tolist()
            yield Packet(self.devices[device], session, seq, first, start_ns, received_ns, channels, marks)
            at += n_channels
            pace += n_paces

    def vitals(self) -> Iterator[Vital]:
        """Yield the vitals as rows."""
        for device, *rest in zip(*(column.tolist() for column in self.vital), strict=True):
            yield Vital(self.devices[device], *rest)


class Gathered(NamedTuple):
    """Several bundles as one, for one call of a detector bank.

    Attributes:
        bundle: the rows of all, in order. Its ``devices`` are those of the bundles one after the other, so
            that an entry tells the device and the bundle it came in; index columns are int64. ``gateway``,
            ``shard`` and ``created_ns`` are the first one's.
        created_ns, devices, packets: of each bundle, when it was made, and how many it has; int64.
    """

    bundle: Bundle
    created_ns: NDArray[np.int64]
    devices: NDArray[np.int64]
    packets: NDArray[np.int64]


def gather(records: Sequence[bytes | memoryview]) -> Gathered:
    """Return what the encoded bundles hold together; the cost of a small one is little.

    Raises:
        BadRecordError: as ``Bundle.decode``, of any of them.
    """
    writers = [writer_of(data) for data in records]
    if all(w is writers[0] for w in writers):
        return _read(columns.read(writers[0], records))
    return gather(
        [Bundle.decode(data, writer).encode() for data, writer in zip(records, writers, strict=True)]
    )


def _read(read: columns.Read) -> Gathered:
    v, rows = read
    own = np.array([1 + raw.count(b"\n") if raw else 0 for raw in v["devices"]], np.int64)
    packet = PacketColumns(*(v[n] for n in _NAMES["packet"]))
    channel = ChannelColumns(*(v[n] for n in _NAMES["channel"]))
    vital = VitalColumns(*(v[n] for n in _NAMES["vital"]))
    if own.size > 1:
        packet = packet._replace(device=_shifted(packet.device, rows["packet"], own))
        vital = vital._replace(device=_shifted(vital.device, rows["vital"], own))
    bundle = Bundle(
        v["gateway"][0],
        v["shard"][0],
        v["created_ns"][0],
        device_list(b"\n".join(filter(None, v["devices"]))),
        packet,
        channel,
        v["pace_mark"],
        vital,
        v["sample"],
    )
    _check_counts(bundle, rows)
    _check_values(bundle)
    return Gathered(bundle, np.array(v["created_ns"], np.int64), own, rows["packet"])


def _shifted(
    device: NDArray[np.integer], rows: NDArray[np.int64], own: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return an index into the devices of all where each of ``rows`` indexes those of its own bundle."""
    _require(bool((device < own.repeat(rows)).all()), "a row of a device that is not listed")
    return device + (np.cumsum(own) - own).repeat(rows)


def _check_counts(bundle: Bundle, rows: dict[str, NDArray[np.int64]]) -> None:
    """Raise ``BadRecordError`` where counts and rows disagree in any of the bundles that were gathered."""
    p, c = bundle.packet, bundle.channel
    for counts, of, kind in (
        (p.channels, "packet", "channel"),
        (p.paces, "packet", "pace"),
        (c.samples, "channel", "sample"),
    ):
        _require(_agree(counts, rows[of], rows[kind]), f"{kind} counts and {kind} rows disagree")


def _agree(counts: NDArray[Any], rows: NDArray[np.int64], wanted: NDArray[np.int64]) -> bool:
    if rows.size == 1:
        return int(np.add.reduce(counts, dtype=np.int64)) == int(wanted[0])
    sums = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, dtype=np.int64, out=sums[1:])
    ends = np.cumsum(rows)
    return bool((sums[ends] - sums[ends - rows] == wanted).all())


def _check_values(bundle: Bundle) -> None:
    """Raise ``BadRecordError`` where a value is absurd."""
    p, c, v = bundle.packet, bundle.channel, bundle.vital
    devices = len(bundle.devices)
    if v.device.size:
        _require(int(v.device.max()) < devices, "a vital of a device that is not listed")
        _require(_below(MAX_TIME_NS, v.session, v.time_ns), "a vital's session or time out of range")
    if not p.device.size:
        return
    _require(int(p.device.max()) < devices, "a packet of a device that is not listed")
    _require(_below(MAX_TIME_NS, p.session, p.start_ns, p.received_ns), "a packet's time out of range")
    _require(_below(MAX_COUNT, p.seq, p.first_sample), "seq or first_sample out of range")
    _require(_between(p.channels, 1, MAX_CHANNELS), "a packet without channels, or with too many")
    _require(_between(c.rate, MIN_RATE_HZ, MAX_RATE_HZ), "a sampling rate out of range")
    _require(_between(c.gain, MIN_GAIN, MAX_GAIN), "a gain that is not finite and above 0")
    _require(bool(np.isfinite(c.offset).all()), "an offset that is not finite")
    _check_durations(bundle)


def _check_durations(bundle: Bundle) -> None:
    """Check that a packet is neither empty nor endless, and that its channels cover the same time."""
    p, c = bundle.packet, bundle.channel
    step = 1.0 / c.rate
    duration = c.samples * step
    _require(_between(duration, step.min(), MAX_PACKET_S), "an empty or endless packet")
    first = np.add.accumulate(p.channels, dtype=np.int64) - p.channels
    apart = np.abs(duration - duration[first].repeat(p.channels)) - step - step[first].repeat(p.channels)
    _require(bool(np.maximum.reduce(apart) <= 0), "channels of a packet cover different times")
    if bundle.pace_mark.size:
        length = c.samples[first].repeat(p.paces)
        _require(bool((bundle.pace_mark < length).all()), "a pace mark outside its packet")


_TABLES: dict[str, Any] = {"packet": PacketColumns, "channel": ChannelColumns, "vital": VitalColumns}
_NAMES = {prefix: tuple(f"{prefix}_{n}" for n in table._fields) for prefix, table in _TABLES.items()}


def _table(kind: Any, prefix: str, rows: Iterable[tuple[Any, ...]]) -> Any:
    dtypes = {f.name: f.dtype for f in columns.layout(newest("Bundle"))}
    found = list(zip(*rows, strict=True)) or [()] * len(kind._fields)
    return kind(*(np.array(c, dtypes[n]) for c, n in zip(found, _NAMES[prefix], strict=True)))


def _packet_row(p: Packet, index: dict[str, int]) -> tuple[int, ...]:
    times = (p.session, p.seq, p.first_sample, p.start_ns, p.received_ns)
    return (index[p.device], *times, len(p.channels), len(p.pace_marks))


def _channel_row(c: Channel) -> tuple[float, ...]:
    filters = (c.high_pass, c.low_pass, c.notch)
    return (c.code, c.kind, c.unit, c.rate, c.gain, c.offset, *filters, c.lead_off, c.samples.size)


def _below(power_of_two: int, *tables: NDArray[np.int64]) -> bool:
    # One pass a column: the union of all bits is below a power of two just where every value is, and a
    # negative value brings the sign bit.
    return all(0 <= int(np.bitwise_or.reduce(column)) < power_of_two for column in tables)


def _between(column: NDArray[Any], low: float, high: float) -> bool:
    # NaN fails: it survives both reductions, and every comparison with it is false.
    return bool(np.minimum.reduce(column) >= low and np.maximum.reduce(column) <= high)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadRecordError(f"Bundle: {otherwise}")
