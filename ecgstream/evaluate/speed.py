"""How long the detectors take for a sample of a lead: the whole chain, in a bank of many devices.

The devices play real recordings from memory, a bundle of all of them each second, on one thread: a worker's
detectors without what is around them (Kafka, decoding, writing).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from statistics import median
from types import MappingProxyType

from detectors.bank import Bank
from devices import recordings
from devices.source import NS, PACKET_S, Session, Source
from ecgstream.evaluate.others import Detector, at_work, millivolts
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Packet

DEVICES, LEADS = 256, 2
PART_S = 60.0
TURNS = 3
START_NS = 1_700_000_000 * NS
BANK = "ecgstream"


def ns_a_sample(paths: Sequence[Path]) -> float:
    """Return the processor time a sample and lead on the first minute of recordings, ns.

    Raises:
        devices.errors.RecordingError: one cannot be read.
    """
    sources = [leads_of(recordings.read(path, limit_s=PART_S)) for path in paths]
    return round(median(turns(sources)[BANK]), 1)


def leads_of(source: Source) -> Source:
    """Return a recording with its first two ECG leads only."""
    (session,) = source.sessions
    waves = [wave for wave in session.waves if wave.kind == ECG_KIND]
    return replace(source, sessions=(Session(tuple(waves[:LEADS])),))


def turns(
    sources: Sequence[Source],
    against: Mapping[str, Detector] = MappingProxyType({}),
    devices: int = DEVICES,
    n: int = TURNS,
) -> dict[str, list[float]]:
    """Return the processor time a sample and lead in each of n turns, ns, by who takes it.

    Args:
        sources: recordings of one session with ECG leads only.
        against: other detectors, which are given each lead whole.
        devices: how many in the bank; it is a new one each turn.
        n: how many turns; one more, for the caches, does not count.
    """
    bundles = list(ward(sources, devices))
    leads = [(millivolts(w), w.rate) for source in sources for w in source.sessions[0].waves]
    in_bank = sum(bundle.sample.size for bundle in bundles)
    in_leads = sum(lead.size for lead, _ in leads)

    def others(detector: Detector) -> None:
        for lead, rate in leads:
            at_work(detector, lead, rate)

    Bank().warm_up()
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(n + 1):
        found = {BANK: _cpu_s(lambda: feed(bundles)) / in_bank}
        for name, detector in against.items():
            found[name] = _cpu_s(partial(others, detector)) / in_leads
        for name, seconds in found.items() if turn else ():
            taken[name].append(seconds * 1e9)
    return dict(taken)


def ward(sources: Sequence[Source], devices: int) -> Iterator[Bundle]:
    """Yield what so many devices measure, second by second; recordings repeat until there are enough."""
    played = [
        replace(sources[n % len(sources)], device=f"bench-{n:04}").emissions(START_NS) for n in range(devices)
    ]
    for second, emitted in enumerate(zip_longest(*played), 1):
        packets = [one.item for one in emitted if one is not None and isinstance(one.item, Packet)]
        yield Bundle.of("bench", 0, START_NS + round(second * PACKET_S * NS), packets, [])


def feed(bundles: Sequence[Bundle]) -> None:
    """Give bundles to a new bank, one call each."""
    bank = Bank()
    for bundle in bundles:
        bank.push(bundle)


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
