"""XML files of ECG devices: HL7's annotated ECG, and such as GE's MUSE and Philips' carts write."""

import base64
import zlib
from datetime import timedelta
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from tests.devices.files.ecg import FAMILY, GIVEN, PATIENT_ID, Ecg


def aecg(ecg: Ecg, *, zone: str = "+0200", lost: int = 0) -> bytes:
    """ANSI/HL7 V3 ECG, R1-2004 (PORT_MT020001): a rhythm series whose time is absolute.

    Where samples in its midst are ``lost``, there is a sequence set on either side.
    """
    start = ecg.start.strftime("%Y%m%d%H%M%S.000") + zone
    edges = (0, ecg.size // 2, ecg.size // 2 + lost, ecg.size) if lost else (0, ecg.size)
    sets = "".join(_sequence_set(ecg, *edge, zone) for edge in zip(edges[::2], edges[1::2], strict=True))
    filters = "".join(
        f'<controlVariable><controlVariable><code code="MDC_ECG_CTL_VBL_ATTR_FILTER_{kind}"/><component>'
        f'<controlVariable><code code="MDC_ECG_CTL_VBL_ATTR_FILTER_{what}"/>'
        f'<value xsi:type="PQ" value="{hz}" unit="Hz"/></controlVariable></component></controlVariable>'
        "</controlVariable>\n"
        for kind, what, hz in (
            ("HIGH_PASS", "CUTOFF_FREQ", "0.05"),
            ("LOW_PASS", "CUTOFF_FREQ", "150"),
            ("NOTCH", "NOTCH_FREQ", "50"),
        )
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">
<id root="2.25.1234567890.3"/>
<code code="93000" codeSystem="2.16.840.1.113883.6.12"/>
<effectiveTime><low value="{start}"/></effectiveTime>
<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
<id root="2.25.1234567890" extension={quoteattr(PATIENT_ID)}/>
<subjectDemographicPerson><name><given>{GIVEN}</given><family>{FAMILY}</family></name>
<birthTime value="19010203"/></subjectDemographicPerson>
</trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>
<component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>
<effectiveTime><low value="{start}"/></effectiveTime>
{filters}{sets}</series></component>
</AnnotatedECG>
""".encode()


def _sequence_set(ecg: Ecg, first: int, end: int, zone: str) -> str:
    at = ecg.start + timedelta(seconds=first / ecg.rate)
    head = f"{at:%Y%m%d%H%M%S}.{at.microsecond // 1000:03d}{zone}"
    leads = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name.upper()}" codeSystem="2.16.840.1.113883.6.24"/>'
        f'<value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/><scale value="{ecg.step_uv}" unit="uV"/>'
        f"<digits>{' '.join(map(str, samples[first:end]))}</digits></value></sequence></component>\n"
        for name, samples in ecg.leads.items()
    )
    return f"""<component><sequenceSet>
<component><sequence><code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>
<value xsi:type="GLIST_TS"><head value="{head}"/><increment value="{1 / ecg.rate}" unit="s"/></value>
</sequence></component>
{leads}</sequenceSet></component>"""


def muse(ecg: Ecg) -> bytes:
    """Eight leads as RestingECG: the other four follow from I and II, and are left to who reads it."""
    stored = {k: v for k, v in ecg.leads.items() if k in ("I", "II") or k.startswith("V")}
    median = {k: v[: ecg.rate] for k, v in stored.items()}
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG>
<MuseInfo><MuseVersion>9.0.9.18167</MuseVersion></MuseInfo>
<PatientDemographics><PatientID>{PATIENT_ID}</PatientID><DateofBirth>02-03-1901</DateofBirth>
<PatientLastName>{FAMILY}</PatientLastName><PatientFirstName>{GIVEN}</PatientFirstName></PatientDemographics>
<TestDemographics><DataType>RESTING</DataType>
<AcquisitionTime>{ecg.start:%H:%M:%S}</AcquisitionTime>
<AcquisitionDate>{ecg.start:%m-%d-%Y}</AcquisitionDate></TestDemographics>
{_muse_waveform("Median", median, ecg)}{_muse_waveform("Rhythm", stored, ecg)}</RestingECG>
""".encode("latin-1")


def _muse_waveform(kind: str, leads: dict[str, NDArray[np.int16]], ecg: Ecg) -> str:
    found = []
    for name, samples in leads.items():
        raw = samples.astype("<i2").tobytes()
        found.append(
            f"<LeadData><LeadByteCountTotal>{len(raw)}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>"
            f"<LeadSampleCountTotal>{samples.size}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{ecg.step_uv}</LeadAmplitudeUnitsPerBit>"
            "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
            f"<LeadID>{name}</LeadID><LeadOffsetFirstSample>0</LeadOffsetFirstSample>"
            "<FirstSampleBaseline>0</FirstSampleBaseline><LeadSampleSize>2</LeadSampleSize>"
            f"<LeadOff>FALSE</LeadOff><LeadDataCRC32>{zlib.crc32(raw)}</LeadDataCRC32>"
            f"<WaveFormData>{base64.b64encode(raw).decode()}</WaveFormData></LeadData>\n"
        )
    return (
        f"<Waveform><WaveformType>{kind}</WaveformType><NumberofLeads>{len(leads)}</NumberofLeads>"
        f"<SampleType>CONTINUOUS_SAMPLES</SampleType><SampleBase>{ecg.rate}</SampleBase>"
        "<SampleExponent>0</SampleExponent><HighPassFilter>16</HighPassFilter>"
        f"<LowPassFilter>150</LowPassFilter><ACFilter>50</ACFilter>\n{''.join(found)}</Waveform>\n"
    )


def sierra(ecg: Ecg, *, compressed: bool = True) -> bytes:
    """Philips' restingecgdata, 1.04: twelve leads in one text, in XLI or as they are."""
    packed = (
        _xli(list(ecg.leads.values()))
        if compressed
        else b"".join(s.astype("<i2").tobytes() for s in ecg.leads.values())
    )
    how = 'compressflag="True" compression="XLI"' if compressed else 'compressflag="False"'
    text = base64.b64encode(packed).decode()
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<restingecgdata xmlns="http://www3.medical.philips.com">
<documentinfo><documentname>made</documentname><documenttype>PhilipsECG</documenttype>
<documentversion>1.04</documentversion></documentinfo>
<dataacquisition date="{ecg.start:%Y-%m-%d}" time="{ecg.start:%H:%M:%S}">
<signalcharacteristics><samplingrate>{ecg.rate}</samplingrate><resolution>{ecg.step_uv}</resolution>
<acquisitiontype>STD-12</acquisitiontype><numberchannelsallocated>{len(ecg.leads)}</numberchannelsallocated>
<hipass>0.05</hipass><lowpass>150</lowpass><notchfiltered>True</notchfiltered>
<notchfilterfreqs>50</notchfilterfreqs></signalcharacteristics></dataacquisition>
<patient><generalpatientdata><patientid>{PATIENT_ID}</patientid><name><lastname>{FAMILY}</lastname>
<firstname>{GIVEN}</firstname></name><age><dateofbirth>1901-02-03</dateofbirth></age></generalpatientdata>
</patient>
<waveforms><parsedwaveforms dataencoding="Base64" {how} samplespersecond="{ecg.rate}"
 durationperchannel="{ecg.size * 1000 // ecg.rate}" numberofleads="{len(ecg.leads)}"
 leadlabels="{" ".join(ecg.leads)}">
{text}
</parsedwaveforms></waveforms>
</restingecgdata>
""".encode()


def _xli(leads: list[NDArray[np.int16]]) -> bytes:
    """Each lead by itself: differences from a line, high bytes before low ones, in 10-bit codes of LZW."""
    i, ii, iii, avr, avl, avf, *chest = [s.astype(np.int64) for s in leads]
    residuals = [
        i,
        ii,
        ii - i - iii,
        -avr - (i + ii) // 2,
        (i - iii) // 2 - avl,
        (ii + iii) // 2 - avf,
        *chest,
    ]
    return b"".join(_xli_lead(x) for x in residuals)


def _xli_lead(x: NDArray[np.int64]) -> bytes:
    bends = 2 * x[1:-1] - x[:-2] - x[2:]  # of samples 1 to n - 2
    words = np.concatenate([x[:2], bends[1:] + 64, [64]]).astype(">i2").view(np.uint8).reshape(-1, 2)
    codes = "".join(f"{byte:010b}" for byte in words.T.ravel())  # letters alone: LZW that looks nothing up
    codes += "1" * (-len(codes) % 8)
    packed = int("1" + codes, 2).to_bytes(len(codes) // 8 + 1, "big")[1:]
    return (
        len(packed).to_bytes(4, "little")
        + b"\0\0"
        + int(bends[0]).to_bytes(2, "little", signed=True)
        + packed
    )
