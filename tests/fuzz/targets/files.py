"""Files of ECG devices: read where they are fuzzed, under the limit of memory of the child that reads them.

In a gateway ``devices.files.child`` reads them in a process of its own, so that one that hangs or dies costs
that process only. Here the reader itself is meant to do neither.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from devices.errors import MessageError
from devices.files import wire
from devices.files.read import read
from tests.devices.files import binary, markup
from tests.devices.files.ecg import Ecg
from tests.devices.files.scp import scp
from tests.devices.files.test_damage import edf, edf_with_gaps, small
from tests.fuzz.mutators import BINARY, JSON, TEXT, XML
from tests.fuzz.target import MOST_BYTES, Target

_HEADER = (
    b"n 2 100 50 9:30:15 29/3/2026\nn.dat 16 200(0)/mV 16 0 0 0 0 I\nn.dat 16 200 16 0 0 0 0 II\n#a note\n"
)
_FOLDER: list[Path] = []
for _reader in ("ecgdatakit", "pydicom", "wfdb"):  # before the first file: as in the child of a gateway
    import_module(_reader)


def file(name: str, data: bytes) -> None:
    """Read a file; it lies in a folder that is made with the first, beside samples for a header of WFDB."""
    if not _FOLDER:
        _FOLDER.append(Path(tempfile.mkdtemp(prefix="ecgstream-fuzz-")))
        (_FOLDER[0] / "n.dat").write_bytes(b"\1\0" * 100)
    path = _FOLDER[0] / name
    path.write_bytes(data)
    with suppress(MessageError):
        wire.head_of(read(path, device="dev-1", shard=0))


def answer(data: bytes) -> None:
    """Read what the process that reads files says of one, with as many samples as it says."""
    with suppress(MessageError):
        sizes = wire.sizes(data)
        if sum(sizes) < 1_000_000:
            wire.source_of(data, [bytes(size) for size in sizes], "dev-1", 0)


def _answers() -> Sequence[bytes]:
    path = Path(tempfile.mkdtemp(prefix="ecgstream-fuzz-")) / "scp"
    path.write_bytes(scp(small()))
    return [wire.head_of(read(path, device="dev-1", shard=0))]


_MADE: dict[str, tuple[Callable[[Ecg], bytes], Sequence[object]]] = {
    "edf": (edf, BINARY),
    "edf-gaps": (edf_with_gaps, BINARY),
    "dicom": (binary.dicom, BINARY),
    "aecg": (markup.aecg, XML),
    "aecg-gap": (partial(markup.aecg, lost=20), XML),
    "muse": (markup.muse, XML),
    "sierra": (markup.sierra, XML),
    "ishne": (binary.ishne, BINARY),
    "scp": (scp, BINARY),
    "scp-huffman": (partial(scp, huffman=True), BINARY),
    "mfer": (binary.mfer, BINARY),
    "wfdb": (lambda _: _HEADER, TEXT),
}


def _target(name: str) -> Target:
    made, ways = _MADE[name]
    path = "n.hea" if name == "wfdb" else "file"
    return Target(
        partial(file, path),
        lambda: [made(small())],
        ways,  # type: ignore[arg-type]
        share=0.01,
        growth_bytes=MOST_BYTES,
        hang_s=30,
    )


TARGETS = {name: _target(name) for name in _MADE} | {"file-answer": Target(answer, _answers, JSON)}
