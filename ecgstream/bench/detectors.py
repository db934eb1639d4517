"""The whole detector chain on real ECG, against NeuroKit2 on the same samples."""

from typing import Any

import numpy as np

from detectors.bank import Bank
from devices.recordings import toy_ecg
from ecgstream.bench.measure import seconds
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet

DEVICES, LEADS, PACKETS, RATE_HZ = 256, 2, 20, 360


def run() -> dict[str, Any]:
    """Return ns a sample and lead of the bank and of NeuroKit2, and their ratio."""
    import neurokit2

    wave = toy_ecg().sessions[0].waves[0]
    bundles = [
        _second(wave.samples[i * RATE_HZ : (i + 1) * RATE_HZ], wave.gain, wave.offset, i)
        for i in range(PACKETS)
    ]
    millivolts = (wave.samples[: PACKETS * RATE_HZ] - wave.offset) / wave.gain

    def bank() -> None:
        fresh = Bank()
        for bundle in bundles:
            fresh.push(bundle)

    def neurokit() -> None:
        neurokit2.ecg_peaks(neurokit2.ecg_clean(millivolts, sampling_rate=RATE_HZ), sampling_rate=RATE_HZ)

    bank()
    taken = seconds({"bank": bank, "neurokit": neurokit})
    ours = taken["bank"] / (DEVICES * LEADS * PACKETS * RATE_HZ) * 1e9
    theirs = taken["neurokit"] / (PACKETS * RATE_HZ) * 1e9
    return {
        "devices": DEVICES,
        "leads": LEADS,
        "bank_ns_per_sample_lead": round(ours, 1),
        "neurokit_ns_per_sample_lead": round(theirs, 1),
        "ratio": round(theirs / ours, 1),
    }


def _second(samples: Any, gain: float, offset: float, seq: int) -> Bundle:
    lead = [Channel(mdc.LEADS[n], 0, 0, RATE_HZ, gain, np.asarray(samples), offset) for n in ("II", "V1")]
    at_ns = seq * 1_000_000_000
    packets = [Packet(f"dev-{d:04d}", 1, seq, seq * RATE_HZ, at_ns, at_ns, lead) for d in range(DEVICES)]
    return Bundle.of("bench", 0, at_ns, packets, [])
