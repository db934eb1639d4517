"""Passwords of accounts: which are accepted, how they are kept, how one is checked.

What is asked of one is length and that it is none of the first to be tried, never kinds of characters (NIST
SP 800-63B-4, 3.1.1.2: 15 characters where the password is the only factor; a personal code, which opens
nothing without the link of a page, has 6). What is kept is an argon2id hash
(RFC 9106), which names its own parameters, so that they can be raised later.
"""

import secrets
import unicodedata
from functools import cache
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from ecgstream.registry.errors import RegistryError

LEAST = 15
MOST = 256
LEAST_OF_CODE = 6
_LEAST_SURPRISES = 6
_LEAST_SURPRISES_OF_CODE = 4
_OBVIOUS = ("ecgstream", "password")

# RFC 9106, 4, second recommendation: 64 MiB, 3 passes, 4 lanes. OWASP's least is 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def accepted(password: str, account: str) -> str:
    """Return a new password of an account as it will be kept, or say why it is refused.

    Raises:
        RegistryError: it is too short, too long, cannot be typed again, or is among the first that somebody
            would try. No message repeats it.

    >>> accepted("correct horse battery staple", "li")
    'correct horse battery staple'
    >>> accepted("aaaaaaaaaaaa1234", "li")
    Traceback (most recent call last):
    ecgstream.registry.errors.RegistryError: easily guessed: mostly a name, repetition or sequence
    """
    return _accepted("password", password, account, LEAST, _LEAST_SURPRISES)


def accepted_code(code: str, account: str) -> str:
    """Return a new personal code of an account, or say why it is refused: a second factor may be short.

    Raises:
        RegistryError: see ``accepted``; no message repeats it.

    >>> accepted_code("428617", "li")
    '428617'
    >>> accepted_code("123456", "li")
    Traceback (most recent call last):
    ecgstream.registry.errors.RegistryError: easily guessed: mostly a name, repetition or sequence
    """
    return _accepted("code", code, account, LEAST_OF_CODE, _LEAST_SURPRISES_OF_CODE)


def _accepted(what: str, given: str, account: str, least: int, surprises: int) -> str:
    text = _normal(given)
    if not least <= len(text) <= MOST:
        raise RegistryError(f"the {what} has {len(text)} characters: {least} to {MOST} are allowed")
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise RegistryError(f"the {what} holds a control character, which cannot be typed everywhere")
    if _surprises(text.casefold(), account) < surprises:
        raise RegistryError("easily guessed: mostly a name, repetition or sequence")
    return text


def _normal(password: str) -> str:
    # Keyboards compose differently. Three characters at most become one: what is cut off is too long anyway.
    return unicodedata.normalize("NFKC", password[: 4 * MOST])


def _surprises(text: str, account: str) -> int:
    """Return how many characters neither belong to an obvious word nor follow from the one before."""
    for word in (account, *_OBVIOUS):
        text = text.replace(word, "")
    steps = (abs(ord(after) - ord(before)) for before, after in pairwise(text))
    return bool(text) + sum(step > 1 for step in steps)


def hashed(password: str) -> str:
    """Return what to keep of a password: its argon2id hash with parameters and salt, in PHC form."""
    return _HASHER.hash(_normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Return whether a password is the one that was hashed; ``None``: there is none, which takes as long."""
    nobodys = _nobodys()
    attempt = _normal(password).encode("utf-8", "surrogatepass")
    try:
        return _HASHER.verify(kept or nobodys, attempt)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hashed(secrets.token_urlsafe())


def is_outdated(kept: str) -> bool:
    """Return whether a hash was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(kept)
