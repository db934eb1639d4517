"""A line between two parts, through which everything passes until it is cut.

It stands for what lies between machines: a process is alive and cannot be reached. A cut breaks the
connections that are open and refuses new ones; ``silent``, it lets nothing through and says nothing, as a
cable that is pulled.
"""

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType

from ecgstream.embedded.cluster import free_fixed_ports

_CHUNK = 65_536
Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""


class Line:
    """Listens at one address and passes everything on to another.

    Args:
        target: where everything goes; may be given later, but before anyone connects.
        at: path of a unix socket to listen on; by default a port on loopback, which stays ours.
    """

    def __init__(self, target: Address | None = None, *, at: Path | None = None) -> None:
        self.target = target
        self.port = 0 if at is not None else free_fixed_ports(1)[0]
        self._at = at
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._whole = threading.Event()
        self._whole.set()
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        if self._at is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
        else:
            self._at.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self._at))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), name="line", daemon=True).start()
        return listener

    @property
    def is_cut(self) -> bool:
        """Whether nothing comes through."""
        return not self._whole.is_set()

    def cut(self, *, silent: bool = False) -> None:
        """Let nothing through."""
        self._whole.clear()
        if not silent:
            self._hang_up()
            self._break()

    def mend(self) -> None:
        """Let everything through again; what waited in silence is broken, as by those who gave it up."""
        self._break()
        self._whole.set()
        if self._listener.fileno() < 0:
            self._listener = self._listen()

    def close(self) -> None:
        """End the line for good."""
        self._hang_up()
        self._whole.set()
        self._break()
        if self._at is not None:
            self._at.unlink(missing_ok=True)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _break(self) -> None:
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near,), name="line", daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, contextlib.ExitStack() as stack:
            with self._lock:
                self._open.add(near)
            stack.callback(self._forget, near)
            self._whole.wait()
            try:
                far = stack.enter_context(_connected(self.target))
            except OSError:
                return
            with self._lock:
                self._open.add(far)
            stack.callback(self._forget, far)
            back = threading.Thread(target=self._carry, args=(far, near), name="line", daemon=True)
            back.start()
            self._carry(near, far)
            back.join()

    def _forget(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """Carry bytes one way until either end hangs up, then hang up at both."""
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._whole.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _connected(target: Address | None) -> socket.socket:
    if target is None:
        raise OSError("the line leads nowhere yet")
    if isinstance(target, str):
        one = socket.socket(socket.AF_UNIX)
        try:
            one.connect(target)
        except OSError:
            one.close()
            raise
        return one
    return socket.create_connection(target)
