"""HL7 v2 over a connection: a message in a frame, and the acknowledgement of it (HL7 MLLP, release 1)."""

import socket
import ssl

import hl7

from alerts.notify import NotifyError, Reason

START, END = b"\x0b", b"\x1c\r"
_LONGEST = 64 * 1024
_TAKEN = ("AA", "CA")
_MAY_PASS = ("AR", "CE")
_PASSING_ERRORS = ("206", "207")
"""Of HL7 table 0357: record locked, internal error."""


def exchange(message: str, control: str, host: str, port: int, *, tls: bool, timeout_s: float) -> None:
    """Send a message and read until its acknowledgement; return when that says that it was taken.

    Args:
        message: segments, each with its carriage return.
        control: its control id (MSH-10); acknowledgements of others are passed over.
        host: of the receiver.
        port: of the receiver.
        tls: whether to speak TLS, and to check who answers.
        timeout_s: of each step.

    Raises:
        NotifyError: it was not taken, or nobody has said so.
    """
    try:
        with _connected(host, port, tls=tls, timeout_s=timeout_s) as line:
            line.sendall(START + message.encode() + END)
            _read(line, control)
    except TimeoutError:
        raise NotifyError(Reason.TIMEOUT, retryable=True) from None
    except OSError:
        raise NotifyError(Reason.BROKEN_OFF, retryable=True) from None


def _connected(host: str, port: int, *, tls: bool, timeout_s: float) -> socket.socket:
    try:
        line = socket.create_connection((host, port), timeout_s)
        return ssl.create_default_context().wrap_socket(line, server_hostname=host) if tls else line
    except TimeoutError:
        raise
    except OSError:
        raise NotifyError(Reason.UNREACHABLE, retryable=True) from None


def _read(line: socket.socket, control: str) -> None:
    """Read frames, however they are cut, up to the one that acknowledges; that there is none is an error."""
    waiting = b""
    while len(waiting) < _LONGEST:
        got = line.recv(4096)
        if not got:
            raise NotifyError(Reason.BROKEN_OFF, retryable=True)
        waiting += got
        while END in waiting:
            frame, waiting = waiting.split(END, 1)
            if _is_taken(frame.rpartition(START)[2], control):
                return
    raise NotifyError(Reason.OTHER, retryable=True)


def _is_taken(frame: bytes, control: str) -> bool:
    """Return whether a frame acknowledges a message; False: another message.

    An application error (AE) is one of content, which will be the same again, unless ERR-3 says otherwise; a
    reject (AR) is not (HL7 v2.6, 2.9.3.1). With accept acknowledgements (CE, CR) it is the other way round.

    Raises:
        NotifyError: it refuses the message, or is no acknowledgement.
    """
    try:
        answer = hl7.parse(frame.decode())
        said = answer.segment("MSA")
        code, of = str(said[1]), str(said[2])
    except Exception:  # hl7 raises AssertionError, too, and what more is not documented
        raise NotifyError(Reason.OTHER, retryable=True) from None
    if of != control:
        return False
    if code in _TAKEN:
        return True
    if code in _MAY_PASS or _passes(answer):
        raise NotifyError(Reason.SERVER_ERROR, retryable=True)
    raise NotifyError(Reason.REFUSED, retryable=False)


def _passes(answer: hl7.Message) -> bool:
    try:
        return str(answer.segment("ERR")[3]).split("^")[0] in _PASSING_ERRORS
    except LookupError:
        return False
