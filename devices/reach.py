"""Whether anybody listens where a broker should be.

Asked before a client of kafka-python is made: where none answers, its constructor fails after its whole
patience, and leaves its sockets open.
"""

import socket

from devices.errors import LineError


def reach(bootstrap: str, patience_s: float) -> None:
    """Return once one of the addresses has answered.

    Raises:
        LineError: none does; the message says why.
    """
    reasons = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), patience_s):
                return
        except (OSError, ValueError) as error:
            reasons.append(f"{address.strip()} ({getattr(error, 'strerror', None) or error})")
    raise LineError(f"no broker answers at {', '.join(reasons)}")
