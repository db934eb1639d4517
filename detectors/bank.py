"""The bank: the detectors of many devices, one row each, one compiled call a bundle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors import kernel, output
from detectors.columns import ECG, PLETH, PRESSURE
from detectors.control import CATEGORIES, HIGH, LOW, NEVER, SCORES, take
from detectors.evidence import OF_VITALS
from detectors.output import Events, Out
from detectors.rates import Rates
from detectors.state import BEATS, DEVICE, SIGNAL, STATE_VERSION, StateError, blank_signal, pack, unpack
from schemas.bundle import Bundle, ChannelColumns
from schemas.mdc import ABP
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, Category, Control, Settings
from schemas.units import MILLIVOLT, MM_HG

__all__ = ["STATE_VERSION", "Bank", "StateError"]

_FIRST_ROWS = 16
_FIRST_OUTPUT = (1024, 512, 1024, 8192, 256, 64)  # rows of beats, rhythms, trends, conditions, segments, gaps
_MOST_GAPS = 1024  # whose room is kept for the next call: 20 kB each
_PACKET_COLUMNS, _CHANNEL_COLUMNS = 8, 5
_NOTHING = Bundle.of("", 0, 0, [], [])
Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""Packets, and integers and floats of their channels, as the kernel reads them."""


class Bank:
    """Detector state of many devices, and the way from a bundle to events.

    >>> bank = Bank()
    >>> bank.rows(["dev-1", "dev-2", "dev-1"])
    array([0, 1, 0])
    """

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._device = np.zeros(_FIRST_ROWS, DEVICE)
        self._signal = np.zeros(_FIRST_ROWS, SIGNAL)
        self._blank = blank_signal()
        self._rates = Rates()
        self._out = _allocate(_FIRST_OUTPUT)

    def rows(self, devices: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each device; a new device gets one, with the settings of an adult."""
        known = list(map(self._names.get, devices))
        return np.array([self._row(name) for name in devices] if None in known else known, np.int64)

    def make_room(self, devices: int) -> None:
        """Make room for so many devices at once, rather than as they come."""
        if devices > len(self._device):
            self._device = _lengthened(self._device, devices)
            self._signal = _lengthened(self._signal, devices)

    def push(
        self,
        bundle: Bundle,
        rows: NDArray[np.int64] | None = None,
        parts: NDArray[np.int64] | None = None,
    ) -> Events:
        """Take a bundle.

        Args:
            bundle: packets and vitals.
            rows: int64, the row of each of its devices, -1: skip that one; by default all.
            parts: int64, of a gathered bundle: in which of the gathered ones each of its devices came. The
                result is that of pushing them one after the other.

        Returns:
            What was found; ``entry`` indexes the bundle's devices.
        """
        rows = self.rows(bundle.devices) if rows is None else np.ascontiguousarray(rows, np.int64)
        parts = np.zeros(len(rows), np.int64) if parts is None else np.ascontiguousarray(parts, np.int64)
        columns = _columns(bundle)
        _, channel_i, channel_f = columns
        self._rates.add(channel_f[channel_i[:, 0] == ECG, 0])
        return self._run(bundle, rows, parts, columns)

    def stop(self, rows: NDArray[np.int64]) -> Events:
        """End the segments of these rows, and all conditions of their ECG; they go on cold.

        ``entry`` of the result indexes ``rows``.
        """
        packet = np.zeros((rows.size, _PACKET_COLUMNS), np.int64)
        packet[:, 0] = np.arange(rows.size)
        nothing = (packet, np.zeros((0, _CHANNEL_COLUMNS), np.int64), np.zeros((0, 4), np.float64))
        return self._run(
            _NOTHING, np.ascontiguousarray(rows, np.int64), np.zeros(rows.size, np.int64), nothing
        )

    def _run(
        self, bundle: Bundle, rows: NDArray[np.int64], parts: NDArray[np.int64], columns: Columns
    ) -> Events:
        v = bundle.vital
        vital = np.empty((v.device.size, 4), np.int64)
        vital[:, 0], vital[:, 1], vital[:, 2], vital[:, 3] = v.device, v.session, v.time_ns, v.code
        value = np.array(v.value, np.float64)
        pace = np.array(bundle.pace_mark, np.int64)
        progress = np.zeros(2, np.int64)
        self._out.n[:] = 0
        while not kernel.push(
            self._device, self._signal, self._blank, self._rates.table, rows, parts, *columns, pace,
            _samples(bundle.sample), vital, value, self._out, progress,
        ):  # fmt: skip
            self._out = _grown(self._out)
        events = _events(self._out)
        if len(self._out.gaps) > _MOST_GAPS:
            self._out = _allocate(_FIRST_OUTPUT)
        return events

    def control(self, control: Control) -> None:
        """Take a change of association, settings or limits; it holds from its sample on."""
        row = self._row(control.device)
        take(self._device.view(np.recarray)[row], control)

    def snapshot(self, row: int) -> bytes:
        """Return the state of a row."""
        return pack(self._device[row], self._signal[row])

    def restore(self, device: str, state: bytes) -> int:
        """Give a device the state of a snapshot, and return its row.

        Raises:
            StateError: of another version, truncated or corrupted; the device's row is as before.
        """
        of_device, of_signal = unpack(state)
        row = self._row(device)
        self._device[row] = of_device[0]
        self._signal[row] = of_signal[0]
        rate_hz = self._signal[row]["rate_hz"]
        if rate_hz > 0.0:
            self._rates.add(np.array([rate_hz]))
        return row

    def signal(self, row: int) -> NDArray[np.void]:
        """Return the signal state of a row, shape (1,), with what snapshots leave out: to learn from."""
        return self._signal[row : row + 1].copy()

    def resume(self, device: str, state: bytes) -> int:
        """Give a device the state that was kept before a gap, as a segment of its own; return its row.

        Of its vital signs it keeps what was known, but no open condition and no minute: these have gone on
        where the device went on.

        Raises:
            StateError: as ``restore``.
        """
        row = self.restore(device, state)
        d, s = self._device[row], self._signal[row]
        d["open"][OF_VITALS] = 0
        d["held"][OF_VITALS] = 0
        d["vital_n"], d["vital_sum"] = 0, 0.0
        d["vital_low"], d["vital_high"] = np.inf, -np.inf
        s["segment"], s["restored"] = -1, 1
        return row

    def forget(self, row: int) -> None:
        """Forget all signals and vital signs of a row; who wears the device and its limits stay."""
        d = self._device[row]
        kept = {name: d[name].copy() for name in ("low", "high", "patient", "category", "paced", "news2")}
        self._device[row] = np.zeros((), DEVICE)
        self._signal[row] = self._blank[0]
        for name, value in kept.items():
            d[name] = value
        d["due"] = NEVER

    def split(self, row: int) -> None:
        """Begin a new segment with the next packet of a row, without forgetting anything."""
        self._signal[row]["segment"] = -1

    def stands(self, row: int) -> tuple[int, int]:
        """Return the next sample of channel 0 of a row, and its device time in ns; (0, 0) of a cold one."""
        s = self._signal[row]
        if not s["started"]:
            return 0, 0
        ahead_ns = round(float(s["position"] - s["anchor"]) * (1e9 / float(s["rate_hz"])))
        return round(float(s["position"] * s["ratio"])), int(s["anchor_ns"]) + ahead_ns

    def patient(self, row: int) -> str:
        """Return the pseudonym of who wears the device now, empty for nobody."""
        return bytes(self._device[row]["patient"]).rstrip(b"\0").decode()

    def settings(self, row: int) -> Settings:
        """Return what kind of patient is watched now."""
        d = self._device[row]
        return Settings(CATEGORIES[d["category"]], bool(d["paced"]), SCORES[d["news2"]])

    def ignored(self, row: int) -> int:
        """Return how many packets of a device were ignored as duplicates or out of order."""
        return int(self._device[row]["stale"])

    def status(self, rows: NDArray[np.int64]) -> NDArray[np.void]:
        """Return where devices stand: dtype ``output.STATUS``, one row each."""
        # A whole row is large: only the fields that are told are copied.
        d, s = self._device, self._signal
        status = np.zeros(len(rows), output.STATUS)
        position, beats = s["position"][rows], s["beats"][rows]
        rate_hz = s["rate_hz"][rows]
        ns_a_sample = 1e9 / np.where(rate_hz > 0.0, rate_hz, 1.0)
        ahead_ns = np.rint((position - s["anchor"][rows]) * ns_a_sample).astype(np.int64)
        status["session"] = d["session"][rows]
        status["sample"] = np.rint(position * s["ratio"][rows])
        status["time_ns"] = s["anchor_ns"][rows] + ahead_ns
        status["hr_bpm"] = s["hr_bpm"][rows]
        status["beat"] = np.where(beats > 0, s["code"][rows, (beats - 1) % BEATS], 0)
        status["rhythm"] = s["rhythm"][rows]
        status["quality"] = s["quality"][rows]
        status["leads_off"] = s["off"][rows] | s["mask"][rows]
        status["leads"] = s["leads"][rows]
        return status

    def warm_up(self) -> None:
        """Compile the kernel, or load it from the cache."""
        self.push(Bundle.of("warm-up", 0, 0, [], []))

    def _row(self, name: str) -> int:
        row = self._names.get(name)
        if row is None:
            row = self._names[name] = len(self._names)
            if row == len(self._device):
                self.make_room(2 * row)
            adult = CATEGORIES.index(Category.ADULT)
            d = self._device[row]
            d["category"], d["low"], d["high"], d["due"] = adult, LOW[adult], HIGH[adult], NEVER
            self._signal[row] = self._blank[0]
        return row


def _lengthened(rows: NDArray[np.void], length: int) -> NDArray[np.void]:
    longer = np.zeros(length, rows.dtype)
    # As bytes: rows of so many fields are copied field by field otherwise.
    longer.view(np.uint8)[: rows.nbytes] = rows.view(np.uint8)
    return longer


def _columns(bundle: Bundle) -> Columns:
    """Return the packets' and the channels' columns as the kernel reads them: see ``columns``."""
    p, c = bundle.packet, bundle.channel
    packet = np.empty((p.device.size, _PACKET_COLUMNS), np.int64)
    for at, column in enumerate((p.device, p.session, p.first_sample, p.start_ns, p.channels, p.paces)):
        packet[:, at] = column
    packet[:, 6] = np.cumsum(packet[:, 4]) - packet[:, 4]
    packet[:, 7] = np.cumsum(packet[:, 5]) - packet[:, 5]
    channel_i = np.empty((c.code.size, _CHANNEL_COLUMNS), np.int64)
    channel_i[:, 0] = _use(c)
    channel_i[:, 1] = c.lead_off != 0
    channel_i[:, 2] = c.samples
    channel_i[:, 3] = np.cumsum(channel_i[:, 2]) - channel_i[:, 2]
    channel_i[:, 4] = c.code
    channel_f = np.empty((c.code.size, 4), np.float64)
    channel_f[:, 0], channel_f[:, 1], channel_f[:, 2], channel_f[:, 3] = c.rate, c.gain, c.offset, c.high_pass
    return packet, channel_i, channel_f


def _use(c: ChannelColumns) -> NDArray[np.int64]:
    """Return what each channel is to the detectors."""
    use: NDArray[np.int64] = ((c.kind == ECG_KIND) & (c.unit == MILLIVOLT)).astype(np.int64)
    if c.kind.any():  # most bundles hold ECG alone
        use[(c.kind == PRESSURE_KIND) & (c.code == ABP) & (c.unit == MM_HG)] = PRESSURE
        use[c.kind == PLETH_KIND] = PLETH
    return use


def _samples(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the samples as one kind of array, read-only, so that the kernel is compiled once."""
    view = np.require(samples, np.int16, ["C", "A"]).view()
    view.flags.writeable = False
    return view


def _allocate(rows: Sequence[int]) -> Out:
    kinds = (
        *(output.BEAT, output.RHYTHM, output.TREND, output.CONDITION_RAW, output.SEGMENT, output.GAP_RAW),
        *(DEVICE, SIGNAL),
    )
    lengths = (*rows, rows[-1], rows[-1])
    filled = (np.zeros(n, kind) for n, kind in zip(lengths, kinds, strict=True))
    return Out._make((*filled, np.zeros(len(rows) + 1, np.int64)))


def _grown(out: Out) -> Out:
    grown = _allocate([2 * len(a) for a in out[:6]])
    for old, new in zip(out[:8], grown[:8], strict=True):
        new[: len(old)] = old
    grown.n[:] = out.n
    return grown


def _events(out: Out) -> Events:
    beats, rhythms, trends, conditions, segments, gaps = (
        a[:n].copy() for a, n in zip(out[:6], out.n[:6].tolist(), strict=True)
    )
    kept = np.zeros(len(gaps), output.GAP)
    for name in output.GAP_RAW.fields or ():
        kept[name] = gaps[name]
    kept["state"] = [pack(out.gap_device[i], out.gap_signal[i]) for i in range(len(gaps))]
    return Events(beats, rhythms, trends, conditions.view(output.CONDITION), segments, kept)
