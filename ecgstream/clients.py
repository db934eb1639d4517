"""How every client of Kafka connects: one place that knows addresses, users and certificates.

kafka-python and aiokafka call these things by the same names, so that ``connection`` serves both.
"""

import ssl
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from ecgstream.broker.errors import BrokerError
from ecgstream.settings import PREFIX, Settings

SASL_MECHANISM = "SCRAM-SHA-512"
_PASSWORD_FILE = f"{PREFIX}KAFKA_PASSWORD_FILE names a file with the password as its only line"


def connection(settings: Settings) -> dict[str, Any]:
    """Return the arguments by which a client of kafka-python or aiokafka connects; they hold the password.

    Raises:
        BrokerError: the password's or the authorities' file cannot be used.
    """
    return {"bootstrap_servers": settings.kafka, **security(settings)}


def security(settings: Settings) -> dict[str, Any]:
    """Return those of ``connection`` that let us in at a closed broker; none at an open one."""
    if settings.kafka_security == "PLAINTEXT":
        return {}
    return {
        "security_protocol": "SASL_SSL",
        "ssl_context": _ssl_context(settings),
        "sasl_mechanism": SASL_MECHANISM,
        "sasl_plain_username": settings.kafka_user,
        "sasl_plain_password": _password(settings),
    }


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that checks certificates and host names."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca)
    except OSError as error:  # ssl.SSLError is one
        raise BrokerError(
            f"the authorities' file {settings.kafka_ca} ({PREFIX}KAFKA_CA) cannot be read "
            f"({error.strerror or error}): it must hold certificates in PEM form"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _password(settings: Settings) -> str:
    path = settings.kafka_password_file
    if path is None:
        return settings.kafka_password.get_secret_value()
    try:
        password = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = type(error).__name__  # and nothing of what was read
        raise BrokerError(f"the password's file {path} cannot be read ({why}): {_PASSWORD_FILE}") from None
    if not password:
        raise BrokerError(f"the password's file {path} is empty: {_PASSWORD_FILE}")
    return password


def admin(settings: Settings) -> KafkaAdminClient:
    """Return an admin client; close it."""
    return KafkaAdminClient(**connection(settings))


def producer(settings: Settings) -> KafkaProducer:
    """Return an idempotent producer that waits for all replicas."""
    return KafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_request_size=1_048_576,
    )


def consumer(settings: Settings, group: str, **more: Any) -> KafkaConsumer:
    """Return a consumer of ``group`` that commits only when told to, and starts at the beginning."""
    return KafkaConsumer(
        **connection(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_s * 1000 / 4),
        max_partition_fetch_bytes=8 * 1_048_576,
        **more,
    )


def reader(settings: Settings) -> KafkaConsumer:
    """Return a consumer of no group: it reads the partitions it is assigned, and commits nothing."""
    return KafkaConsumer(**connection(settings), enable_auto_commit=False, auto_offset_reset="earliest")
