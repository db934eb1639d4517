"""A receiver of HL7 on loopback that cuts its frames as it is told to."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable
from types import TracebackType

import hl7

Answer = Callable[[str], list[bytes] | None]
"""From a message's control id to the pieces to send; None: it hangs up."""


def ack(code: str, *, error: str = "", of: str = "") -> Answer:
    def answer(control: str) -> list[bytes]:
        return [frame(code, of or control, error)]

    return answer


def frame(code: str, control: str, error: str = "") -> bytes:
    err = f"ERR|||{error}^some error^HL70357|E\r" if error else ""
    said = f"MSH|^~\\&|manager||ecgstream||20240101||ACK^R40^ACK|1|P|2.6\rMSA|{code}|{control}\r{err}"
    return b"\x0b" + said.encode() + b"\x1c\r"


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        waiting = b""
        while not waiting.endswith(b"\x1c\r"):
            got = self.request.recv(7)
            if not got:
                return
            waiting += got
        message = hl7.parse(waiting[1:-2].decode())
        receiver = self.server.receiver
        receiver.messages.append(message)
        answer = receiver.answers.pop(0) if receiver.answers else ack("AA")
        pieces = answer(str(message.segment("MSH")[10]))
        if pieces is None:
            return
        for piece in pieces:
            self.request.sendall(piece)
        receiver.over.wait(30)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    receiver: MllpReceiver


class MllpReceiver:
    """Answers with what ``answers`` gives, then with AA; keeps every message that came."""

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.messages: list[hl7.Message] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "mllp" if context is None else "mllps"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/MANAGER/WARD%203"

    def __enter__(self) -> MllpReceiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
