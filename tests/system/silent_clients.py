"""``python -m tests.system.silent_clients PORT MANY`` opens so many connections that say nothing.

All of them knock at once, so that those who have to knock again wait together. It says how many it has
opened, and holds them until its standard input ends.
"""

from __future__ import annotations

import resource
import select
import socket
import sys

_OTHER_FILES = 100
_PATIENCE_MS = 60_000


def main(port: int, many: int) -> None:
    """Open as many as the machine lets a process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        many = min(many, hard - _OTHER_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (many + _OTHER_FILES, hard))
    knocking = select.poll()
    opened: list[socket.socket] = []
    for _ in range(many):
        one = socket.socket()
        one.settimeout(0.0)
        one.connect_ex(("127.0.0.1", port))
        opened.append(one)
        knocking.register(one, select.POLLOUT)
    waiting = many
    while waiting and (found := knocking.poll(_PATIENCE_MS)):
        for file, _ in found:
            knocking.unregister(file)
        waiting -= len(found)
    sys.stdout.write(f"{many - waiting}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
