"""Coming in at the broker's door once, before anything else, to say in one line why it does not open.

kafka-python tries for half a minute whatever the reason, and learns only now and then that a password is
wrong: its TLS transport drops what a broker says just before it hangs up. So the first words of Kafka's
protocol are spoken here: TLS, ApiVersions or the SASL handshake, SCRAM (RFC 5802).
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError
from kafka.net.sasl.scram import ScramClient
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from ecgstream.broker.errors import BrokerAwayError, BrokerError
from ecgstream.clients import security
from ecgstream.settings import PREFIX, Settings

PATIENCE_S = 30.0
"""How long brokers may be away: they may be starting, as we are."""
_ANSWER_S = 10.0
_PAUSE_S = 0.5


class _AwayError(Exception):
    """Nobody answers there now; the message says why. It may help to wait."""


class _HungUpError(_AwayError):
    """Somebody was there, and closed the connection."""


def greet(settings: Settings, patience_s: float = PATIENCE_S) -> None:
    """Return once one of the brokers has let us in.

    Raises:
        BrokerAwayError: none answers; the message is one line that says what to do, as that of all errors.
        BrokerError: one answers, and does not let us in.
    """
    told = security(settings)
    deadline = time.monotonic() + patience_s
    while True:
        reasons = []
        for address in settings.kafka.split(","):
            try:
                _come_in(address.strip(), told)
            except _AwayError as reason:
                reasons.append(f"{address.strip()} ({reason})")
            else:
                return
        if time.monotonic() > deadline:
            raise BrokerAwayError(
                f"no broker answers at {', '.join(reasons)}: check that it runs, and {PREFIX}KAFKA"
            )
        time.sleep(_PAUSE_S)


def knock(address: str, told: dict[str, Any], patience_s: float) -> None:
    """Return when a broker has answered; a password is not asked for.

    Args:
        address: host:port.
        told: of ``clients.security``.
        patience_s: for each of its words.

    Raises:
        BrokerError: it has not; the message is the reason.
    """
    try:
        with _at_the_door(address, told, patience_s) as connection:
            _Talk(connection).ask(ApiVersionsRequest(), 0)
    except _AwayError as reason:
        raise BrokerError(str(reason)) from reason


def _come_in(address: str, told: dict[str, Any]) -> None:
    with _at_the_door(address, told, _ANSWER_S) as connection:
        if told:
            _log_in(_Talk(connection), address, told)
        else:
            _say_hello(_Talk(connection), address)


@contextmanager
def _at_the_door(address: str, told: dict[str, Any], patience_s: float) -> Iterator[socket.socket]:
    """Give a connection, encrypted where it is to be."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        raise BrokerError(f"{PREFIX}KAFKA: {address!r} is no address of the form host:port")
    try:
        connection = socket.create_connection((host, int(port)), patience_s)
    except OSError as error:
        raise _AwayError(error.strerror or str(error)) from error
    with connection:
        if not told:
            yield connection
            return
        with _encrypted(connection, host, address, told["ssl_context"]) as encrypted:
            yield encrypted


@contextmanager
def _encrypted(
    connection: socket.socket, host: str, address: str, context: ssl.SSLContext
) -> Iterator[ssl.SSLSocket]:
    try:
        with context.wrap_socket(connection, server_hostname=host) as encrypted:
            yield encrypted
    except ssl.SSLCertVerificationError as error:
        raise BrokerError(
            f"the broker at {address} shows a certificate that does not hold "
            f"({error.verify_message.rstrip('.')}): {PREFIX}KAFKA_CA must name the file of the authority "
            f"that signed it, and {PREFIX}KAFKA a host that it was made for"
        ) from error
    except (ssl.SSLError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise BrokerError(
            f"the broker at {address} does not speak TLS as it does with services ({reason}): "
            f"{PREFIX}KAFKA must name its SASL_SSL port; where it has none, it is not closed"
        ) from error
    except TimeoutError as error:
        raise _AwayError(f"no TLS handshake in {connection.gettimeout():g} s") from error


class _Talk:
    """Questions and answers over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = KafkaProtocol(client_id="ecgstream")

    def ask(self, request: Any, version: int) -> Any:
        """Return the answer to a request of Kafka's protocol; raise ``_AwayError`` where none comes."""
        request.API_VERSION = version
        self._protocol.send_request(request)
        try:
            self._connection.sendall(self._protocol.send_bytes())
            while data := self._connection.recv(65_536):
                for _, answer in self._protocol.receive_bytes(data):
                    return answer
        except TimeoutError as error:
            raise _AwayError(f"no answer in {self._connection.gettimeout():g} s") from error
        except (ConnectionError, KafkaError) as error:
            raise _HungUpError("it hung up") from error
        raise _HungUpError("it hung up")


def _say_hello(talk: _Talk, address: str) -> None:
    try:
        talk.ask(ApiVersionsRequest(), 0)
    except _HungUpError as error:
        raise BrokerError(
            f"the broker at {address} hangs up on who speaks without TLS: it is closed. Set "
            f"{PREFIX}KAFKA_SECURITY=SASL_SSL, {PREFIX}KAFKA_USER and {PREFIX}KAFKA_PASSWORD_FILE"
        ) from error


def _log_in(talk: _Talk, address: str, told: dict[str, Any]) -> None:
    mechanism, user = told["sasl_mechanism"], told["sasl_plain_username"]
    offered = talk.ask(SaslHandshakeRequest(mechanism=mechanism), 1)
    if mechanism not in offered.mechanisms:
        raise BrokerError(
            f"the broker at {address} does not take {mechanism}, only {', '.join(offered.mechanisms)}: "
            "set its sasl.enabled.mechanisms"
        )
    scram = ScramClient(user, told["sasl_plain_password"], mechanism)
    scram.process_server_first_message(_token(talk, scram.first_message(), address, user))
    try:
        scram.process_server_final_message(_token(talk, scram.final_message(), address, user))
    except ValueError as error:
        raise BrokerError(f"the broker at {address} does not know the password of {user} itself") from error


def _token(talk: _Talk, token: bytes, address: str, user: str) -> bytes:
    answer = talk.ask(SaslAuthenticateRequest(token), 1)
    if answer.error_code:
        raise BrokerError(
            f"the broker at {address} does not know {user} by this password: "
            f"`ecgstream kafka grant SERVICE {user}` gives a new one"
        )
    return bytes(answer.auth_bytes)
