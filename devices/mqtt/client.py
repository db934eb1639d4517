"""A line to a broker: one connection of MQTT 5, from its opening until it is lost.

paho does the protocol, asyncio tells it when to read and write, and so all of it is on one thread. A line is
used once: an acknowledgement can never reach a later connection, where its number may be another message's.

What is done about paho-mqtt 2.2.0:

* Without a thread of its own, it lets whoever acknowledges write to the socket at once. So the callbacks of
  writing are set, and only asyncio writes.
* Its ``connect`` blocks for as long as name, network and TLS take. It runs on a thread, and asyncio takes
  over behind it.
* What TLS has read already wakes nobody. It is read on as long as something is pending.
* Its own reconnecting keeps what waited to be sent. It is not used.
* A message that it finds malformed ends the line, and comes again. Messages are read by ourselves.
* It asks the kernel for a message's first bytes one by one. What is there is read at once, and handed out.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from devices.errors import LineError
from devices.mqtt.content import MOST_BYTES
from devices.mqtt.publish import Arrived, publish_of
from devices.mqtt.topics import Share

KEEPALIVE_S = 20
"""A broker that says nothing for twice as long is gone."""
SESSION_S = 7 * 86_400
"""How long the broker is asked to keep what comes while the gateway is away."""
MOST_UNANSWERED = 2048
"""Messages that the broker may send ahead of their acknowledgement: what half a second brings, and more."""
LONGEST_BYTES = MOST_BYTES + 1024
"""Of a message that the broker may send, with topic and properties."""
_PATIENCE_S = 15.0
_TURN_S = 1.0
_AT_ONCE = 500  # filters of a request
_READ_BYTES = 262_144
_A_TURN = 100  # messages
_QOS = 1


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and who we are there.

    ``client`` names the session, and must be nobody else's. ``tls``: ``None``, on a network that may read it.
    """

    host: str
    port: int
    client: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None


class _Client(Client):
    """paho's client, but for how it reads, and what it makes of messages: see ``devices.mqtt.publish``."""

    def __init__(self, name: str, arrived: Callable[[Arrived], None]) -> None:
        version = CallbackAPIVersion.VERSION2
        super().__init__(version, name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        self._arrived = arrived
        self._ahead, self._at = b"", 0  # what was read, and how much of it was handed out

    @property
    def has_more(self) -> bool:
        """Whether something was read that was not handed out."""
        return self._at < len(self._ahead)

    def _sock_recv(self, bufsize: int) -> bytes:  # private too
        if not self.has_more:
            self._ahead, self._at = super()._sock_recv(_READ_BYTES), 0
        found = self._ahead[self._at : self._at + bufsize]
        self._at += len(found)
        return found

    def _handle_publish(self) -> MQTTErrorCode:  # private; tests/devices/mqtt fail without it
        self._arrived(publish_of(self._in_packet["command"], bytes(self._in_packet["packet"])))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Line:
    """A connection that is subscribed to a share of the topics, as long as it is entered.

    Args:
        broker: where.
        share: of the devices.
        arrived: is called with each message, in their order; it must return at once.

    Attributes:
        lost: done when the line is, with the reason.
    """

    def __init__(self, broker: Broker, share: Share, arrived: Callable[[Arrived], None]) -> None:
        self._broker = broker
        self._share = share
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._asked: set[int | None] = set()
        self._minder: asyncio.Task[None] | None = None
        self._client = self._made(arrived)

    def acknowledge(self, number: int) -> None:
        """Tell the broker that a message is safe here; one after the other, in their order."""
        self._step(lambda: self._client.ack(number, _QOS))

    async def __aenter__(self) -> "Line":
        """Connect, and subscribe.

        Raises:
            LineError: that is not to be had now.
        """
        await self._connect()
        try:
            await self._answered()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take leave of the broker, which keeps the session."""
        await self._close()

    # -- connecting

    def _made(self, arrived: Callable[[Arrived], None]) -> _Client:
        client = _Client(self._broker.client, arrived)
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = lambda _client, _data, _flags, why, _properties: self._end(str(why))
        return client

    async def _connect(self) -> None:
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = SESSION_S
        wanted.ReceiveMaximum = MOST_UNANSWERED
        wanted.MaximumPacketSize = LONGEST_BYTES
        broker, connect = self._broker, self._client.connect
        try:
            await asyncio.to_thread(
                connect, broker.host, broker.port, KEEPALIVE_S, clean_start=False, properties=wanted
            )
        except (OSError, ValueError) as error:  # a name that no resolver takes is a ValueError
            raise LineError(f"it cannot be reached: {type(error).__name__}: {error}") from None
        # From here on asyncio reads and writes.
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_wants_to_write
        self._client.on_socket_unregister_write = self._on_has_written
        sock = self._client.socket()
        if sock is None:
            raise LineError("it hung up at once")
        self._loop.add_reader(sock, self._read, sock)
        if self._client.want_write():
            self._on_wants_to_write(None, None, sock)
        self._minder = self._loop.create_task(self._mind())

    async def _answered(self) -> None:
        """Wait for the broker to let us in, and to take the subscription."""
        waited: set[asyncio.Future[Any]] = {self._subscribed, self.lost}
        await asyncio.wait(waited, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            raise LineError(self.lost.result())
        if not self._subscribed.done():
            raise LineError("the broker does not answer")

    def _on_connect(self, _client: Client, _data: object, flags: Any, why: Any, _properties: object) -> None:
        if why.is_failure:
            self._end(f"the broker lets us not in: {why}")
            return
        for some in _some_at_once(self._share.wanted()):
            self._asked.add(self._client.subscribe([(one, SubscribeOptions(qos=_QOS)) for one in some])[1])
        if flags.session_present:  # it may be of another share; ours first, so that nothing falls between
            for some in _some_at_once(self._share.unwanted()):
                self._client.unsubscribe(some)

    def _on_subscribe(
        self, _client: Client, _data: object, number: int, said: Any, _properties: object
    ) -> None:
        refused = [one for one in said if one.is_failure]
        if refused:
            self._end(f"the broker refuses the subscription: {refused[0]}")
        self._asked.discard(number)
        if not self._asked and not self._subscribed.done():
            self._subscribed.set_result(None)

    # -- what asyncio calls, and paho

    def _step(self, act: Callable[[], object]) -> None:
        """Let paho do something; what it cannot bear (a broker that breaks the protocol) ends the line."""
        try:
            act()
        except Exception as error:
            self._end(f"the line broke: {type(error).__name__}")

    def _read(self, sock: Any) -> None:
        for _ in range(_A_TURN):
            self._step(self._client.loop_read)
            if not self._client.has_more:
                break
        is_open = sock.fileno() >= 0
        if is_open and (self._client.has_more or (isinstance(sock, ssl.SSLSocket) and sock.pending())):
            self._loop.call_soon(self._read, sock)

    async def _mind(self) -> None:
        """See to the keep-alive."""
        while not self.lost.done():
            self._step(self._client.loop_misc)
            await asyncio.sleep(_TURN_S)

    def _on_wants_to_write(self, _client: object, _data: object, sock: Any) -> None:
        self._loop.add_writer(sock, self._step, self._client.loop_write)

    def _on_has_written(self, _client: object, _data: object, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _on_socket_close(self, _client: object, _data: object, sock: Any) -> None:
        self._loop.remove_reader(sock)

    def _end(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    # -- leaving

    async def _close(self) -> None:
        """Send what is still to be sent, and the farewell, where that is possible."""
        if not self.lost.done():
            self._step(self._client.disconnect)
            await asyncio.wait({self.lost}, timeout=_TURN_S)
        self._end("it was closed")
        if self._minder is not None:
            self._minder.cancel()
        if (sock := self._client.socket()) is not None:  # it did not go in order
            self._client.on_socket_close = self._client.on_socket_unregister_write = None
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            sock.close()


def _some_at_once(filters: list[str]) -> Iterator[list[str]]:
    """Return filters in requests that no broker finds too long."""
    rest = iter(filters)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
