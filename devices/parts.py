"""What a bundle holds of each device: its parts, told apart, kept as text, and taken out."""

import json
from collections.abc import Container, Iterable

import numpy as np

from devices.backlog import Numbers, Part, Run
from schemas.bundle import Bundle


def parts_of(bundle: Bundle) -> list[Part]:
    """Return the parts of a bundle, in the order of its devices."""
    runs: list[list[Run]] = [[] for _ in bundle.devices]
    numbers: list[list[Numbers]] = [[] for _ in bundle.devices]
    packet, channel, vital = bundle.packet, bundle.channel, bundle.vital
    first = np.add.accumulate(packet.channels, dtype=np.int64) - packet.channels
    rate = channel.rate[first]
    begin_s = packet.first_sample / rate
    end_s = begin_s + channel.samples[first] / rate
    rows = (packet.device, packet.session, packet.seq, packet.first_sample, begin_s, end_s)
    for device, session, seq, sample, begin, end in zip(*(r.tolist() for r in rows), strict=True):
        have = runs[device]
        if have and have[-1].session == session:
            before = have[-1]
            seqs = (min(before.first_seq, seq), max(before.last_seq, seq))
            have[-1] = Run(session, before.packets + 1, *seqs, before.first_sample, before.begin_s, end)
        else:
            have.append(Run(session, 1, seq, seq, sample, begin, end))
    told = (vital.device, vital.session, vital.time_ns, vital.code)
    for device, session, time_ns, code in zip(*(r.tolist() for r in told), strict=True):
        known = numbers[device]
        if known and known[-1].session == session:
            known[-1] = Numbers(session, known[-1].vitals + 1, time_ns, code)
        else:
            known.append(Numbers(session, 1, time_ns, code))
    return [Part(name, tuple(r), tuple(n)) for name, r, n in zip(bundle.devices, runs, numbers, strict=True)]


def to_text(parts: Iterable[Part]) -> str:
    """Return parts as JSON.

    >>> to_text([Part("d", (Run(7, 1, 0, 0, 0, 0.0, 1.0),), ())])
    '[["d",[[7,1,0,0,0,0.0,1.0]],[]]]'
    """
    return json.dumps(list(parts), separators=(",", ":"))


def from_text(text: str) -> list[Part]:
    """Return what ``to_text`` was given."""
    return [
        Part(device, tuple(Run(*r) for r in runs), tuple(Numbers(*n) for n in numbers))
        for device, runs, numbers in json.loads(text)
    ]


def only(bundle: Bundle, devices: Container[str]) -> Bundle:
    """Return the bundle of these devices' packets and numbers alone, each as it was."""
    packets = [p for p in bundle.packets() if p.device in devices]
    vitals = [v for v in bundle.vitals() if v.device in devices]
    return Bundle.of(bundle.gateway, bundle.shard, bundle.created_ns, packets, vitals)
