"""What was written into a file comes out of it, and nothing of the patient does."""

import hashlib
import json
import math
import os
import struct
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from devices.errors import MessageError
from devices.files.read import MAX_BYTES, read
from devices.source import Source
from schemas.checks import check_packet
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, Packet
from tests.devices.files import binary, make_fixtures, markup
from tests.devices.files.ecg import FAMILY, GIVEN, IDENTITY, PATIENT_ID, START, START_NS, twelve_leads
from tests.devices.files.scp import Lead, scp
from tests.devices.files.test_damage import edf_with_gaps, small

edfio = pytest.importorskip("edfio")
wfdb = pytest.importorskip("wfdb")
ROME = ZoneInfo("Europe/Rome")


def written(folder: Path, content: bytes, name: str = "file.bin") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def got(path: Path, zone: ZoneInfo | None = None) -> Source:
    return read(path, device="ecg-1", shard=3, zone=zone)


def shown(source: Source) -> dict[str, Any]:
    """A source as the JSON beside a made file says it."""
    return {
        "label": source.label,
        "start_ns": source.start_ns,
        "left_out": list(source.left_out),
        "waves": [
            {
                **{key: getattr(wave, key) for key in ("name", "code", "rate", "gain", "offset")},
                **{
                    key: None if math.isnan(getattr(wave, key)) else getattr(wave, key)
                    for key in ("high_pass", "low_pass", "notch")
                },
                "samples": wave.samples.size,
                "sha256": hashlib.sha256(wave.samples.astype("<i2").tobytes()).hexdigest(),
                "mv_at_320": (int(wave.samples[320]) - wave.offset) / wave.gain,
            }
            for wave in source.sessions[0].waves
        ],
    }


@pytest.mark.parametrize("name", make_fixtures.made())
def test_of_each_made_file_comes_what_its_json_says(name: str) -> None:
    path = make_fixtures.FOLDER / name
    source = got(path)
    assert shown(source) == json.loads(Path(f"{path}.json").read_text())
    assert (source.device, source.shard, source.simulated) == ("ecg-1", 3, False)
    assert all(wave.kind == ECG_KIND for wave in source.sessions[0].waves)


def test_the_made_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    make_fixtures.write(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (make_fixtures.FOLDER / path.name).read_bytes(), path.name
        assert path.stat().st_size < 100_000


@pytest.mark.parametrize("name", make_fixtures.made())
def test_nothing_of_the_patient_comes_along(name: str) -> None:
    content = (make_fixtures.FOLDER / name).read_bytes()
    assert any(word.encode() in content for word in IDENTITY[:3])
    said = repr(got(make_fixtures.FOLDER / name))
    assert not any(word in said for word in IDENTITY)


@pytest.mark.parametrize("name", make_fixtures.made())
def test_what_is_read_can_be_played(name: str) -> None:
    for emission in got(make_fixtures.FOLDER / name).emissions(START_NS):
        assert isinstance(emission.item, Packet)
        check_packet(emission.item)


def test_an_ishne_lead_that_was_off_is_missing(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    ecg.leads["V1"][40:90] = MISSING
    waves = got(written(tmp_path, binary.ishne(ecg))).sessions[0].waves
    np.testing.assert_array_equal(waves[6].samples, ecg.leads["V1"])


def test_a_rate_that_no_packet_can_hold_is_left_out(tmp_path: Path) -> None:
    content = markup.muse(twelve_leads(seconds=1.0)).replace(b"<SampleBase>500", b"<SampleBase>4")
    with pytest.raises(MessageError, match="cannot be meant"):
        got(written(tmp_path, content))


@pytest.mark.parametrize("name", [n for n, file in make_fixtures.made().items() if file.start_ns is None])
def test_a_clock_without_a_zone_tells_the_start_by_the_zone_that_is_given(name: str) -> None:
    source = got(make_fixtures.FOLDER / name, ROME)
    assert source.start_ns == START_NS
    assert not any("start" in reason for reason in source.left_out)


def test_the_format_is_told_by_the_content_whatever_the_name(tmp_path: Path) -> None:
    for name, file in make_fixtures.made().items():
        path = written(tmp_path, file.content, f"{name}.txt")
        assert got(path).label.startswith(f"File: {file.format},")


def test_a_cart_s_own_dicom_file_gives_twelve_leads() -> None:
    """It comes with pydicom; written by a device, its patient replaced."""
    from pydicom.data import get_testdata_file

    source = got(Path(str(get_testdata_file("waveform_ecg.dcm", download=False))), ROME)
    waves = source.sessions[0].waves
    assert [w.name for w in waves] == list(twelve_leads().leads)
    assert {(w.rate, w.gain, w.offset, w.samples.size) for w in waves} == {(1000.0, 800.0, 0.0, 10_000)}
    assert {(w.high_pass, w.low_pass) for w in waves} == {(0.05, 300.0)}
    assert all(math.isnan(w.notch) for w in waves)  # 0 Hz: none
    i, ii, iii = (w.samples.astype(int) for w in waves[:3])
    assert np.abs(ii - i - iii).max() <= 1
    assert source.left_out == ("12 derived leads: median beats, or computed by the device",)
    assert source.start_ns == 1_359_107_959_000_000_000  # 2013-01-25 10:59:19 in Rome


def test_of_edf_with_gaps_what_lies_between_and_what_is_said_to_be_missing_is(tmp_path: Path) -> None:
    ecg = small()
    source = got(written(tmp_path, edf_with_gaps(ecg)))
    waves = {wave.name: wave.samples for wave in source.sessions[0].waves}
    for name, samples in ecg.leads.items():
        whole = np.full(950, MISSING, np.int16)
        whole[:40], whole[940:] = samples[:40], samples[40:]
        if name == "II":
            whole[5:10] = MISSING
        assert np.array_equal(waves[f"ECG {name}"], whole)


@pytest.mark.parametrize(
    ("onset", "said"), [(b"+0.1", "not in order"), (b"+9999999", "268435456 samples"), (b"+nan", "EDF")]
)
def test_edf_whose_records_cannot_be_meant_is_refused(onset: bytes, said: str, tmp_path: Path) -> None:
    content = edf_with_gaps(small()).replace(
        b"+9.4\x14\x14".ljust(11, b"\0"), (onset + b"\x14\x14").ljust(11, b"\0")
    )
    with pytest.raises(MessageError, match=said):
        got(written(tmp_path, content))


def test_dicom_groups_of_other_times_stand_beside_each_other(tmp_path: Path) -> None:
    """As of a cart that records three leads at a time."""
    import pydicom

    ecg = twelve_leads(seconds=1.0)
    first = replace(ecg, leads={k: ecg.leads[k] for k in ("I", "II", "III")})
    second = replace(ecg, leads={k: ecg.leads[k] for k in ("V1", "V2")})
    path = written(tmp_path, binary.dicom(first))
    file = pydicom.dcmread(path)
    file.WaveformSequence = [
        binary.dicom_group(second, offset_ms=1000),
        binary.dicom_group(first, offset_ms=500),
    ]
    file.save_as(path)
    source = got(path)
    assert source.start_ns == START_NS + 500_000_000
    waves = {w.name: w.samples for w in source.sessions[0].waves}
    assert {w.size for w in waves.values()} == {750}
    np.testing.assert_array_equal(waves["V1"][250:], second.leads["V1"])
    np.testing.assert_array_equal(waves["II"][:500], first.leads["II"])
    assert (waves["V1"][:250] == MISSING).all()
    assert (waves["II"][500:] == MISSING).all()


def test_dicom_says_what_is_off_and_what_is_no_signal(tmp_path: Path) -> None:
    import pydicom

    ecg = twelve_leads(seconds=1.0)
    ecg.leads["II"][5] = MISSING
    path = written(tmp_path, binary.dicom(ecg))
    file = pydicom.dcmread(path)
    channels = file.WaveformSequence[0].ChannelDefinitionSequence
    channels[0].ChannelStatus = "DISCONNECTED"
    channels[3].ChannelStatus = ["QUESTIONABLE", "TEST DATA"]
    channels[4].ChannelSensitivity = "-5"
    del channels[5].ChannelSensitivityUnitsSequence
    channels[6].ChannelBaseline = "100"
    file.save_as(path)
    source = got(path)
    waves = {w.name: w for w in source.sessions[0].waves}
    assert waves["I"].off == ((0.0, 1.0),)
    assert waves["II"].samples[5] == MISSING
    assert source.left_out[:2] == (
        "lead 4: the device says that it is no signal to be used",
        "lead 6: the file does not say what its steps are in mV",
    )
    np.testing.assert_array_equal(waves["aVL"].samples, -ecg.leads["aVL"])
    assert (waves["aVL"].gain, waves["V1"].offset) == (200.0, -20.0)


@pytest.mark.parametrize(
    ("code", "meaning", "name"),
    [
        ("2:62", "", "aVR"),
        ("131390", "", "aVR"),
        ("62", "", "aVR"),
        ("5.6.3-9-62", "", "aVR"),
        ("MDC_ECG_LEAD_AVR", "", "aVR"),
        ("local", "Lead aVR (augmented)", "aVR"),
        ("local", "Madeup Neverwas", "lead 1"),
        ("2:9", "Lead V7", "lead 1"),
    ],
)
def test_dicom_names_leads_by_codes_and_else_by_words(
    tmp_path: Path, code: str, meaning: str, name: str
) -> None:
    import pydicom

    path = written(tmp_path, binary.dicom(twelve_leads(seconds=1.0)))
    file = pydicom.dcmread(path)
    [source] = file.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSourceSequence
    source.CodeValue, source.CodeMeaning = code, meaning
    file.save_as(path)
    assert got(path).sessions[0].waves[0].name == name


def test_scp_leads_that_begin_and_end_by_themselves_are_missing_beside(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    ecg = replace(ecg, leads={"I": ecg.leads["I"][:300], "V1": ecg.leads["V1"][:200]})
    content = scp(ecg, leads=[Lead(101, 400, 1), Lead(301, 500, 3)])
    waves = got(written(tmp_path, content)).sessions[0].waves
    assert [w.samples.size for w in waves] == [400, 400]
    np.testing.assert_array_equal(waves[1].samples[200:], ecg.leads["V1"])
    assert (waves[0].samples[300:] == MISSING).all()


@pytest.mark.parametrize("little", [True, False])
def test_mfer_of_both_orders_of_bytes_and_its_missing_samples(tmp_path: Path, little: bool) -> None:
    ecg = twelve_leads(seconds=1.0)
    ecg.leads["V6"][10:20] = MISSING
    waves = got(written(tmp_path, binary.mfer(ecg, little=little))).sessions[0].waves
    np.testing.assert_array_equal(waves[-1].samples, ecg.leads["V6"])


def test_sierra_without_compression(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    waves = got(written(tmp_path, markup.sierra(ecg, compressed=False))).sessions[0].waves
    for wave, samples in zip(waves, ecg.leads.values(), strict=True):
        np.testing.assert_array_equal(wave.samples, samples)


def test_a_rate_that_is_no_whole_number_stays_as_it_is(tmp_path: Path) -> None:
    content = markup.aecg(twelve_leads(seconds=1.0)).replace(
        b'value="0.002" unit="s"', b'value="3" unit="ms"'
    )
    assert got(written(tmp_path, content)).sessions[0].waves[0].rate == pytest.approx(1000 / 3)


def test_samples_that_are_no_whole_numbers_are_left_out(tmp_path: Path) -> None:
    content = markup.aecg(twelve_leads(seconds=1.0)).replace(b"<digits>0 ", b"<digits>0.5 ", 1)
    source = got(written(tmp_path, content))
    assert source.left_out == ("lead 1: its samples are not whole numbers",)
    assert len(source.sessions[0].waves) == 11


def test_a_label_that_is_no_lead_is_not_kept(tmp_path: Path) -> None:
    content = markup.muse(twelve_leads(seconds=1.0)).replace(b"<LeadID>V6<", b"<LeadID>Neverwas<")
    wave = got(written(tmp_path, content)).sessions[0].waves[-1]
    assert (wave.name, wave.code) == ("lead 8", 131328)


def test_muse_says_what_was_off_and_what_it_does_not_explain_is_told(tmp_path: Path) -> None:
    content = markup.muse(twelve_leads(seconds=1.0))
    rhythm = content.rindex(b"<WaveformType>Rhythm")
    later = content[rhythm:].replace(b"<LeadOff>FALSE", b"<LeadOff>TRUE", 1)
    later = later.replace(b"<LeadTimeOffset>0", b"<LeadTimeOffset>250", 2).replace(b"250<", b"0<", 1)
    later = later.replace(b"<FirstSampleBaseline>0", b"<FirstSampleBaseline>7", 1)
    source = got(written(tmp_path, content[:rhythm] + later))
    assert source.sessions[0].waves[0].off == ((0.0, 1.0),)
    assert source.left_out[:2] == (
        "a baseline that the format does not explain is not applied",
        "lead 2: it begins at a time of its own, which the format does not explain",
    )


def test_a_file_whose_checksum_does_not_fit_is_refused(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    for content, at in ((scp(ecg), -100), (binary.ishne(ecg), 300)):
        broken = bytearray(content)
        broken[at] ^= 1
        with pytest.raises(MessageError, match="a checksum does not fit"):
            got(written(tmp_path, bytes(broken)))
    muse = markup.muse(ecg).replace(b"<LeadDataCRC32>", b"<LeadDataCRC32>1", 1)
    with pytest.raises(MessageError, match="a checksum does not fit"):
        got(written(tmp_path, muse))


def test_mfer_frames_with_time_between_are_refused(tmp_path: Path) -> None:
    whole = binary.mfer(twelve_leads(seconds=1.0)).removesuffix(b"\x80\x00")
    again = whole[whole.index(b"\x1e\x84") :]
    assert got(written(tmp_path, whole + again)).duration_s == 2
    later = b"\x07\x04" + struct.pack("<i", 900)
    with pytest.raises(MessageError, match="time between"):
        got(written(tmp_path, whole + later + again))


def test_edf_of_any_name_and_wfdb_by_its_header(tmp_path: Path) -> None:
    samples = twelve_leads(seconds=2.0).leads["II"]
    signal = edfio.EdfSignal.from_digital(
        samples,
        500,
        label="ECG II",
        physical_dimension="mV",
        physical_range=(-5, 5),
        digital_range=(-2048, 2047),
    )
    patient = edfio.Patient(code=PATIENT_ID, name=f"{GIVEN}_{FAMILY}")
    recording = edfio.Recording(startdate=START.date())
    edfio.Edf([signal], patient=patient, recording=recording, starttime=START.time()).write(tmp_path / "one")
    assert FAMILY.encode() in (tmp_path / "one").read_bytes()
    source = got(tmp_path / "one", ROME)
    assert (source.label, source.start_ns) == ("File: EDF, ECG II", START_NS)
    assert not any(word in repr(source) for word in IDENTITY)
    np.testing.assert_array_equal(source.sessions[0].waves[0].samples, samples)
    pleth = np.arange(1000) % 100
    wfdb.wrsamp(
        "two", fs=500, units=["NU", "mV"], sig_name=["PLETH", "II"], fmt=["16", "16"], adc_gain=[1.0, 200.0],
        baseline=[0, 0], d_signal=np.stack([pleth, samples.astype(int)], 1), write_dir=str(tmp_path),
        base_date=START.date(), base_time=START.time(),
    )  # fmt: skip
    source = got(tmp_path / "two.hea", ROME)
    assert source.start_ns == START_NS
    assert [w.kind for w in source.sessions[0].waves] == [ECG_KIND, PLETH_KIND]


def test_bdf_has_a_start_only_where_its_date_is_not_hidden(tmp_path: Path) -> None:
    samples = twelve_leads(seconds=2.0).leads["II"].astype(np.int32)
    signal = edfio.BdfSignal.from_digital(
        samples, 500, label="ECG II", physical_dimension="uV", physical_range=(-8e6, 8e6)
    )
    edfio.Bdf([signal]).write(tmp_path / "hidden.bdf")
    source = got(tmp_path / "hidden.bdf", ROME)
    assert (source.label, source.start_ns, source.left_out) == ("File: BDF, ECG II", None, ())
    np.testing.assert_array_equal(source.sessions[0].waves[0].samples, samples)


def test_what_is_no_file_of_an_ecg_is_refused_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "Neverwas").mkdir()
    os.mkfifo(tmp_path / "Neverwas.fifo")
    written(tmp_path, b"an ECG of Madeup Neverwas", "Neverwas.txt")
    written(tmp_path, b"", "Neverwas.empty")
    with (tmp_path / "Neverwas.large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for name in ("", ".fifo", ".txt", ".empty", ".large", ".absent"):
        with pytest.raises(MessageError) as refusal:
            got(tmp_path / f"Neverwas{name}")
        assert "Neverwas" not in str(refusal.value)


def test_dicom_that_is_no_ecg_is_refused(tmp_path: Path) -> None:
    hemodynamic = binary.dicom(twelve_leads(seconds=1.0), sop_class="1.2.840.10008.5.1.4.1.1.9.2.1")
    with pytest.raises(MessageError, match="SOP class"):
        got(written(tmp_path, hemodynamic))


def test_utc_is_a_zone_as_others(tmp_path: Path) -> None:
    source = read(written(tmp_path, binary.ishne(twelve_leads(seconds=1.0))), device="d", shard=0, zone=UTC)
    assert source.start_ns == START_NS + 2 * 3600 * 10**9
