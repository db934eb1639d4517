"""What monitors rely on: HL7 v2 over MLLP, as docs/devices.md says it.

The structure of messages and answers is of HL7 v2.6, chapters 2 and 2.C (tables 0008, 0155, 0357), and of IHE
PCD-01; frames are MLLP's, release 1.
"""

import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from devices.hl7.mllp import MAX_BYTES, START, framed
from devices.hl7.write import report
from devices.reading import Measured, Reading, Stretch
from ecgstream.conform.checks import Check, UntoldError, met
from ecgstream.conform.signal import NAME, STRANGER, Signal
from ecgstream.speaking.link import LinkDownError, SilentError
from ecgstream.speaking.mllp import Answer, Line
from schemas import mdc

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "重症监护室^^1"
_MODES, _ORIGINAL = b"|P|2.6|||AL|NE|", b"|P|2.6|||||"
_PIECES = 64


class MllpChecks:
    """The checks; each has a line of its own.

    Args:
        connect: makes a line to the gateway.
        device: that the line may speak for.
    """

    def __init__(self, connect: Callable[[], Line], device: str) -> None:
        self._connect = connect
        self._signal = Signal(device)

    def checks(self) -> list[Check]:
        """Return them in the order in which they are asked."""
        return [
            ("a second of four leads is acknowledged, with its id (MSA-2)", self._wave),
            ("a number is acknowledged", self._number),
            ("a message that comes twice is acknowledged twice", self._twice),
            ("without MSH-15 and MSH-16 there is one answer, AA", self._original_mode),
            ("MSH-15 AL and MSH-16 AL are answered by CA, then AA", self._both_answers),
            ("a message in many pieces is one message", self._pieces),
            ("two messages in one piece are answered in their order", self._together),
            ("what stands between two frames disturbs nothing", self._junk),
            ("a message that is broken off and begun anew is taken", self._begun_anew),
            ("Chinese in UTF-8 and in GB 18030 is understood", self._chinese),
            ("another kind of message is rejected (200, 201), and the line goes on", self._other_kind),
            ("another version is rejected (203)", self._other_version),
            ("another character set is rejected (103)", self._other_charset),
            ("a message of a test is rejected (202), so that it is nobody's signal", self._of_a_test),
            ("a message without an id is rejected (101)", self._without_id),
            ("a device that is not enrolled is rejected (204), and the line goes on", self._stranger),
            ("no answer repeats what may be a patient's name", self._no_name),
            ("a line that ends in mid-message disturbs no other", self._broken_line),
            (f"a message of more than {MAX_BYTES:,} bytes ends its line, and no other", self._too_long),
        ]

    def _wave(self) -> None:
        said = self._reading()
        with self._line() as line:
            answer = line.ask(report(said))
        self._is_taken(answer)
        met(answer.of == said.message, f"MSA-2 is not the message's id: {answer.of!r}")

    def _number(self) -> None:
        now = time.time_ns()
        numbers = (Measured(now, mdc.HEART_RATE, 70.0),)
        with self._line() as line:
            self._is_taken(
                line.ask(report(Reading(self._signal.device, self._signal.id(), now, (), numbers)))
            )

    def _twice(self) -> None:
        said = report(self._reading())
        with self._line() as line:
            for _ in range(2):
                self._is_taken(line.ask(said))

    def _original_mode(self) -> None:
        with self._line() as line:
            answer = line.ask(self._asking(_ORIGINAL))
        met(answer.code == "AA", f"MSA-1 is {answer.code}")

    def _both_answers(self) -> None:
        with self._line() as line:
            codes = [line.ask(self._asking(b"|P|2.6|||AL|AL|")).code, line.hear().code]
        met(codes == ["CA", "AA"], f"MSA-1 is {' and '.join(codes)}")

    def _pieces(self) -> None:
        said = framed(report(self._reading()))
        size = max(1, len(said) // _PIECES)
        with self._line() as line:
            for at in range(0, len(said), size):
                line.say(said[at : at + size])
            self._is_taken(line.hear())

    def _together(self) -> None:
        said = [self._reading(), self._reading()]
        with self._line() as line:
            line.say(b"".join(framed(report(one)) for one in said))
            answers = [line.hear() for _ in said]
        for answer in answers:
            self._is_taken(answer)
        met([a.of for a in answers] == [one.message for one in said], "they are answered in another order")

    def _junk(self) -> None:
        with self._line() as line:
            line.say(b"\r\n \x00 between" + framed(report(self._reading())))
            self._is_taken(line.hear())

    def _begun_anew(self) -> None:
        said = report(self._reading())
        with self._line() as line:
            line.say(START + said[: len(said) // 2])
            self._is_taken(line.ask(said))

    def _chinese(self) -> None:
        with self._line() as line:
            for charset in ("UNICODE UTF-8", "GB 18030-2000"):
                self._is_taken(line.ask(report(self._reading(), charset, place=PLACE)))

    def _other_kind(self) -> None:
        self._is_rejected(self._changed(b"|ORU^R01^ORU_R01|", b"|ADT^A01^ADT_A01|"), "200", "201")

    def _other_version(self) -> None:
        self._is_rejected(self._changed(b"|P|2.6|", b"|P|3.0|"), "203")

    def _other_charset(self) -> None:
        self._is_rejected(self._changed(b"||UNICODE UTF-8|", b"||UNICODE UTF-16|"), "103")

    def _of_a_test(self) -> None:
        self._is_rejected(self._changed(b"|P|2.6|", b"|T|2.6|"), "202")

    def _without_id(self) -> None:
        said = self._reading()
        self._is_rejected(report(said).replace(b"|" + said.message.encode() + b"|P|", b"||P|"), "101")

    def _stranger(self) -> None:
        self._is_rejected(report(self._reading(STRANGER)), "204")

    def _no_name(self) -> None:
        said = self._changed(b"^^^^^^U\r", b"" + NAME.encode() + b"^^^^^^U\r", self._reading(STRANGER))
        with self._line() as line:
            answer = line.ask(said)
        met(NAME not in answer.text, "it stands in the answer")

    def _broken_line(self) -> None:
        with self._line() as other:
            with self._line() as line:
                line.say(framed(report(self._reading()))[:200])
            self._is_taken(other.ask(report(self._reading())))

    def _too_long(self) -> None:
        with self._line() as other:
            with self._line() as line:
                met(_is_closed(line), "the line is still open")
            self._is_taken(other.ask(report(self._reading())))

    # -- what they are made of

    @contextmanager
    def _line(self) -> "Iterator[Line]":
        with closing(self._connect()) as line:
            yield line

    def _reading(self, device: str = "") -> Reading:
        packet = self._signal.packet()
        stretch = Stretch(packet.start_ns, tuple(packet.channels))
        return Reading(device or self._signal.device, self._signal.id(), time.time_ns(), (stretch,))

    def _asking(self, modes: bytes) -> bytes:
        return self._changed(_MODES, modes)

    def _changed(self, old: bytes, new: bytes, reading: Reading | None = None) -> bytes:
        said = report(reading or self._reading())
        if said.count(old) != 1:
            raise UntoldError(f"the message has no {old!r} to be changed")
        return said.replace(old, new)

    def _is_taken(self, answer: Answer) -> None:
        met(answer.is_taken, f"MSA-1 is {answer.code}, condition {answer.condition or 'none'}")

    def _is_rejected(self, said: bytes, *conditions: str) -> None:
        """Check that a message is refused for this, and that the next one on the line is taken."""
        with self._line() as line:
            answer = line.ask(said)
            met(not answer.is_taken, f"it is taken: MSA-1 is {answer.code}")
            met(answer.condition in conditions, f"ERR-3 is {answer.condition or 'empty'}")
            self._is_taken(line.ask(report(self._reading())))


def _is_closed(line: Line) -> bool:
    """Say more than a message may have, without an end; return whether the line is closed for it."""
    try:
        line.say(START + b"x" * (2 * MAX_BYTES))
        line.hear()
    except SilentError:
        return False
    except LinkDownError:
        return True
    return False
