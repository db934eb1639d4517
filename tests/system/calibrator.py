"""A device of 12 leads whose signal is known: lead I tells each sample's index, lead II is a calibrator's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import ECG_KIND, Channel, Packet
from schemas.units import MILLIVOLT
from tests.ecgstream.monitor.live.ward import beats
from tests.system.pager_ward import PARTITION, Ward

RATE = 250
GAIN = 200.0
MOD = 20_000
"""Lead I counts up to here, then from 0; its gain makes a millivolt of that."""
SECOND_NS = 10**9
_OTHERS = ("III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


class Calibrator:
    """The device. Its session has begun some time ago, and what it measured until now is sent at once.

    Attributes:
        lost: seconds that never come.
        off: seconds while V6 is off.
    """

    def __init__(self, ward: Ward, back_s: int, n: int = 1, leads: int = 12) -> None:
        self.ward, self.device, self.leads = ward, ward.device(n), leads
        self.gain = GAIN
        self.lost: set[int] = set()
        self.off: set[int] = set()
        self.begin((time.time_ns() // SECOND_NS - back_s) * SECOND_NS)

    def begin(self, session: int) -> None:
        """Begin a session."""
        self.session = session
        self.sent = 0

    def send(self) -> None:
        """Send a second, with its beat: a ventricular one every tenth."""
        second, begin_ns = self.sent, self.session + self.sent * SECOND_NS
        self.sent += 1
        if second in self.lost:
            return
        leads = self._waves(second)
        packet = Packet(self.device, self.session, second, second * RATE, begin_ns, time.time_ns(), leads)
        bundle = Bundle.of("gateway", 0, time.time_ns(), [packet], [])
        self.ward.send(encode(bundle), topics.INGEST, PARTITION)
        code = "V" if second % 10 == 5 else "N"
        beat = beats(self.device, second * RATE + 100, code=code, session=self.session)
        self.ward.send(beat.encode(), topics.BEATS, PARTITION)

    def catch_up(self) -> None:
        """Send all that has been measured by now."""
        while self.session + self.sent * SECOND_NS < time.time_ns():
            self.send()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send, second by second, until the block is left."""
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                self.catch_up()
                stop.wait(0.1)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _waves(self, second: int) -> list[Channel]:
        at = np.arange(second * RATE, (second + 1) * RATE)
        square = np.where(at % RATE < RATE // 2, self.gain, 0)
        beat = _beat(at % RATE / RATE) * self.gain
        waves = {"I": at % MOD, "II": square, **{name: beat * (n + 2) / 8 for n, name in enumerate(_OTHERS)}}
        return [
            Channel(
                mdc.LEADS[name],
                ECG_KIND,
                MILLIVOLT,
                RATE,
                MOD if name == "I" else self.gain,
                wave.astype(np.int16),
                high_pass=0.05,
                low_pass=150.0,
                lead_off=name == "V6" and second in self.off,
            )
            for name, wave in list(waves.items())[: self.leads]
        ]


def _beat(phase: np.ndarray) -> np.ndarray:
    """P, QRS and T, about as they look, mV."""
    waves = (
        (0.25, 0.02, 0.12),
        (0.385, 0.008, -0.15),
        (0.4, 0.01, 1.1),
        (0.42, 0.01, -0.25),
        (0.62, 0.04, 0.3),
    )
    return sum(high * np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width, high in waves)  # type: ignore[return-value]
