"""A reader that does what a file tells it to: what a library could do with a file that nobody foresaw."""

import os
import signal
import threading
from datetime import tzinfo
from pathlib import Path

from devices.files.read import read
from devices.source import Source

EAT, HANG, DIE, PRINT, RAISE = b"eat", b"hang", b"die", b"print", b"raise"


def obedient(path: Path, *, device: str, shard: int, zone: tzinfo | None = None) -> Source:
    order = path.read_bytes().split(b"\n", 1)[0]
    if order == EAT:
        eaten = []
        while True:
            eaten.append(bytearray(2**24))
    if order == HANG:
        threading.Event().wait()
    if order == DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    if order == RAISE:
        raise RuntimeError("Neverwas")
    if order == PRINT:
        for stream in (1, 2):
            os.write(stream, b"Neverwas")
        path = Path(path.read_text().splitlines()[1])
    return read(path, device=device, shard=shard, zone=zone)
