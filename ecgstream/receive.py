"""``ecgstream receive``: the gateway that devices send to, by HTTP, by HL7 v2 over MLLP and by MQTT."""

import asyncio
import math
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import structlog

from devices.enrolment import Enrolments
from devices.errors import EnrolmentsUnknownError, SpoolError
from devices.farewells import Farewells
from devices.files.desk import Desk
from devices.files.publish import Recording
from devices.hl7.server import MllpServer
from devices.hl7.speaks import Speaks
from devices.http.app import make_app
from devices.intake import Intake
from devices.mqtt.client import Broker, Line
from devices.mqtt.receiver import Receiver
from devices.reading import Reading
from devices.refusals import Refused, unheard
from devices.sessions import Item
from ecgstream.addresses import place_of, zone_of
from ecgstream.edge import check_name, edge
from ecgstream.entrance import BACKLOG, MOST, SILENT_S, Answering, Entrance, connections_for
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.mqtt import Asked
from ecgstream.serving import listening, make_server
from ecgstream.settings import Settings
from schemas.records import Enrolment

_TURN_S = 0.5
_UTC = ZoneInfo("UTC")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str, flag: str) -> "Address":
        """Return what ``host:port`` says, or end the process with one line.

        >>> Address.of("127.0.0.1:2575", "--mllp")
        Address(host='127.0.0.1', port=2575)
        """
        try:
            place = place_of(text)
        except ValueError as error:
            sys.exit(f"ecgstream receive: {flag} {text}: {error}")
        return cls(place.host, place.port)

    def listen(self, most: int = MOST, silent_s: float = math.inf) -> Entrance:
        """Return an entrance that listens there, or end the process with one line."""
        try:
            return Entrance(listening(self.host, self.port), most, silent_s=silent_s)
        except OSError as error:
            sys.exit(f"ecgstream receive: cannot listen on {self.host}:{self.port} ({error.strerror})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a gateway is asked to do: see ``ecgstream receive --help``."""

    gateway: str
    http: Address | None
    mllp: Address | None
    certificate: Path | None
    key: Path | None
    authorities: Path | None
    plain: bool
    zone: ZoneInfo | None
    broker: Asked | None = None


def wanted_of(
    gateway: str,
    http: str,
    mllp: str,
    certificate: Path | None,
    key: Path | None,
    authorities: Path | None,
    *,
    plain: bool,
    zone: str,
    broker: Asked | None = None,
) -> Wanted:
    """Return what flags ask for, or end the process with one line."""
    if not (http or mllp or broker):
        sys.exit("ecgstream receive: nothing to hear on: give --http, --mllp, --mqtt, or several")
    if (certificate is None) != (key is None):
        sys.exit("ecgstream receive: --certificate and --key go together")
    try:
        named = zone_of(zone)
    except ValueError as error:
        sys.exit(f"ecgstream receive: --zone {error}")
    at_http = Address.of(http, "--http") if http else None
    at_mllp = Address.of(mllp, "--mllp") if mllp else None
    return Wanted(gateway, at_http, at_mllp, certificate, key, authorities, plain, named, broker)


def run(settings: Settings, wanted: Wanted) -> None:
    """Receive until SIGTERM or Ctrl-C; what a person must mend is one line."""
    name = wanted.gateway
    check_name(name)
    set_up_logging(settings, "receive")
    tls, broker = tls_of(wanted), broker_of(wanted, settings)
    most = connections_for(sum(at is not None for at in (wanted.http, wanted.mllp)))
    http = wanted.http.listen(most, SILENT_S) if wanted.http else None
    mllp = wanted.mllp.listen(most) if wanted.mllp else None
    try:
        with (
            stop_on_signals() as stop,
            serve(settings, "receive") as health,
            edge(settings, name, health.beat) as (publisher, follower),
            Intake(name, publisher, lambda: follower.enrolments, time=publisher.standing.time) as intake,
            Desk(name, publisher, wanted.zone) as desk,
        ):
            publisher.start()
            doors = Doors(
                wanted,
                http,
                mllp,
                tls,
                intake,
                lambda: follower.enrolments,
                desk,
                broker,
                refused=publisher.refusals.tell,
                farewells=publisher.farewells,
            )
            _work(doors, intake, stop, health)
    except (EnrolmentsUnknownError, SpoolError) as error:
        sys.exit(f"ecgstream receive: {error}")
    log.info("received")


def _work(doors: "Doors", intake: Intake, stop: threading.Event, health: Health) -> None:
    """Serve on a thread of its own, beside which signals are heard, until told to stop or something fails."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(doors.serve(stop, health))
        except BaseException as error:  # told below, on the thread that ends the process
            failed.append(error)

    thread = threading.Thread(target=work, name="doors")
    thread.start()
    while thread.is_alive() and not stop.wait(_TURN_S) and intake.failure is None:
        pass
    stop.set()
    thread.join()
    for error in (intake.failure, *failed):
        if error is not None:
            raise error


class Doors:
    """The servers of a gateway, in one loop of asyncio.

    Args:
        wanted: what was asked for.
        http, mllp: where they listen; ``None``: they do not.
        tls: of connections of MLLP.
        intake: takes what comes.
        enrolments: what is known of devices now.
        desk: takes recordings.
        broker: of MQTT; ``None``: there is none.
        refused: hears of what can never be taken.
        farewells: hears whose connection to the broker has ended.
    """

    def __init__(
        self,
        wanted: Wanted,
        http: Entrance | None,
        mllp: Entrance | None,
        tls: ssl.SSLContext | None,
        intake: Intake,
        enrolments: Callable[[], Enrolments],
        desk: Desk,
        broker: Broker | None = None,
        *,
        refused: Refused = unheard,
        farewells: Farewells | None = None,
    ) -> None:
        self._refused = refused
        self._farewells = farewells
        self._wanted = wanted
        self._http = http
        self._mllp = mllp
        self._tls = tls
        self._intake = intake
        self._enrolments = enrolments
        self._desk = desk
        self._broker = broker

    async def serve(self, stop: threading.Event, health: Health) -> None:
        """Serve until ``stop`` is set, or HTTP or MQTT is served no more."""
        async with self._serving_http() as http, self._serving_mllp(), self._serving_mqtt() as broker:
            health.ready(is_ready=True)
            while not stop.is_set() and not any(door and door.done() for door in (http, broker)):
                health.beat()
                for entrance in (self._http, self._mllp):
                    if entrance is not None:
                        entrance.look()
                await asyncio.sleep(_TURN_S)

    # -- what the application of HTTP asks for

    def who(self, token: bytes) -> Enrolment | None:
        """Return the device that has this key."""
        return self._enrolments().with_key(token)

    async def take(self, device: str, items: Sequence[Item]) -> None:
        """See ``Intake.take``."""
        await self._intake.take(device, items)

    async def read(self, reading: Reading) -> None:
        """See ``Intake.read``."""
        await self._intake.read(reading.device, reading, is_urgent=False)

    async def record(self, device: str, body: bytes, start_ns: int | None) -> Recording:
        """See ``Desk.take``."""
        enrolled = self._enrolments().admitted(device)
        return await asyncio.to_thread(self._desk.take, enrolled, body, start_ns)

    # -- the servers

    @asynccontextmanager
    async def _serving_http(self) -> AsyncIterator[asyncio.Future[None] | None]:
        if self._http is None:
            yield None
            return
        certificate, key = self._wanted.certificate, self._wanted.key
        server = make_server(
            Answering(make_app(self, refused=self._refused), self._http),
            at_once=None,
            backlog=BACKLOG,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        serving = asyncio.ensure_future(server.serve([self._http]))
        log.info("http", port=self._http.getsockname()[1], tls=certificate is not None)
        try:
            yield serving
        finally:
            server.should_exit = True
            await serving

    @asynccontextmanager
    async def _serving_mllp(self) -> AsyncIterator[None]:
        if self._mllp is None:
            yield
            return
        entrance, speaks = self._mllp, Speaks(self._enrolments, plain=self._wanted.plain)

        def admitted(device: str, writer: asyncio.StreamWriter) -> None:
            speaks(device, writer)
            entrance.admit(writer.get_extra_info("peername")[:2])

        mllp = MllpServer(self._intake, admitted, self._wanted.zone or _UTC, refused=self._refused)
        server = await asyncio.start_server(mllp.serve, sock=entrance, ssl=self._tls, backlog=BACKLOG)
        log.info("mllp", port=entrance.getsockname()[1], tls=self._tls is not None)
        try:
            yield
        finally:
            server.close()

    @asynccontextmanager
    async def _serving_mqtt(self) -> AsyncIterator[asyncio.Future[NoReturn] | None]:
        broker, asked = self._broker, self._wanted.broker
        if broker is None or asked is None:
            yield None
            return
        receiver = Receiver(
            lambda said: Line(broker, asked.share, said),
            self._intake,
            self._enrolments,
            refused=self._refused,
            farewells=self._farewells,
        )
        serving = asyncio.ensure_future(receiver.serve())
        tls, share = broker.tls is not None, str(asked.share)
        log.info("mqtt", host=broker.host, port=broker.port, tls=tls, share=share)
        try:
            yield serving
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


def tls_of(wanted: Wanted) -> ssl.SSLContext | None:
    """Return what monitors' connections are secured by; end the process where that cannot be."""
    if wanted.mllp is None or wanted.plain:
        return None
    if not (wanted.certificate and wanted.key and wanted.authorities):
        sys.exit(
            "ecgstream receive: --mllp wants --certificate, --key and --authorities, by which monitors show "
            "who they are; or --plain, on a network that nothing but monitors is on"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(wanted.certificate, wanted.key)
        context.load_verify_locations(wanted.authorities)
    except (OSError, ssl.SSLError) as error:
        sys.exit(f"ecgstream receive: the certificate cannot be used: {error}")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def broker_of(wanted: Wanted, settings: Settings) -> Broker | None:
    """Return the broker of MQTT that was asked for."""
    if wanted.broker is None:
        return None
    password = settings.mqtt_password.get_secret_value()
    return wanted.broker.resolved(
        wanted.gateway, password, wanted.certificate, wanted.key, wanted.authorities
    )
