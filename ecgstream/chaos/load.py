"""What is played: the demo's devices behind several gateways, with the reboots and bursts of a schedule.

A far gateway plays too, which is out of Kafka's reach for five minutes of signal: its devices have trouble
before, in and behind that time.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from devices.recordings import TOY_DEVICE, toy_ecg
from devices.simulator import WARD, Bed, simulate
from devices.source import PACKET_S, Emission, Session, Source, Span
from devices.trouble import Kind as TroubleKind
from devices.trouble import Trouble
from ecgstream.chaos.schedule import Cast, Kind, Pace, Round

SIGNAL_S = 400.0
PACE = Pace(SIGNAL_S, speed=2.0)
START_NS = 1_790_000_000_000_000_000
PARTITIONS = 4
FAR = "gw-far"
AWAY_S: Span = (40.0, 340.0)
"""When the far gateway is out of reach, s of signal."""
_REBOOT_S = 5.0
_TOY_AGAIN_S = 303.0

_FAR_BEDS = (
    Bed(
        9,
        ("II", "V1"),
        250,
        200,
        68,
        15,
        (Trouble(TroubleKind.ASYSTOLE, 120, 133), Trouble(TroubleKind.VT, 306, 318)),
    ),
    Bed(10, ("II",), 125, 200, 74, 17, (Trouble(TroubleKind.SPO2_FALL, 200, SIGNAL_S),), pleth=True),
)
_BEDS = {bed.device: bed for bed in (*WARD, *_FAR_BEDS)}

# So that a partition has devices of several gateways, and a gateway devices in several partitions.
_SHARDS = {
    "gw-1": {TOY_DEVICE: 0, "sim-02": 1, "sim-03": 2},
    "gw-2": {"sim-04": 3, "sim-05": 0, "sim-06": 1},
    "gw-3": {"sim-07": 2, "sim-08": 3},
    FAR: {"sim-09": 0, "sim-10": 3},
}
GATEWAYS: dict[str, tuple[str, ...]] = {gateway: tuple(shards) for gateway, shards in _SHARDS.items()}
DEVICES = {device: shard for shards in _SHARDS.values() for device, shard in shards.items()}
"""Device to shard."""
FAR_DEVICES = GATEWAYS[FAR]
CAST = Cast(
    gateways=tuple(g for g in GATEWAYS if g != FAR),
    # Not those whose own script has reboots.
    devices=("sim-02", "sim-03", "sim-04", "sim-05", "sim-06", "sim-07"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Bursting(Source):
    """A source whose packets are held back in some spans, s of signal, and leave at once at their ends."""

    held: tuple[Span, ...] = ()

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:
        """See ``Source``."""
        for emission in Source.emissions(self, start_ns, packet_s):
            end_s = next((end for begin, end in self.held if begin <= emission.at_s < end), emission.at_s)
            yield Emission(end_s, emission.item)


def sources(gateway: str, played: Round) -> list[Source]:
    """Return what a gateway plays in a round; for the same round it is the same."""
    held = tuple(
        (f.at_s * PACE.speed, f.end_s * PACE.speed) for f in played.of(Kind.BURST) if f.target == gateway
    )
    found = [_source(device, shard, played) for device, shard in _SHARDS[gateway].items()]
    return [Bursting(**{f.name: getattr(s, f.name) for f in fields(Source)}, held=held) for s in found]


def _source(device: str, shard: int, played: Round) -> Source:
    if device == TOY_DEVICE:
        return _toy(shard)
    reboots = [
        Trouble(TroubleKind.REBOOT, f.at_s * PACE.speed, f.at_s * PACE.speed + _REBOOT_S)
        for f in played.of(Kind.REBOOT)
        if f.target == device
    ]
    bed = _BEDS[device]
    script = tuple(sorted((*bed.script, *reboots), key=lambda trouble: trouble.begin_s))
    return simulate(replace(bed, script=script), duration_s=SIGNAL_S, shard=shard, seed=played.seed)


def _toy(shard: int) -> Source:
    """Return the real ECG; it is five minutes long, so the device then starts anew and measures it again."""
    source = toy_ecg(shard=shard)
    (whole,) = source.sessions
    rest_s = SIGNAL_S - _TOY_AGAIN_S
    again = [replace(w, samples=w.samples[: round(rest_s * w.rate)]) for w in whole.waves]
    return replace(source, sessions=(whole, Session(tuple(again), start_s=_TOY_AGAIN_S)))


def write(folder: Path, played: Mapping[str, Sequence[Source]]) -> dict[str, Path]:
    """Write what each gateway plays to a file, so that one that was killed begins again at once."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {gateway: folder / f"{gateway}.reel" for gateway in played}
    for gateway, file in files.items():
        file.write_bytes(pickle.dumps(played[gateway]))
    return files


def read(file: Path) -> Sequence[Source]:
    """Return what ``write`` wrote for a gateway."""
    found: Sequence[Source] = pickle.loads(file.read_bytes())  # noqa: S301 - our own, of this run
    return found
