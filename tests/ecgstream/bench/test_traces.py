"""What the bench compares the trace codec with is right, or the comparison is worth nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ecgstream.bench import traces
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.store.trace_codec import CODEC

any_samples = arrays(np.int16, st.integers(1, 300))
twelve_bits = arrays(np.int16, st.integers(1, 300), elements=st.integers(-2048, 2047))


@settings(deadline=None)
@given(st.one_of(any_samples, twelve_bits))
def test_every_codec_gives_back_what_it_was_given(samples: NDArray[np.int16]) -> None:
    for name, codec in traces.codecs().items():
        back = codec.decode(codec.encode(samples), samples.size)
        assert back.dtype == np.int16, name
        assert np.array_equal(back, samples), name


@pytest.mark.parametrize(("name", "fmt", "n"), [("wfdb-212", "212", 1000), ("wfdb-212", "212", 999)])
def test_a_format_of_wfdb_has_the_bytes_that_wfdb_writes(tmp_path: Path, name: str, fmt: str, n: int) -> None:
    samples = np.random.default_rng(1).integers(-2047, 2047, n).astype(np.int16)
    wfdb.wrsamp(
        "one",
        fs=250,
        units=["mV"],
        sig_name=["II"],
        d_signal=samples.reshape(-1, 1).astype(int),
        fmt=[fmt],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(tmp_path),
    )
    ours = traces.codecs()[name].encode(samples)
    written = (tmp_path / "one.dat").read_bytes()
    assert ours[: len(written)] == written
    assert len(ours) - len(written) <= 1  # the half of a pair that is not there


def test_flac_is_what_wfdb_reads(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-2047, 2047, 2500).astype(np.int16)
    (tmp_path / "one.dat").write_bytes(traces.codecs()["wfdb-516"].encode(samples))
    (tmp_path / "one.hea").write_text("one 1 250 2500\none.dat 516 200(0)/mV 16 0 0 0 0 II\n")
    record = wfdb.rdrecord(str(tmp_path / "one"), physical=False, return_res=16)
    assert np.array_equal(record.d_signal[:, 0], samples)


def test_a_folder_without_records_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasureError, match="no WFDB record"):
        traces.run(tmp_path, "")
    (tmp_path / "bad.hea").write_text("nonsense")
    with pytest.raises(CannotMeasureError, match="no WFDB record"):
        traces.run(tmp_path, "")


def test_without_a_database_the_codecs_are_measured_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path / "set")
    (tmp_path / "bad.hea").write_text("nonsense")
    found = traces.run(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")
    assert list(found) == list(traces.codecs())
    assert list(found[CODEC]) == ["bytes_per_sample", "encode_ns", "decode_ns"]
    assert all(value > 0 for cost in found.values() for value in cost.values())
    said = capsys.readouterr().err
    assert "bad.hea" in said
    assert "A row a sample was not measured" in said


def write_record(folder: Path) -> None:
    folder.mkdir()
    noise = np.random.default_rng(1).integers(-500, 500, (5000, 2))
    leads = {"units": ["mV", "mV"], "sig_name": ["II", "V1"], "adc_gain": [200.0] * 2, "baseline": [0, 0]}
    wfdb.wrsamp("rec", fs=250, d_signal=noise, fmt=["16", "16"], write_dir=str(folder), **leads)
