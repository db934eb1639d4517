"""HL7 v2: a connection of MLLP with all that is behind it, a message alone, and answers to ours."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from functools import partial

import numpy as np

from alerts.channels import mllp
from alerts.notify import NotifyError
from devices.bundler import Bundler, Instant
from devices.errors import MessageError
from devices.hl7.ack import answers
from devices.hl7.errors import Condition, Hl7Error
from devices.hl7.mllp import Frames, framed
from devices.hl7.pcd import reading_of
from devices.hl7.write import UTF_8, report
from devices.reading import Measured, Reading, Stretch
from devices.sessions import Sessions
from schemas import mdc
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import ECG_KIND, MISSING, PRESSURE_KIND, Channel
from schemas.units import MILLIVOLT, MM_HG
from tests.fuzz.mutators import BINARY, SEGMENTS
from tests.fuzz.target import Target

AT_NS = 1_790_000_000_000_000_000
_NOW = Instant(1.0, AT_NS)
_CONTROL = "key-1"


class Gateway:
    """What a gateway does with messages between their frames and its spool."""

    def __init__(self) -> None:
        self._sessions = Sessions()
        self._bundler = Bundler("fuzz")

    def take(self, frame: bytes) -> None:
        """Take a message, as ``devices.hl7.server`` and ``devices.intake`` do, and answer it."""
        refused: Hl7Error | None = None
        try:
            self._read(frame)
        except Hl7Error as error:
            refused = error
        except BadRecordError as error:
            refused = Hl7Error(str(error), Condition.DATA_TYPE_ERROR)
        for answer in answers(frame, refused, control_id="1", at_ns=AT_NS):
            assert Frames().feed(framed(answer)) == [answer]

    def _read(self, frame: bytes) -> None:
        reading = reading_of(frame, UTC)
        bundles = []
        for item in self._sessions.take(reading, AT_NS, partial(self._bundler.check, 0)):
            bundles += self._bundler.add(0, item, _NOW)
        for bundle in bundles + self._bundler.flush(_NOW):
            decode(bundle.encode())  # what was taken must be what others can read
        Sessions({reading.device: self._sessions.kept(reading.device)})


def connection(data: bytes) -> None:
    """Let a connection bring what it brings, in pieces as long as the first byte says."""
    frames, gateway = Frames(), Gateway()
    piece = 16 * (data[0] + 1) if data else 1
    with suppress(MessageError):  # one that brings too much is closed
        for at in range(1, len(data), piece):
            for frame in frames.feed(data[at : at + piece]):
                gateway.take(frame)


def message(data: bytes) -> None:
    """Take a message, and the same again."""
    gateway = Gateway()
    gateway.take(data)
    gateway.take(data)


class _Line:
    """A connection that brings an answer piece by piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, most: int) -> bytes:
        found, self._data = self._data[:most], self._data[most:]
        return found


def acknowledgement(data: bytes) -> None:
    """Read what an alarm manager answers to a page."""
    with suppress(NotifyError):
        mllp._read(_Line(data), _CONTROL)  # type: ignore[arg-type]


def readings() -> list[Reading]:
    """A second of two leads and a pressure in few samples, and numbers; of one monitor."""
    found = []
    for n in range(2):
        at = AT_NS + n * 10**9
        wave = (np.arange(12) * 37 % 100 - 50).astype(np.int16)
        wave[3] = MISSING
        leads = [Channel(mdc.LEADS[name], ECG_KIND, MILLIVOLT, 12.0, 200.0, wave, 0.0, 0.05, 40.0, 50.0)
                 for name in ("I", "II")]  # fmt: skip
        pressure = Channel(mdc.ABP, PRESSURE_KIND, MM_HG, 6.0, 10.0, wave[:6], -300.0)
        numbers = (Measured(at, mdc.SPO2, 97.0), Measured(at, mdc.HEART_RATE, 60.0))
        found.append(Reading("mon-1", f"m-{n}", at, (Stretch(at, (*leads, pressure)),), numbers))
    return found


def messages() -> Sequence[bytes]:
    """Messages in each character set; the bed of one is in Chinese."""
    first, second = readings()
    sent = [report(first, UTF_8, place="测试"), report(first, "GB 18030-2000", place="测试")]
    shown = report(second, "ASCII").replace(b"|R\r", b"|F|||20260922\r").replace(b"mV", b"uV")
    return [*sent, report(second, "ASCII"), shown]


def _connections() -> Sequence[bytes]:
    all_of_it = b"".join(map(framed, messages()))
    return [b"\x00" + all_of_it, *(b"\xff" + framed(one) for one in messages())]


def _acknowledgements() -> Sequence[bytes]:
    said = "MSH|^~\\&|manager||ecgstream||20240101||ACK^R40^ACK|1|P|2.6\rMSA|{}|{}\r{}"
    errors = ("", "ERR|||207^internal error^HL70357|E\r")
    all_of_it = [said.format(code, _CONTROL, error) for code in ("AA", "CE", "AR") for error in errors]
    return [framed(one.encode()) for one in (said.format("AA", "other", ""), *all_of_it)]


TARGETS = {
    # A few messages: what grows with a message's length shows in ``hl7``, four times as fast.
    "mllp": Target(connection, _connections, (*SEGMENTS, *BINARY), most=16 * 1024),
    "hl7": Target(message, messages, SEGMENTS),
    "acm-answer": Target(acknowledgement, _acknowledgements, SEGMENTS),
}
