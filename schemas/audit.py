"""What travels of the audit log; times are UTC ns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What a service has to say to the audit log: see ``avro/AuditEntry-1.avsc``."""

    service: str
    at_ns: int
    who: str
    action: str
    kind: str
    object: str
    facility: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """That the audit log's chain ended so, signed: see ``avro/AuditHead-1.avsc``."""

    chain: bytes
    seq: int
    hash: bytes
    at_ns: int
    key: bytes
    signature: bytes
