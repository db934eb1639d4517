"""The narrow line passes everything on and counts it; the bars are of what was found."""

from __future__ import annotations

import socket
import threading

from ecgstream.bench import narrow
from ecgstream.bench.document import of_narrow

SAID = bytes(range(256)) * 200


def test_what_goes_through_a_narrow_line_arrives_whole_and_is_counted_with_its_headers() -> None:
    up, down = narrow._Bucket(1e9), narrow._Bucket(1e9)
    with socket.create_server(("127.0.0.1", 0)) as far, narrow._Narrow(up, down) as line:
        line.target = far.getsockname()
        heard = bytearray()

        def answer() -> None:
            one, _ = far.accept()
            with one:
                while len(heard) < len(SAID):
                    heard.extend(one.recv(65_536))
                one.sendall(b"thanks")

        answering = threading.Thread(target=answer)
        answering.start()
        with socket.create_connection(("127.0.0.1", line.port), 30) as near:
            near.sendall(SAID)
            assert near.recv(100) == b"thanks"
        answering.join()
    assert heard == SAID
    packets = -(-len(SAID) // narrow._SEGMENT)
    assert up.passed >= len(SAID) + packets * narrow._HEADERS
    assert down.passed == len(b"thanks") + narrow._HEADERS


def found(wait_s: float, lost: int) -> dict[str, object]:
    run = {"line_percent": 60.0, "median_wait_s": 0.5, "longest_wait_s": wait_s, "lost": lost}
    runs = [{"devices": count, **run} for count in (8, 12)]
    told = {
        "machine": "m",
        "python": "3",
        "numpy": "2",
        "numba": "0",
        "faust-streaming": "0",
        "ecgstream": "0",
    }
    return {"run": told, "line_kbit_s": 64, "signal": "made", "seconds": 120.0, "runs": runs}


def test_a_line_that_cannot_carry_the_devices_misses_its_bars() -> None:
    assert [met for *_, met in narrow.bars(found(4.9, 0))] == [True, True]
    assert [met for *_, met in narrow.bars(found(9.0, 3))] == [False, False]
    assert "| 12 | 60.0 | 0.5 | 9.0 | 3 |" in of_narrow(found(9.0, 3))
