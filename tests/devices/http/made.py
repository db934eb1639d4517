"""Signals and messages as devices send them: made, not captured; the fixtures are written from these."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import mdc
from schemas.codec import encode
from schemas.records import ECG_KIND, PLETH_KIND, Channel, Packet, Vital
from schemas.units import COUNTS, MILLIVOLT

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "devices"
START_NS = 1_795_860_000_000_000_000  # 2026-11-28T10:00:00Z
RATE, GAIN = 250.0, 400.0
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
# Each wave of a beat: when, s; how wide, s; how high in leads I and II, mV.
_BEAT = ((0.2, 0.025, 0.1, 0.12), (0.36, 0.01, 0.7, 1.1), (0.39, 0.012, -0.15, -0.2), (0.62, 0.045, 0.2, 0.3))


def ecg(lead: int, first: int, count: int) -> NDArray[np.int16]:
    """Lead I (0) or II (1) of a heart that beats 60 times a minute: Gaussians, in steps of 2.5 µV."""
    at_s = ((first + np.arange(count)) / RATE) % 1.0
    mv = sum(wave[2 + lead] * np.exp(-(((at_s - wave[0]) / wave[1]) ** 2) / 2) for wave in _BEAT)
    return np.rint(np.asarray(mv) * GAIN).astype("<i2")


def packet(seq: int, device: str = "dev-1") -> Packet:
    """A second of leads I and II and a pleth at half their rate; nothing is known of its notch filter."""
    first = seq * 250
    leads = [
        Channel(mdc.LEADS[name], ECG_KIND, MILLIVOLT, RATE, GAIN, ecg(i, first, 250), 0.0, 0.05, 40.0)
        for i, name in enumerate(("I", "II"))
    ]
    pleth = Channel(mdc.PLETH, PLETH_KIND, COUNTS, 125.0, 1.0, ecg(0, first, 250)[::2], 2.0, lead_off=True)
    start_ns = START_NS + seq * 1_000_000_000
    return Packet(device, START_NS, seq, first, start_ns, 0, [*leads, pleth], [85])


def form_of(one: Packet, *, as_base64: bool = False) -> dict[str, Any]:
    """A packet as JSON has it."""

    def filters(c: Channel) -> dict[str, float]:
        found = {"high_pass": c.high_pass, "low_pass": c.low_pass, "notch": c.notch}
        return {name: float(hertz) for name, hertz in found.items() if not np.isnan(hertz)}

    def channel(c: Channel) -> dict[str, Any]:
        units = ("mV", "%", "mm[Hg]", "Ohm", "{counts}")
        samples = b64encode(c.samples.astype("<i2").tobytes()).decode() if as_base64 else c.samples.tolist()
        said = {"code": c.code, "rate": c.rate, "gain": c.gain, "offset": c.offset, "unit": units[c.unit]}
        return said | {"lead_off": c.lead_off, "filters": filters(c), "samples": samples}

    plain = ("device", "session", "seq", "first_sample", "pace_marks")
    said = {name: getattr(one, name) for name in plain} | {"start": one.start_ns}
    return said | {"channels": [channel(c) for c in one.channels]}


def vital_form(code: int = mdc.SPO2, value: float | None = 97.0, unit: str = "%") -> dict[str, Any]:
    """A number as JSON has it."""
    return {
        "device": "dev-1",
        "session": "2026-11-28T10:00:00Z",
        "time": "2026-11-28T18:00:01.5+08:00",
        "code": code,
        "value": value,
        "unit": unit,
    }


def framed(records: list[Packet] | list[Vital]) -> bytes:
    """Records behind their lengths."""
    encoded = [encode(record) for record in records]
    return b"".join(len(record).to_bytes(4, "big") + record for record in encoded)


def observation(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An Observation of dev-1; the patient is a pseudonym."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": MDC, "code": str(mdc.ECG)}]},
        "subject": {"identifier": {"value": "P-0001"}},
        "device": {"identifier": {"system": "urn:example:devices", "value": "dev-1"}},
        "effectivePeriod": {"start": "2026-11-28T10:00:00.000Z", "end": "2026-11-28T10:00:01.000Z"},
        "issued": "2026-11-28T10:00:01.250Z",
        **({"component": list(components)} if components else {}),
        **more,
    }


def lead_component(name: str, data: str, **more: Any) -> dict[str, Any]:
    """A component with a lead, in steps of 2.5 µV at 250 Hz."""
    return {
        "code": {"coding": [{"system": MDC, "code": str(mdc.LEADS[name]), "display": f"lead {name}"}]},
        "valueSampledData": {
            "origin": {"value": 0, "system": UCUM, "code": "mV"},
            "interval": 4,
            "intervalUnit": "ms",
            "factor": 0.0025,
            "lowerLimit": -5,
            "upperLimit": 5,
            "dimensions": 1,
            "data": data,
            **more,
        },
    }


def number_component(system: str, code: str, value: float, unit: str) -> dict[str, Any]:
    """A component with a number."""
    quantity = {"value": value, "system": UCUM, "code": unit}
    return {"code": {"coding": [{"system": system, "code": code}]}, "valueQuantity": quantity}


def fixtures() -> dict[str, bytes]:
    """All fixtures by their path."""
    loinc = "http://loinc.org"
    data = [" ".join(str(s) for s in ecg(i, 0, 250)) for i in (0, 1)]
    first, _, rest = data[1].partition(" ")
    r5 = observation(lead_component("I", data[0]), lead_component("II", f"E {rest}"))
    r4 = observation(lead_component("II", f"{first} {rest}", period=4))
    for name in ("interval", "intervalUnit"):
        del r4["component"][0]["valueSampledData"][name]
    pressure = observation(
        number_component(loinc, "8480-6", 121, "mm[Hg]"),
        number_component(loinc, "8462-4", 10.3, "kPa"),
        code={"coding": [{"system": loinc, "code": "85354-9"}]},
    )
    forms = [form_of(packet(0)), form_of(packet(1), as_base64=True)]
    numbers = [
        vital_form(),
        vital_form(mdc.HEART_RATE, 60, "{beats}/min"),
        vital_form(mdc.RESP_RATE, None, "/min"),
    ]

    def text(said: Any) -> bytes:
        return json.dumps(said).encode() + b"\n"

    return {
        "http/packets.json": text({"packets": forms}),
        "http/packets.avro": framed([packet(0), packet(1)]),
        "http/vitals.json": text({"vitals": numbers}),
        "fhir/ecg-r5.json": text(r5),
        "fhir/ecg-r4.json": text(r4),
        "fhir/blood-pressure.json": text(pressure),
    }


if __name__ == "__main__":
    for path, content in fixtures().items():
        (FIXTURES / path).parent.mkdir(parents=True, exist_ok=True)
        (FIXTURES / path).write_bytes(content)
