"""What is written in a format comes back to the bit: by another reader, and by our own import."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.files.read import read
from ecgstream.exchange import aecg, dicom, edf, wfdb
from ecgstream.exchange.codes import lead_term
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import NS, Recording, Segment
from schemas.records import ECG_KIND, MISSING
from tests.ecgstream.exchange import made
from tests.ecgstream.exchange.readers import Annotation, aecg_samples, annotations, dicom_samples, parsed

FORMATS = {"wfdb": wfdb, "edf": edf, "dicom": dicom, "aecg": aecg}


def written(name: str, recording: Recording, folder: Path) -> list[Path]:
    """The files that a person would open: of WFDB the header of each record."""
    files = FORMATS[name].write(recording, folder)
    suffix = FORMATS[name].SUFFIX
    return [f for f in files if f.suffix == suffix and "_" not in f.stem]


def read_back(path: Path, segment: Segment) -> list[np.ndarray]:
    """Samples of each lead by the other reader, missing ones as ``MISSING``."""
    if path.suffix == ".dcm":
        return list(dicom_samples(path, sum(lead.kind == ECG_KIND for lead in segment.leads)).T)
    if path.suffix == ".xml":
        _, found = aecg_samples(path, segment.leads[0].rate)
        of_lead = [found[lead_term(lead).removeprefix("MDC_ECG_LEAD_")] for lead in segment.leads]
        return [np.nan_to_num(samples, nan=MISSING).astype(np.int16) for samples in of_lead]
    return [np.nan_to_num(lead.samples, nan=MISSING).astype(np.int16) for lead in parsed(path).leads]


def imported(path: Path) -> list[np.ndarray]:
    source = read(path, device="d", shard=0, zone=UTC)
    assert source.start_ns == made.START_NS
    return [wave.samples for wave in source.sessions[0].waves]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("leads", [made.TWELVE, ("II", "ECG")])
def test_samples_scale_and_start_come_back(name: str, leads: tuple[str, ...], tmp_path: Path) -> None:
    segment = made.segment(tuple(made.lead(lead, gain=204.918, offset=12) for lead in leads))
    (path,) = written(name, made.recording(segment), tmp_path)
    for found in (read_back(path, segment), imported(path)):
        for number, samples in enumerate(found):
            assert np.array_equal(samples[: segment.frames], segment.lead(number))
            assert (samples[segment.frames :] == MISSING).all()
    source = read(path, device="d", shard=0, zone=UTC)
    assert not source.left_out
    for wave, lead in zip(source.sessions[0].waves, segment.leads, strict=True):
        assert (wave.code, wave.rate) == (lead.code, lead.rate)
        extremes = np.array([-32767.0, 32767.0])
        off = (extremes - wave.offset) / wave.gain * lead.gain + lead.offset - extremes
        assert np.abs(off).max() < {"edf": 0.5}.get(name, 1e-6)


def test_the_other_readers_say_the_same_scale_and_start(tmp_path: Path) -> None:
    segment = made.segment((made.lead("II", gain=200.0, offset=-5),))
    for name in ("wfdb", "edf", "aecg"):
        (path,) = written(name, made.recording(segment), tmp_path)
        found = parsed(path)
        lead = found.leads[0]
        to_mv = {"mV": 1.0, "uV": 1e-3, "\N{MICRO SIGN}V": 1e-3}[lead.resolution_unit]
        assert lead.resolution * to_mv == pytest.approx(1 / 200, rel=1e-6)
        assert lead.offset * to_mv == pytest.approx(5 / 200, abs=1e-4)
        start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=made.START_NS // 1000)
        assert found.recording.date.replace(tzinfo=UTC) == start
        assert lead.sampling_rate == 250


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_missing_stays_missing(name: str, tmp_path: Path) -> None:
    segment = made.segment()
    segment.samples[100:731, 0] = MISSING  # a lead
    segment.samples[1000:1500] = MISSING  # both
    (path,) = written(name, made.recording(segment), tmp_path)
    for number, samples in enumerate(imported(path)):
        assert np.array_equal(samples[: segment.frames], segment.lead(number))
    for number, samples in enumerate(read_back(path, segment)):
        assert np.array_equal(samples[: segment.frames], segment.lead(number))


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["wfdb", "edf", "dicom"]),  # aECG leaves out what is missing at either end
    rate=st.sampled_from([100.0, 128.0, 250.0, 360.0, 62.5, 500.0]),
    frames=st.integers(1, 2000),
    runs=st.lists(st.tuples(st.integers(0, 1999), st.integers(1, 300), st.integers(0, 1)), max_size=4),
    seed=st.integers(0, 99),
)
def test_any_segment_comes_back_by_import(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    rate: float,
    frames: int,
    runs: list[tuple[int, int, int]],
    seed: int,
) -> None:
    leads = (made.lead("II", rate), made.lead("V5", rate, gain=1000.0))
    segment = made.segment(leads, seconds=frames / rate, rate_hz=rate, seed=seed)
    for first, count, column in runs:
        segment.samples[first : first + count, column] = MISSING
    (path,) = written(name, made.recording(segment), tmp_path_factory.mktemp(name))
    for number, samples in enumerate(imported(path)):
        assert np.array_equal(samples[:frames], segment.lead(number))


@pytest.mark.parametrize("name", ["wfdb", "edf", "aecg"])
def test_a_time_without_signal_is_stored_as_nothing(name: str, tmp_path: Path) -> None:
    one, other = made.segment(), made.segment(seed=2, start_ns=made.START_NS + 100 * NS)
    (path,) = written(name, made.recording(one, other), tmp_path)
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size < {"aecg": 120_000}.get(name, 40_000)  # both segments have 24,800 bytes of samples
    for number, samples in enumerate(imported(path)):
        whole = np.full(samples.size, MISSING, np.int16)
        whole[: one.frames] = one.lead(number)
        whole[25_000 : 25_000 + other.frames] = other.lead(number)
        assert np.array_equal(samples, whole)
    if name != "edf":
        assert np.array_equal(read_back(path, one)[1], whole)
    else:  # between data records
        found = parsed(path)
        records = found.leads[1].samples.reshape(-1, 250)
        onsets = np.array(found.raw_metadata["record_onsets"])
        assert np.allclose(onsets, [*np.arange(13), *(100 + np.arange(13))] + 0.123456 * np.ones(26))
        assert np.array_equal(records[:13].reshape(-1)[: one.frames], one.lead(1))
        assert np.array_equal(records[13:].reshape(-1)[: other.frames], other.lead(1))


def test_of_dicom_which_has_one_stretch_a_file_there_are_several(tmp_path: Path) -> None:
    segments = [made.segment(seed=n, start_ns=made.START_NS + n * 100 * NS) for n in range(2)]
    files = written("dicom", made.recording(*segments), tmp_path)
    assert [f.stem for f in files] == ["ecg-1", "ecg-2"]
    for path, segment in zip(files, segments, strict=True):
        assert all(np.array_equal(a, segment.lead(i)) for i, a in enumerate(read_back(path, segment)))
    first, second = (pydicom.dcmread(path) for path in files)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize("name", FORMATS)
def test_where_leads_change_in_scale_rate_or_number_a_file_begins(name: str, tmp_path: Path) -> None:
    segments = [
        made.segment((made.lead("II"), made.lead("V1"))),
        made.segment((made.lead("II", gain=400.0),), seed=2, start_ns=made.START_NS + 60 * NS),
        made.segment((made.lead("II", 500.0),), rate_hz=500.0, seed=3, start_ns=made.START_NS + 120 * NS),
    ]
    files = written(name, made.recording(*segments), tmp_path)
    for path, segment in zip(files, segments, strict=True):
        found = read_back(path, segment)
        assert len(found) == len(segment.leads)
        assert all(np.array_equal(a[: segment.frames], segment.lead(i)) for i, a in enumerate(found))


def test_waves_of_other_rates_stand_beside_the_ecg_or_are_left_out(tmp_path: Path) -> None:
    segment = made.segment((made.lead("II"), made.lead("V1"), made.pleth()), rate_hz=125.0)
    for name in FORMATS:
        (path,) = written(name, made.recording(segment), tmp_path)
        found = imported(path)
        assert len(found) == (3 if name in ("wfdb", "edf") else 2)
        for number, samples in enumerate(found):
            assert np.array_equal(samples[: segment.lead(number).size], segment.lead(number))


def test_wfdb_annotations_by_its_specification(tmp_path: Path) -> None:
    segment = made.segment()
    segment.samples[500:600, 1] = MISSING
    other = made.segment(seed=2, start_ns=made.START_NS + 1000 * NS)
    wfdb.write(made.recording(segment, other), tmp_path)
    clock, *found = annotations(tmp_path / "ecg.det")
    assert clock.text == "## time resolution: 250"
    beats = [one for one in found if one.symbol in "NSVFQ/"]
    letters = [chr(code) for code in segment.beat_code]
    assert [b.symbol for b in beats] == letters * 2
    samples = segment.beat_sample.tolist()
    assert [b.sample for b in beats] == samples + [250_000 + sample for sample in samples]
    assert [(a.sample, a.text) for a in found if a.symbol == "+"][:4] == [
        (0, "(N"),
        (1250, "(AFIB"),
        (2000, "(NOISE"),
        (2375, "(N"),
    ]
    assert Annotation(1250, '"', "ATRIAL_FIBRILLATION") in found
    assert [a for a in found if a.symbol == "~"][:4] == [
        Annotation(500, "~", "V1 missing", -1),
        Annotation(600, "~", "V1 again"),
        Annotation(2000, "~", "", -1),
        Annotation(2375, "~"),
    ]


def test_edf_annotations_by_the_other_reader(tmp_path: Path) -> None:
    segment = made.segment()
    segment.samples[500:600, 1] = MISSING
    edf.write(made.recording(segment), tmp_path)
    found = parsed(tmp_path / "ecg.edf").raw_metadata["edf_annotations"]
    told = {(round(e["onset"] - 0.123456, 9), e["duration"], e["text"]) for e in found}
    assert {(0.4 + n, None, f"Beat {'NSVFQ/'[n % 6]}") for n in range(12)} == {
        (round(at, 9), long, text) for at, long, text in told if text.startswith("Beat")
    }
    assert (5.0, None, "Rhythm AFIB") in told
    assert (5.0, 3.0, "Condition ATRIAL_FIBRILLATION") in told
    assert (2.0, 0.4, "Signal missing@@ECG V1") in told
    assert (0.0, None, "subject: P-ABCDEFGHIJ") in told


@pytest.mark.parametrize("name", FORMATS)
def test_words_of_any_script_are_in_it_or_escaped(name: str, tmp_path: Path) -> None:
    leads = (replace(made.lead("II"), name="导联Ⅱ 😀"), replace(made.lead("V1"), name="قيادة é"))
    recording = made.recording(made.segment(leads), subject="病例-7", comments=("حالة: 心电图 😀\r\nصوت",))
    (path,) = written(name, recording, tmp_path)
    segment = recording.segments[0]
    for number, samples in enumerate(read_back(path, segment)):
        assert np.array_equal(samples[: segment.frames], segment.lead(number))
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert (rb"\u75c5\u4f8b-7" if name in ("wfdb", "edf") else "病例-7".encode()) in content
    assert (rb"\u5fc3\u7535\u56fe \U0001f600" if name == "wfdb" else "心电图 😀".encode()) in content
    if name == "wfdb":
        assert all(line.isascii() for line in path.read_text("utf-8").splitlines())


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_of_no_beats_and_one_sample_is_written_too(name: str, tmp_path: Path) -> None:
    bare = made.segment(seconds=1 / 250)
    (path,) = written(name, made.recording(replace(bare, rhythms=(), conditions=())), tmp_path)
    assert all(np.array_equal(a[:1], bare.lead(i)) for i, a in enumerate(read_back(path, bare)))


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    def refused(name: str, segment: Segment, said: str) -> None:
        with pytest.raises(ExchangeError, match=said):
            FORMATS[name].write(made.recording(segment), tmp_path)

    refused("edf", made.segment((made.lead("II", offset=1e9),)), "eight characters")
    refused("wfdb", made.segment((made.lead("II", offset=1e10),)), "too far off")
    refused("dicom", made.segment((made.pleth(),), rate_hz=125.0), "use wfdb or edf")
    two = (made.lead("II"), made.lead("V1", 500.0))
    refused("aecg", made.segment(two), "several rates")
    with pytest.raises(ExchangeError, match="letters"):
        wfdb.write(made.recording(made.segment()), tmp_path, "../out")
