"""What services and commands without a database have to say: on ``ecg.audit``, where the sealer reads it."""

import json
import platform
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import detectors
from ecgstream import __version__, clients
from ecgstream.settings import Settings
from schemas import topics
from schemas.audit import AuditEntry
from schemas.codec import encode

WRITE_S = 10.0
_MODELS = Path(detectors.__file__).parent
_SAYS_TOO_MUCH = ("key_command",)
"""Settings that are no secret and may hold one."""


def tell(settings: Settings, entries: Iterable[AuditEntry]) -> None:
    """Write entries, and wait until all replicas have them.

    Raises:
        KafkaError, BrokerError: they are not written.
    """
    producer = clients.producer(settings)
    try:
        topic = topics.AUDIT.name
        for sent in [producer.send(topic, encode(e), key=e.service.encode()) for e in entries]:
            sent.get(WRITE_S)
    finally:
        producer.close(timeout=WRITE_S)


def started(settings: Settings, service: str) -> AuditEntry:
    """Return that a service has started: of which version, with which models and settings."""
    detail = {
        "version": __version__,
        "detectors": detectors.VERSION,
        "models": models(),
        "python": platform.python_version(),
        "settings": plain(settings),
    }
    return _entry(service, settings.kafka_user or service, "start", "service", service, "", detail)


def read(service: str, who: str, kind: str, object_: str, facility: str = "", **detail: object) -> AuditEntry:
    """Return that somebody has read; ``object_`` is an id or a pseudonym."""
    return _entry(service, who, "read", kind, object_, facility, detail)


def models() -> str:
    """Return the SHA-256 of all that the detectors have learnt."""
    return sha256(b"".join(path.read_bytes() for path in sorted(_MODELS.glob("*.csv")))).hexdigest()


def plain(settings: Settings) -> dict[str, str]:
    """Return the settings as text; of a secret only whether there is one.

    >>> found = plain(Settings(partitions=3, notify_url="https://hook.example/t0ken"))
    >>> found["partitions"], found["notify_url"], found["kafka_password"]
    ('3', '(set)', '(not set)')
    """
    said = {}
    for name, value in settings.model_dump().items():
        if isinstance(value, SecretStr) or name in _SAYS_TOO_MUCH:
            given = value.get_secret_value() if isinstance(value, SecretStr) else value
            said[name] = "(set)" if given else "(not set)"
        else:
            said[name] = str(value)
    return said


def _entry(
    service: str, who: str, action: str, kind: str, object_: str, facility: str, detail: dict[str, Any]
) -> AuditEntry:
    text = json.dumps(detail, ensure_ascii=False)
    return AuditEntry(service, time.time_ns(), who, action, kind, object_, facility, text)
