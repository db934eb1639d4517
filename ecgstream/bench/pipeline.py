"""The whole pipeline under load: what a worker takes, beside the detectors alone and what people write today.

All in one run on one machine, with a real broker. The measure is the CPU of the process, not the wall clock:
machines are shared. That on which a bar rests is done a few times, and the best counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import detectors
from ecgstream.bench import baselines, kafka, latency, profile, sink, throughput
from ecgstream.bench.load import Load
from ecgstream.bench.throughput import OfWorker, Rate
from ecgstream.settings import Settings
from schemas import topics

NEUROKIT_DEVICES = 60
"""NeuroKit2's cost does not depend on how many there are."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything is measured; a test takes little."""

    device_seconds: int = 30_000
    of_records: int = 10_000
    of_neurokit: int = 300
    turns: int = 2  # of that on which a bar rests
    latency_devices: int = latency.DEVICES
    latency_s: int = latency.MEASURED_S


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured with so many devices and gateways."""

    devices: int
    gateways: int
    bank: Rate
    worker: OfWorker
    per_record: Rate
    neurokit: Rate

    def as_json(self) -> dict[str, Any]:
        """Return device-seconds a second of a core, and what else was seen."""
        rates = {
            "worker": self.worker.rate,
            "bank": self.bank,
            "per_record": self.per_record,
            "neurokit": self.neurokit,
        }
        return {
            "devices": self.devices,
            "gateways": self.gateways,
            **{name: round(rate.a_core) for name, rate in rates.items()},
            **{f"{name}_us": round(rate.us, 1) for name, rate in rates.items()},
            "snapshots_a_device_second": round(self.worker.snapshots, 3),
            "worker_mb": round(self.worker.rss / 1e6),
        }


def run(
    given: Settings,
    devices: Sequence[int],
    gateways: Sequence[int],
    say: Say,
    *,
    with_profile: bool = False,
    sizes: Sizes | None = None,
) -> dict[str, Any]:
    """Return the figures.

    Args:
        given: where broker and database are; unnamed, embedded ones are started.
        devices: how many.
        gateways: on how many, each with each.
        say: told what is being measured.
        with_profile: also look where the time goes, with the most devices.
        sizes: how much is measured.

    Raises:
        CannotMeasureError: there is no broker or no database.
    """
    sizes = sizes or Sizes()
    say("Loading the detectors …")
    detectors.warm_up()
    found: dict[str, Any] = {}
    with kafka.own_kafka(given) as settings:
        kafka.renew(settings)
        measured = _runs(settings, devices, gateways, say, sizes)
        if with_profile:
            found["profile_us"] = {
                str(one.gateways): _profile(settings, one, say, sizes)
                for one in measured
                if one.devices == max(devices) and one.gateways in (_usual(gateways), max(gateways))
            }
    say("Rows into the database …")
    rows = sink.run(given.database.get_secret_value())
    say(f"From packet to row: {sizes.latency_devices} devices in real time, {sizes.latency_s} s …")
    felt = latency.run(given, devices=sizes.latency_devices, measured_s=sizes.latency_s)
    return {
        "runs": [one.as_json() for one in measured],
        "sink": rows,
        "ratios": ratios(measured),
        "latency_s": felt,
        "memory_kb_a_device": _memory(measured),
        **found,
    }


def _runs(
    settings: Settings, devices: Sequence[int], gateways: Sequence[int], say: Say, sizes: Sizes
) -> list[Run]:
    say("NeuroKit2 in a Faust agent …")
    few = Load(NEUROKIT_DEVICES, 1, throughput.SESSION_NS)
    neurokit = baselines.neurokit(settings, few, sizes.of_neurokit)
    ends, usual = (min(devices), max(devices)), _usual(gateways)
    found = []
    for n in devices:
        say(f"{n} devices, a record a device and second in a Faust agent …")
        per_record = baselines.per_record(settings, Load(n, 1, throughput.SESSION_NS), sizes.of_records)
        for m in gateways:
            say(f"{n} devices on {m} gateways: the detectors alone, and a worker …")
            barred = (n in ends and m == usual) or (n, m) == (ends[1], max(gateways))
            load = Load(n, m, throughput.SESSION_NS)
            bank, worker = _measured(settings, load, sizes.device_seconds, sizes.turns if barred else 1)
            found.append(Run(n, m, bank, worker, per_record, neurokit))
    return found


def _measured(settings: Settings, load: Load, device_seconds: int, turns: int) -> tuple[Rate, OfWorker]:
    seconds = throughput.seconds_of(load.devices, device_seconds)
    bank = min((throughput.bank(load, seconds) for _ in range(turns)), key=lambda rate: rate.us)
    kafka.renew(settings)
    throughput.prepare(settings, load, seconds)
    speed = max(1.0, bank.a_core / load.devices)
    found: list[OfWorker] = []
    for _ in range(turns):
        kafka.renew(settings, keep=(topics.INGEST,))
        found.append(throughput.worker(settings, load, seconds, speed))
        speed = max(1.0, found[-1].speed)
    return bank, min(found, key=lambda one: one.rate.us)


def _profile(settings: Settings, of: Run, say: Say, sizes: Sizes) -> dict[str, float]:
    say(f"Where the time goes: {of.devices} devices on {of.gateways} gateways …")
    load = Load(of.devices, of.gateways, throughput.SESSION_NS)
    seconds = throughput.seconds_of(of.devices, sizes.device_seconds)
    kafka.renew(settings)
    throughput.prepare(settings, load, seconds)
    found = profile.run(settings, load, seconds, max(1.0, of.worker.speed))
    return {name: round(us, 1) for name, us in found.items()}


def _usual(gateways: Sequence[int]) -> int:
    """Return the number of gateways for which the ratios hold: 20, or what is next to it."""
    return min(gateways, key=lambda n: abs(n - 20))


def ratios(measured: Sequence[Run]) -> dict[str, float]:
    """Return how the worker compares, with the most devices, and how its cost grows with them."""
    usual = _usual([one.gateways for one in measured])
    of_usual = sorted((one for one in measured if one.gateways == usual), key=lambda one: one.devices)
    least, most = of_usual[0], of_usual[-1]
    return {
        "worker_bank": round(most.worker.rate.a_core / most.bank.a_core, 3),
        "worker_per_record": round(most.worker.rate.a_core / most.per_record.a_core, 2),
        "worker_neurokit": round(most.worker.rate.a_core / most.neurokit.a_core, 1),
        "growth": round(most.worker.rate.us / least.worker.rate.us, 3),
    }


def _memory(measured: Sequence[Run]) -> float | None:
    """Return how much more memory a worker holds for each further device, kB."""
    least, most = (pick(measured, key=lambda one: one.devices) for pick in (min, max))
    if least.devices == most.devices:
        return None
    more = most.worker.rss - least.worker.rss
    return round(more / (most.devices - least.devices) / 1000, 1)


def told_back(felt: Mapping[str, Any]) -> str:
    """Return after what time the killed worker was live again, in words."""
    if felt["back_s"] is None:
        return f"not within {latency.BACK_PATIENCE_S:.0f} s"
    return f"{felt['back_s']} s"


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what was wanted, what was found, and whether it is enough."""
    of = {(one["devices"], one["gateways"]): one for one in found["runs"]}
    usual = _usual([gateways for _, gateways in of])
    most = max(devices for devices, _ in of)
    ratio, felt, rows = found["ratios"], found["latency_s"], found["sink"]
    one, widest = of[most, usual], of[most, max(gateways for _, gateways in of)]
    if one["bank_us"] >= 40.0:
        stream = ("worker / detectors alone", "≥ 0.6", f"{ratio['worker_bank']}", ratio["worker_bank"] >= 0.6)
    else:
        on_top = one["worker_us"] - one["bank_us"]
        stream = ("worker - detectors alone", "≤ 25 µs", f"{on_top:.1f} µs", on_top <= 25.0)
    per_record, neurokit = ratio["worker_per_record"], ratio["worker_neurokit"]
    return [
        stream,
        ("worker / a record a device-second", "≥ 2", f"{per_record}", per_record >= 2.0),
        ("worker / NeuroKit2", "≥ 30", f"{neurokit}", neurokit >= 30.0),
        ("cost with the most / fewest devices", "≤ 1.3", f"{ratio['growth']}", ratio["growth"] <= 1.3),
        (
            f"{most:,} devices on {widest['gateways']:,} gateways, a core",
            f"≥ {most:,}",
            f"{widest['worker']:,}",
            widest["worker"] >= most,
        ),
        ("packet to alert's row, p99", "< 2 s", f"{felt['p99']} s", felt["p99"] < latency.BARS["p99"]),
        (
            "live again after kill -9",
            "≤ 45 s",
            told_back(felt),
            felt["back_s"] is not None and felt["back_s"] <= latency.BARS["back_s"],
        ),
        *(
            (name.replace("_", " "), f"≥ {bar:,}", f"{rows[name]:,}", rows[name] >= bar)
            for name, bar in sink.BARS.items()
        ),
    ]
