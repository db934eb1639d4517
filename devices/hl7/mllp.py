"""Frames on a connection: ``<VT> message <FS><CR>`` (HL7 MLLP, release 1, 2.1)."""

from devices.errors import MessageError

START, END = b"\x0b", b"\x1c\r"
MAX_BYTES = 1_000_000


def framed(message: bytes) -> bytes:
    r"""Return a message in its frame.

    >>> framed(b"MSH|...")
    b'\x0bMSH|...\x1c\r'
    """
    return START + message + END


class Frames:
    """Cuts what arrives on one connection into messages, however it was cut on its way.

    Args:
        max_bytes: of one message; no more than this and what ``feed`` was last given is held.

    Attributes:
        junk: how many bytes stood outside of frames, or in one that was begun anew; none of them is kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.junk = 0
        self._max_bytes = max_bytes
        self._waiting = bytearray()
        self._seen = 0  # so much of it holds no end, so that nothing is searched twice
        self._is_open = False
        self._is_broken = False

    @property
    def held(self) -> int:
        """How many bytes wait for their end."""
        return len(self._waiting)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the messages that are whole now, without their frames.

        Raises:
            MessageError: a frame is too long. The connection is to be closed: where the next message begins
                cannot be known. Messages that were whole before are returned first, the error comes with
                the next call.
        """
        messages: list[bytes] = []
        self._waiting += data
        while not self._is_broken and self._advance(messages):
            pass
        if self._is_broken and not messages:
            raise MessageError(f"a frame of more than {self._max_bytes} bytes")
        return messages

    def _advance(self, messages: list[bytes]) -> bool:
        """Find the next begin or end; return whether there was one."""
        if not self._is_open:
            return self._begin()
        end = self._waiting.find(END, self._seen)
        self._seen = max(0, len(self._waiting) - 1)  # an end may be cut in two
        if (self._seen if end < 0 else end) > self._max_bytes:
            self._is_broken = True
            self._waiting.clear()
            return False
        if end < 0:
            return False
        # A sender that broke off and began anew: VT stands in no message (MLLP, 2.1).
        lost, _, message = bytes(self._waiting[:end]).rpartition(START)
        self.junk += len(lost)
        messages.append(message)
        del self._waiting[: end + len(END)]
        self._is_open, self._seen = False, 0
        return True

    def _begin(self) -> bool:
        start = self._waiting.find(START)
        outside = len(self._waiting) if start < 0 else start
        self.junk += outside
        del self._waiting[: outside + len(START)]
        self._is_open = start >= 0
        return self._is_open
