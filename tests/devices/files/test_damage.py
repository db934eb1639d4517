"""Damaged and hostile files: an error that says nothing of what they hold, or a source; nothing else.

``EXAMPLES`` is small here; ``ECGSTREAM_FUZZ=2000`` tries as many of each format.
"""

import os
import struct
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from devices.errors import MessageError
from devices.files.read import read
from devices.source import Source
from tests.devices.files import binary, markup
from tests.devices.files.ecg import IDENTITY, START, Ecg, twelve_leads
from tests.devices.files.scp import assembled, scp

edfio = pytest.importorskip("edfio")
pytest.importorskip("wfdb")
EXAMPLES = int(os.environ.get("ECGSTREAM_FUZZ", "15"))
GB = 2**30


def small() -> Ecg:
    return twelve_leads(rate=100, seconds=0.5)


def edf(ecg: Ecg) -> bytes:
    found: bytes = edfio.Edf(edf_signals(ecg), data_record_duration=0.1).to_bytes()
    return found


def edf_with_gaps(ecg: Ecg) -> bytes:
    """EDF+D of half a second: its last tenth 9 s later; of the first, lead II is missing from its half on."""
    told = [edfio.EdfAnnotation(0.05, 0.05, "Signal missing@@ECG II")]
    made = edfio.Edf(edf_signals(ecg), data_record_duration=0.1, annotations=told).to_bytes()
    found: bytes = made.replace(b"EDF+C", b"EDF+D").replace(b"+0.4\x14\x14", b"+9.4\x14\x14")
    return found


def edf_signals(ecg: Ecg) -> list[Any]:
    return [
        edfio.EdfSignal.from_digital(
            samples,
            ecg.rate,
            label=f"ECG {name}",
            physical_dimension="uV",
            physical_range=(-8192, 8191),
            digital_range=(-32768, 32767),
            prefiltering="HP:0.05Hz",
        )
        for name, samples in ecg.leads.items()
    ]


FILES = {
    "edf": edf(small()),
    "edf-gaps": edf_with_gaps(small()),
    "dicom": binary.dicom(small()),
    "aecg": markup.aecg(small()),
    "aecg-gap": markup.aecg(small(), lost=20),
    "muse": markup.muse(small()),
    "sierra": markup.sierra(small()),
    "ishne": binary.ishne(small()),
    "scp": scp(small()),
    "scp-huffman": scp(small(), huffman=True),
    "mfer": binary.mfer(small()),
}


def attempt(content: bytes) -> Source | None:
    """What comes of it; anything but a source or ``MessageError`` fails the test."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(content)
        file.flush()
        with suppress(MessageError):
            return read(Path(file.name), device="d", shard=0)
    return None


def refusal(folder: Path, content: bytes) -> str:
    path = folder / "Neverwas"
    path.write_bytes(content)
    with pytest.raises(MessageError) as error:
        read(path, device="d", shard=0)
    assert not any(word in str(error.value) for word in IDENTITY)
    return str(error.value)


@st.composite
def mutations(draw: st.DrawFn, content: bytes) -> bytes:
    """A few bytes are others, gone or more; most of them early, where formats say their lengths."""
    damaged = bytearray(content)
    last = st.integers(0, len(content) - 1)
    for _ in range(draw(st.integers(1, 6))):
        at = min(draw(last) if draw(st.booleans()) else draw(st.integers(0, 1500)), len(damaged))
        size = draw(st.integers(0, 4))
        damaged[at : at + size] = draw(
            st.binary(max_size=4) | st.just(b"\xff" * size) | st.just(b"\0" * size)
        )
    return bytes(damaged)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_mutations(name: str, data: st.DataObject) -> None:
    attempt(data.draw(mutations(FILES[name])))


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_truncation(name: str, data: st.DataObject) -> None:
    attempt(FILES[name][: data.draw(st.integers(0, len(FILES[name]) - 1))])


HEADER = (
    b"n 2 100 50 9:30:15 29/3/2026\nn.dat 16 200(0)/mV 16 0 0 0 0 I\nn.dat 16 200 16 0 0 0 0 II\n#a note\n"
)


@given(mutations(HEADER))
@settings(max_examples=EXAMPLES, deadline=None)
def test_headers_of_wfdb(header: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "n.dat").write_bytes(b"\1\0" * 100)
        path = Path(folder) / "n.hea"
        path.write_bytes(header)
        with suppress(MessageError):
            read(path, device="d", shard=0)


@given(st.binary(max_size=4096))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_bytes(content: bytes) -> None:
    attempt(content)


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_sections_of_scp_with_checksums_that_fit(data: st.DataObject) -> None:
    """A checksum would else catch what is changed behind it."""
    ecg = small()
    whole = scp(ecg, huffman=True)
    bodies = {}
    for at in range(22, 142, 10):
        number, size, index = struct.unpack_from("<HII", whole, at)
        if number and size:
            bodies[number] = whole[index - 1 + 16 : index - 1 + size]
    number = data.draw(st.sampled_from(sorted(bodies)))
    attempt(assembled({**bodies, number: data.draw(mutations(bodies[number]))}))


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "Neverwas">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
EXTERNAL = '<!DOCTYPE x [<!ENTITY i SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declared", [BOMB, EXTERNAL], ids=["bomb", "external"])
@pytest.mark.parametrize("name", ["aecg", "muse", "sierra"])
def test_entities_are_refused(tmp_path: Path, name: str, declared: str) -> None:
    content = FILES[name].decode("latin-1")
    head, line, rest = content.partition("\n")
    rest = rest.replace('<!DOCTYPE RestingECG SYSTEM "restecg.dtd">', "").replace(">Neverwas<", ">&i;<")
    tracemalloc.start()
    try:
        refusal(tmp_path, f"{head}{line}{declared}{rest}".encode("latin-1"))
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("root", ["AnnotatedECG", "RestingECG", "restingecgdata"])
def test_elements_that_are_nested_deeply_are_refused(tmp_path: Path, root: str) -> None:
    depth = 20_000
    content = f"<{root}>" + "<component>" * depth + "</component>" * depth + f"</{root}>"
    assert "damaged" in refusal(tmp_path, content.encode())


def large_lengths() -> dict[str, bytes]:
    """Files that say that a gigabyte follows."""
    dicom, mfer, ishne = FILES["dicom"], FILES["mfer"], FILES["ishne"]
    data = dicom.index(b"\x00\x54\x10\x10OW") + 8
    samples = dicom.index(b"\x3a\x00\x10\x00UL") + 8
    wave = mfer.index(b"\x1e\x84") + 2
    return {
        "dicom data": dicom[:data] + struct.pack("<I", GB) + dicom[data + 4 :],
        "dicom samples": dicom[:samples] + struct.pack("<I", GB) + dicom[samples + 4 :],
        "mfer data": mfer[:wave] + struct.pack(">I", GB) + mfer[wave + 4 :],
        "mfer block": mfer.replace(b"\x04\x04" + struct.pack("<I", 50), b"\x04\x04" + struct.pack("<I", GB)),
        "ishne comment": ishne[:10] + struct.pack("<I", GB) + ishne[14:],
        "scp record": FILES["scp"][:2] + struct.pack("<I", GB) + FILES["scp"][6:],
        "scp section": FILES["scp"][:34] + struct.pack("<I", GB) + FILES["scp"][38:],
        "sierra samples": FILES["sierra"].replace(
            b'durationperchannel="500"', b'durationperchannel="5000000000"'
        ),
        "sierra leads": FILES["sierra"].replace(b'durationperchannel="500"', b'durationperchannel="nan"'),
    }


@pytest.mark.parametrize("name", large_lengths())
def test_a_length_that_is_not_there_is_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    content = large_lengths()[name]
    assert content not in FILES.values()
    tracemalloc.start()
    try:
        refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_bomb_in_dicom_is_not_opened(tmp_path: Path) -> None:
    nothing = Ecg({"I": np.zeros(20_000_000, np.int16)}, 500, 5, START)
    content = binary.dicom(nothing, syntax=DeflatedExplicitVRLittleEndian)
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        assert "transfer syntax" in refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
