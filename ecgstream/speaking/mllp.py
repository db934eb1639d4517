"""A monitor's line: HL7 v2 over MLLP, one message a second of signal, each until it is answered."""

import math
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from devices.errors import MessageError
from devices.hl7.message import header
from devices.hl7.mllp import Frames, framed
from devices.hl7.write import report
from devices.reading import Measured, Reading, Stretch
from ecgstream.speaking.link import PATIENCE_S, Access, LinkDownError, SilentError, Told
from schemas.records import Packet, Vital

_READ_BYTES = 65_536
_TAKEN = ("AA", "CA")
_LATER = "207"
"""Table 0357, application internal error: the same message may be taken later."""


class Answer(NamedTuple):
    """An acknowledgement: MSA-1, MSA-2, the code of ERR-3 (empty: none), and its text as it came."""

    code: str
    of: str
    condition: str
    text: str

    @property
    def is_taken(self) -> bool:
        """Whether the message is safe."""
        return self.code in _TAKEN


class Line:
    """A connection of MLLP.

    Raises:
        LinkDownError: nobody is there, or not whom the certificates want.
    """

    def __init__(self, host: str, port: int, access: Access, *, plain: bool) -> None:
        try:
            self._socket = socket.create_connection((host, port), PATIENCE_S)
            if not plain:
                self._socket = access.tls().wrap_socket(self._socket, server_hostname=host)
        except OSError as error:
            raise LinkDownError(str(error)) from None
        self._frames = Frames()
        self._heard: list[Answer] = []

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise LinkDownError(str(error)) from None

    def hear(self) -> Answer:
        """Return the next answer.

        Raises:
            LinkDownError: the line was closed; ``SilentError``: nothing came.
        """
        while not self._heard:
            try:
                data = self._socket.recv(_READ_BYTES)
                self._heard += map(answer_of, self._frames.feed(data))
            except TimeoutError:
                raise SilentError(f"nothing in {PATIENCE_S:g} s") from None
            except (OSError, MessageError) as error:
                raise LinkDownError(str(error)) from None
            if not data:
                raise LinkDownError("the gateway has closed the line")
        return self._heard.pop(0)

    def ask(self, message: bytes) -> Answer:
        """Send a message in its frame; return its first answer."""
        self.say(framed(message))
        return self.hear()

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.close()


def answer_of(frame: bytes) -> Answer:
    r"""Return what an acknowledgement says.

    Raises:
        Hl7Error: it is none.

    >>> answer_of(b"MSH|^~\\&|||||||ACK|1|P|2.6\rMSA|AR|m-1\rERR|||204^Unknown key identifier|E\r")[:3]
    ('AR', 'm-1', '204')
    """
    head = header(frame)
    text = frame.decode(head.codec, "replace")
    found = {line[:3]: line.split(head.separators.field) for line in text.split("\r")}
    msa, err = ([*found.get(name, []), "", "", "", ""] for name in ("MSA", "ERR"))
    return Answer(msa[1], msa[2], err[3].partition(head.separators.component)[0], text)


def readings(device: str, packets: Sequence[Packet], vitals: Sequence[Vital]) -> list[Reading]:
    """Return what a monitor says of these: a message a packet, and one of the numbers that were to be had."""
    numbers = tuple(Measured(v.time_ns, v.code, v.value) for v in vitals if not math.isnan(v.value))
    stretches = [Stretch(p.start_ns, tuple(p.channels), tuple(p.pace_marks)) for p in packets]
    found = [
        Reading(device, f"{packet.session}-{packet.seq}", time.time_ns(), (stretch,))
        for packet, stretch in zip(packets, stretches, strict=True)
    ]
    if numbers:
        ids = f"{vitals[0].session}-n{numbers[0].time_ns}"
        found.append(Reading(device, ids, time.time_ns(), (), numbers))
    return found


class MllpLink:
    """See ``Link``; one that has gone is made anew with the next message."""

    most = (
        8  # a gateway knows the newest messages only, and all of a batch come again where one is not answered
    )

    def __init__(self, connect: Callable[[], Line], device: str) -> None:
        self._make = connect
        self._device = device
        self._line: Line | None = None

    def send(self, packets: Sequence[Packet], vitals: Sequence[Vital]) -> Told:
        """Send, and wait for the answers."""
        refused: list[str] = []
        for reading in readings(self._device, packets, vitals):
            answer = self._asked(report(reading))
            if answer.condition == _LATER:
                raise LinkDownError("the gateway takes no more now")
            if not answer.is_taken:
                why = f"{answer.code}, condition {answer.condition or 'none'}"
                refused += [why] * (len(reading.stretches) + len(reading.numbers))
        return Told(len(packets) + len(vitals) - len(refused), tuple(refused))

    def _asked(self, message: bytes) -> Answer:
        try:
            if self._line is None:
                self._line = self._make()
            return self._line.ask(message)
        except LinkDownError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
        self._line = None
