"""The keys that sign: Ed25519 (RFC 8032), one or two in a file, PEM (PKCS #8), the newest last.

A key that takes another's place is vouched for by that one, in the chain. Until that is done both are in the
file.
"""

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ecgstream.audit.errors import AuditError

KEY_BYTES, SIGNATURE_BYTES = 32, 64
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----\n?", re.DOTALL)
_LONGEST_FILE = 16_384
_MAKE = "`ecgstream audit key FILE` makes one"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key; what it signs says what for, so that no signature is of use elsewhere."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, what_for: str, *parts: bytes) -> bytes:
        """Return the signature of ``parts``, 64 bytes; each but the last must be of a fixed length."""
        return self.private.sign(_message(what_for, parts))


def is_signed(public: bytes, signature: bytes, what_for: str, *parts: bytes) -> bool:
    """Return whether the owner of a public key has signed ``parts`` for this.

    >>> key = SigningKey(Ed25519PrivateKey.generate())
    >>> signature = key.sign("an example", b"1", b"2")
    >>> is_signed(key.public, signature, "an example", b"1", b"2")
    True
    >>> is_signed(key.public, signature, "another", b"1", b"2")
    False
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _message(what_for, parts))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(what_for: str, parts: tuple[bytes, ...]) -> bytes:
    return b"".join((f"ecgstream {what_for}".encode(), *parts))


def fingerprint(public: bytes) -> str:
    """Return how a public key is called: the SHA-256 of its 32 bytes, in fours.

    >>> fingerprint(bytes(32))[:19]
    '6668-7aad-f862-bd77'
    """
    digest = sha256(public).hexdigest()
    return "-".join(digest[i : i + 4] for i in range(0, len(digest), 4))


def is_called(public: bytes, said: str) -> bool:
    """Return whether a key has this fingerprint, however it is written."""
    return re.sub(r"[^0-9a-f]", "", said.lower()) == fingerprint(public).replace("-", "")


def load(path: Path | None) -> list[SigningKey]:
    """Return the keys of a file, the newest last.

    Raises:
        AuditError: there are none.
    """
    if path is None:
        raise AuditError(f"no key to sign with: set ECGSTREAM_AUDIT_KEY to its file; {_MAKE}")
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}; {_MAKE}") from None
    try:
        found = [load_pem_private_key(pem, None) for pem in _PEM.findall(text)]
    except (ValueError, TypeError):
        found = []
    keys = [SigningKey(key) for key in found if isinstance(key, Ed25519PrivateKey)]
    if not keys or len(keys) != len(found):
        raise AuditError(f"{path}: holds no Ed25519 keys in PEM form; {_MAKE}")
    return keys


def create(path: Path) -> SigningKey:
    """Make a key file, which only its owner may read.

    Raises:
        AuditError: it is there already, or cannot be written.
    """
    key = SigningKey(Ed25519PrivateKey.generate())
    try:
        _write(path, _pem(key))
    except FileExistsError:
        raise AuditError(f"{path} is there already and stays: --rotate puts a new key into it") from None
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}") from None
    return key


def rotate(path: Path) -> SigningKey:
    """Put a new key behind the one of a key file; the sealer has the old one vouch for it.

    Raises:
        AuditError: there is no key file, or it cannot be written.
    """
    old = load(path)[-1]
    key = SigningKey(Ed25519PrivateKey.generate())
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        _write(part, _pem(old) + _pem(key))
        part.replace(path)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}") from None
    return key


def _pem(key: SigningKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, text: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
