"""How an entry is hashed, and how a head is signed. No I/O; ``0018_audit.sql`` hashes the same."""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ecgstream.audit.keys import SigningKey, is_signed
from schemas.audit import AuditHead

NOTHING = bytes(32)
"""The hash before the first entry."""
_ENTRY = b"ecgstream audit 1"
_HEAD = "audit head 1"
_KEY = "audit key 1"


class Entry(NamedTuple):
    """An entry as it is stored; ``content`` is what is hashed, what stands between is read from it."""

    seq: int
    at: datetime
    who: str
    action: str
    kind: str
    object: str
    facility: str | None
    content: str
    hash: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The content, empty where it is no JSON object any more."""
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def hash_of(before: bytes, seq: int, content: str) -> bytes:
    """Return the hash of an entry behind the one with the hash ``before``.

    >>> hash_of(NOTHING, 0, "{}").hex()[:16]
    '39128bfd511a92ff'
    """
    return sha256(_ENTRY + before + _number(seq) + content.encode("utf-8", "surrogatepass")).digest()


def signed_head(key: SigningKey, chain: bytes, seq: int, hash_: bytes, at_ns: int) -> AuditHead:
    """Return that the chain ends so at a time."""
    signature = key.sign(_HEAD, chain, _number(seq), hash_, _number(at_ns))
    return AuditHead(chain, seq, hash_, at_ns, key.public, signature)


def is_true(head: AuditHead) -> bool:
    """Return whether a head was signed with the key that it names."""
    parts = (head.chain, _number(head.seq), head.hash, _number(head.at_ns))
    return is_signed(head.key, head.signature, _HEAD, *parts)


def vouched(old: SigningKey, chain: bytes, new: bytes) -> bytes:
    """Return the signature by which a key gives its place to another."""
    return old.sign(_KEY, chain, new)


def is_vouched(old: bytes, chain: bytes, new: bytes, signature: bytes) -> bool:
    """Return whether a key has given its place to another."""
    return is_signed(old, signature, _KEY, chain, new)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What an entry of the kind ``key`` says."""

    public: bytes
    signature: bytes

    @classmethod
    def of(cls, said: dict[str, Any]) -> "KeyChange | None":
        """Return what an entry's content says of keys; None: nothing, or nothing that can be read."""
        detail = said.get("detail")
        if said.get("action") != "key" or not isinstance(detail, dict):
            return None
        try:
            return cls(bytes.fromhex(detail["public"]), bytes.fromhex(detail.get("vouched", "")))
        except (TypeError, KeyError, ValueError):
            return None


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)
