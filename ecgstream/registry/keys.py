"""The keys of patients' identifiers: what seals them, opens them, and lets them be found.

A key ring holds one or more keys of 32 random bytes. The newest seals; all of them open and find, so that
keys can be renewed while the registry works. From each key two others are derived (HKDF, RFC 5869):

- one that seals: AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. A sealed text is bound to the
  patient, the kind of identifier and the key, so that it opens nowhere else.
- one that finds: HMAC-SHA-256 (RFC 2104) over kind and normalised text. Without the key nobody can try out
  names or telephone numbers on it.

The ring as a text, as a file or a key management service holds it: a line ``ID KEY`` for each key, the newest
last; KEY is base64. Blank lines and lines that begin with # are left out. No key is ever in a message.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.text import shown

KEY_BYTES = 32
NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Sealed(NamedTuple):
    """An identifier as the database holds it."""

    key: str
    """Which key sealed it."""
    sealed: bytes
    """Nonce, encrypted text, tag."""
    search: bytes
    """32 bytes, the same for the same kind and normalised text."""


class _Key(NamedTuple):
    seal: AESGCM
    search: bytes


class KeyRing:
    """The keys; the last one is the newest.

    >>> ring = KeyRing({"2026": bytes(range(32))})
    >>> row = ring.seal("P-1", "name", "王伟", normalised="王伟")
    >>> ring.open("P-1", "name", row.key, row.sealed)
    '王伟'
    >>> ring.searches("name", "王伟") == [row.search]
    True
    >>> ring
    KeyRing of 1 key, newest 2026
    """

    __slots__ = ("_keys", "newest")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise RegistryError(f"a key ring needs keys of {KEY_BYTES} bytes")
        self._keys = {
            name: _Key(
                AESGCM(_derived(key, b"ecgstream identifiers: seal")),
                _derived(key, b"ecgstream identifiers: search"),
            )
            for name, key in keys.items()
        }
        self.newest = next(reversed(self._keys))

    def __repr__(self) -> str:
        n = len(self._keys)
        return f"KeyRing of {n} key{'s' if n > 1 else ''}, newest {self.newest}"

    def seal(self, patient: str, kind: str, text: str, *, normalised: str) -> Sealed:
        """Return a text sealed for a patient with the newest key; never twice the same bytes.

        ``normalised``: the form of the text under which it is to be found.
        """
        key = self._keys[self.newest]
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = key.seal.encrypt(nonce, text.encode(), _bound(patient, kind, self.newest))
        return Sealed(self.newest, nonce + sealed, _search(key, kind, normalised))

    def open(self, patient: str, kind: str, key: str, sealed: bytes) -> str:
        """Return the text that was sealed for this patient and kind.

        Raises:
            RegistryError: the key is not on the ring, or these are not the bytes that were sealed with it.
        """
        if key not in self._keys:
            raise RegistryError(
                f"{kind} of {patient} is sealed with key {shown(key)}, which is not among the keys set here"
            )
        try:
            nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
            return self._keys[key].seal.decrypt(nonce, rest, _bound(patient, kind, key)).decode()
        except (InvalidTag, ValueError):
            raise RegistryError(
                f"{kind} of {patient} does not open with key {shown(key)}: it was altered, belongs to another"
                " row, or another key goes by this name here"
            ) from None

    def searches(self, kind: str, normalised: str) -> list[bytes]:
        """Return what an identifier may be found by: one value for each key."""
        return [_search(key, kind, normalised) for key in self._keys.values()]


def parse(text: str, source: str) -> KeyRing:
    """Return the ring that a text holds. Messages name ``source`` and the line, never what stands there.

    Raises:
        RegistryError: the text is no key ring.
    """
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, encoded = line.strip().partition(" ")
        key = _decoded(encoded.strip())
        if not _ID.fullmatch(name) or key is None:
            raise RegistryError(
                f"{source}: line {number} is no key: it has the form ID KEY, with 1 to 32 ASCII letters,"
                f" digits, hyphens or underscores, a space, and {KEY_BYTES} bytes in base64"
            )
        if name in keys or key in keys.values():
            raise RegistryError(
                f"{source}: line {number}: this key, or another of its name, is there already"
            )
        keys[name] = key
    if not keys:
        raise RegistryError(
            f"{source}: holds no key. `ecgstream patient keys new FILE` makes a file with one"
        )
    return KeyRing(keys)


def new_key() -> tuple[str, str]:
    """Return the name of a new random key, which tells the day it was made, and its line for a ring."""
    name = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}"
    return name, f"{name} {base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"


def _decoded(encoded: str) -> bytes | None:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _bound(patient: str, kind: str, key: str) -> bytes:
    return f"{patient}|{kind}|{key}".encode()


def _search(key: _Key, kind: str, normalised: str) -> bytes:
    return hmac.digest(key.search, f"{kind}|{normalised}".encode(), "sha256")
