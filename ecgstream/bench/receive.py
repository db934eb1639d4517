"""What a receiving gateway takes a second of a core: messages by MLLP, packets by MQTT, batches by HTTP.

The gateway is ``ecgstream receive`` itself, with its spool on the disk; Kafka is away, so that nothing is
sent on. Beside it a gateway that only acknowledges: the same servers, which decode and keep nothing. The
figures are of their processor time, not of the clock, so that a machine that others use too disturbs them
little.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from devices.bundler import Bundler, Instant
from devices.enrolment import pack
from devices.hl7.ack import answers
from devices.hl7.mllp import Frames, framed
from devices.hl7.pcd import reading_of
from devices.http import forms, write
from devices.http.forms import JSON_TYPE
from devices.http.records import AVRO_TYPE, records
from devices.parts import parts_of
from devices.sessions import Item, Sessions
from devices.spool import Spool
from ecgstream.bench import acknowledging, senders
from ecgstream.bench.broker import Broker
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import POLL_S, Measured, free_port, service
from ecgstream.bench.senders import DEVICES, Load, by_http, by_mllp, by_mqtt
from ecgstream.settings import Settings
from schemas.records import Packet

MESSAGES, PACKETS, WARM = 4000, 40_000, 0.2
"""How many are sent of each kind; ``WARM``: so much of that before, uncounted."""
A_FLUSH = 50
"""Messages that are of one sync of the disk where the parts are measured."""
MLLP_BAR, MQTT_BAR, HTTP_BAR = 500, 3000, 5000
"""Messages, and packets, a second of a core."""
READY_S = 60.0
_NS = 1_000_000_000
_NOWHERE = "127.0.0.1:1"


class _Gateway(NamedTuple):
    """A gateway that runs, its port of each protocol, and the broker that it takes from."""

    process: Measured
    ports: Mapping[str, int]
    broker: Broker


Send = Callable[[_Gateway, Load], None]
_WAYS: dict[str, tuple[Callable[[int], Load], int, Send]] = {
    "mllp": (senders.messages, MESSAGES, lambda to, load: by_mllp(to.ports["mllp"], load)),
    "mqtt": (senders.payloads, PACKETS // 2, lambda to, load: by_mqtt(to.broker, load)),
    "http_json": (
        lambda many: senders.bodies(many, write.packets),
        PACKETS,
        lambda to, load: by_http(to.ports["http"], load, JSON_TYPE),
    ),
    "http_avro": (
        lambda many: senders.bodies(many, write.records),
        PACKETS,
        lambda to, load: by_http(to.ports["http"], load, AVRO_TYPE),
    ),
}

_DECODED: dict[str, tuple[Callable[[bytes], Sequence[Any]], int]] = {
    "mqtt": (partial(records, kind=Packet), A_FLUSH),
    "http_json": (forms.packets, 1),
    "http_avro": (partial(records, kind=Packet), 1),
}
"""How a body is read, and how many of them are of one sync of the disk."""


def run(say: Callable[[str], None], share: float = 1.0) -> dict[str, Any]:
    """Return, by way, what a second of a core takes, beside one that only acknowledges, and where time goes.

    Args:
        say: is told what is measured.
        share: of the load, for tests.
    """
    found: dict[str, Any] = {}
    with _gateway("ecgstream") as whole, _gateway(acknowledging.__name__) as alone:
        for way, (load, many, send) in _WAYS.items():
            warm, counted = load(round(many * share * WARM)), load(round(many * share))
            say(f"Measuring {way}: {counted.units:,} of {DEVICES} devices …")
            all_of_it, answers_alone = (_spent(one, send, warm, counted) for one in (whole, alone))
            found[way] = _figures(counted, all_of_it, answers_alone, _parts(way, counted))
    return found


def _figures(load: Load, whole: "_Spent", alone: "_Spent", parts: Mapping[str, float]) -> dict[str, Any]:
    rest_s = whole.cpu_s - sum(parts.values())
    return {
        "units": load.units,
        "a_core": round(1 / whole.cpu_s),
        "a_second": round(1 / whole.wall_s),
        "us": round(whole.cpu_s * 1e6, 1),
        "acknowledging_us": round(alone.cpu_s * 1e6, 1),
        "ratio": round(whole.cpu_s / alone.cpu_s, 2),
        "parts_us": {p: round(s * 1e6, 1) for p, s in {**parts, "servers and the rest": rest_s}.items()},
    }


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted, beside what was found."""
    wanted = {
        "mllp": ("messages by MLLP, a core", MLLP_BAR),
        "mqtt": ("packets by MQTT, a core", MQTT_BAR),
        "http_json": ("packets by HTTP in JSON, a core", HTTP_BAR),
        "http_avro": ("packets by HTTP in Avro, a core", HTTP_BAR),
    }
    return [
        (what, f"≥ {bar:,} a second", f"{found[way]['a_core']:,}", found[way]["a_core"] >= bar)
        for way, (what, bar) in wanted.items()
    ]


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each way: µs of processor time of each part, and of a gateway that acknowledges."""
    names = {
        "mllp": "a message by MLLP",
        "mqtt": "a packet by MQTT, in Avro",
        "http_json": "a packet by HTTP, in JSON",
        "http_avro": "a packet by HTTP, in Avro",
    }
    return [
        [
            names[way],
            f"{found[way]['us']:,}",
            f"{found[way]['acknowledging_us']:,} ({found[way]['ratio']:g} times)",
            ", ".join(
                f"{part} {us:,} ({us / found[way]['us']:.0%})" for part, us in found[way]["parts_us"].items()
            ),
        ]
        for way in names
    ]


# -- the gateways


class _Spent(NamedTuple):
    """What a gateway takes for one of what it is sent, s: of its cores, and of the clock."""

    cpu_s: float
    wall_s: float


@contextmanager
def _gateway(module: str) -> Iterator[_Gateway]:
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as directory:
        folder = Path(directory)
        settings = Settings(kafka=_NOWHERE, data=folder / "data", spool=folder / "spool")
        settings.data.mkdir()
        cache = settings.data / "enrolments-bench"
        cache.write_bytes(pack(senders.enrolments(), time.time_ns()))
        ports = {"http": free_port(), "mllp": free_port()}
        words = ["--gateway", "bench", "--plain"]
        words += [word for name, port in ports.items() for word in (f"--{name}", f"127.0.0.1:{port}")]
        with Broker() as broker:
            words += ["--mqtt", f"mqtt://127.0.0.1:{broker.port}"]
            with service(settings, "receive", *words, module=module) as process:
                _wait_for(process)
                yield _Gateway(process, ports, broker)


def _wait_for(process: Measured) -> None:
    deadline = time.monotonic() + READY_S
    while not process.is_ready():
        process.read()  # raises where it has ended
        if time.monotonic() > deadline:
            raise CannotMeasureError("the gateway does not become ready")
        time.sleep(POLL_S)


def _spent(gateway: _Gateway, send: Send, warm: Load, counted: Load) -> _Spent:
    send(gateway, warm)
    before = gateway.process.read()
    send(gateway, counted)
    after = gateway.process.read()
    units = counted.units
    return _Spent((after.cpu_s - before.cpu_s) / units, (after.wall_s - before.wall_s) / units)


# -- the parts, each alone and one after the other


class _Clock:
    """Adds up processor time by part, s."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begun_s = time.process_time()
        yield
        self.spent[name] += time.process_time() - begun_s


def _parts(way: str, load: Load) -> dict[str, float]:
    """Return what each part takes for one of the units, s of processor time."""
    clock, sent = _Clock(), [one for together in zip(*load.sent, strict=True) for one in together]
    with tempfile.TemporaryDirectory() as folder, closing(Spool(Path(folder) / "bench.spool")) as spool:
        if way == "mllp":
            _parts_of_messages(clock, sent, spool)
        else:
            _parts_of_bodies(clock, sent, spool, *_DECODED[way])
    return {part: spent_s / load.units for part, spent_s in clock.spent.items()}


def _parts_of_messages(clock: _Clock, sent: Sequence[bytes], spool: Spool) -> None:
    frames, sessions, bundler = Frames(), Sessions(), Bundler("bench")
    check = partial(bundler.check, 0)
    for at in range(0, len(sent), A_FLUSH):
        stream = [framed(message) for message in sent[at : at + A_FLUSH]]
        with clock.part("frames"):
            found = [message for data in stream for message in frames.feed(data)]
        with clock.part("reading"):
            readings = [reading_of(message, UTC) for message in found]
        with clock.part("sessions"):
            items = [item for r in readings for item in sessions.take(r, r.sent_ns or 0, check)]
            for reading in readings:
                spool.come(reading.device, sessions.kept(reading.device))
        with clock.part("bundles and spool"):
            _spool(bundler, spool, items)
        with clock.part("answers"):
            for message in found:
                answers(message, None, control_id="1", at_ns=_NS)


def _parts_of_bodies(
    clock: _Clock,
    sent: Sequence[bytes],
    spool: Spool,
    decoded: Callable[[bytes], Sequence[Any]],
    a_flush: int,
) -> None:
    bundler = Bundler("bench")
    for at in range(0, len(sent), a_flush):
        with clock.part("decoding"):
            items = [item for body in sent[at : at + a_flush] for item in decoded(body)]
        with clock.part("bundles and spool"):
            _spool(bundler, spool, items)


def _spool(bundler: Bundler, spool: Spool, items: Sequence[Item]) -> None:
    now = Instant(0.0, time.time_ns())
    bundles = [bundle for item in items for bundle in bundler.add(0, item, now)] + bundler.flush(now)
    for bundle in bundles:
        spool.put(bundle.shard, bundle.created_ns, bundle.encode(), parts_of(bundle))
    spool.commit()
