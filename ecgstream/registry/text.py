"""What a text from outside may hold, the same for every field of the registry.

Any script is welcome: Chinese, Arabic, emoji. Refused is what no name needs and what does harm where it is
shown later: control characters (terminals), bidirectional overrides (a text that reads differently from what
it is), formulas (spreadsheets), texts of any length (screens). What looks like SQL, HTML or a template is a
text like any other: it is stored as it is, and whoever shows it treats it as text.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from ecgstream.registry.errors import RegistryError
from schemas.checks import DEVICE_ID, MAX_TIME_NS

LONGEST = 200
_SHOWN = 40

_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ACCOUNT = re.compile(r"[a-z][a-z0-9_]{1,40}")

# OWASP, "CSV injection"; full-width forms count too where the spreadsheet speaks Chinese or Japanese.
_FORMULA = re.compile(r"[=@＝＠]|[+＋\-－](?![\d .()\[\]-]*$)")  # noqa: RUF001

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_REFUSED = {
    "Cc": "a control character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Cs": "half a surrogate pair",
    "Co": "a private-use character, which no other computer can read",
    "Cn": "a code point that is no character",
}
# Han characters and emoji are added faster than Python's tables follow: GB 18030-2022 has names that Python
# 3.11 does not know. U+3FFFE and its like are no characters and stay refused.
_MAY_BE_NEW = re.compile("[\U0001f000-\U0001faff\U00020000-\U0002fffd\U00030000-\U0003fffd]")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = _EPOCH + timedelta(microseconds=MAX_TIME_NS // 1000)


def shown(value: str) -> str:
    r"""Return at most 40 characters of a text for a message, what cannot be seen as escapes.

    >>> shown("Zhengzhou\n" * 10)
    "'Zhengzhou\\nZhengzhou\\nZhengzhou\\nZhengzhou\\n'…"
    """
    return repr(value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")


def clean(value: str, what: str, *, longest: int = LONGEST, empty: bool = False, secret: bool = False) -> str:
    """Return a text trimmed and in Unicode's composed form (NFC), or say why it is refused.

    Args:
        value: the text as it came.
        what: what it is, for the message: ``"name_zh"``.
        longest: characters that it may have.
        empty: whether it may be empty.
        secret: the message does not repeat the text: for whatever tells who a patient is.

    Raises:
        RegistryError: see the top of this module.

    >>> clean("  Zhengzhou ", "name")
    'Zhengzhou'
    >>> clean("=1+1", "name")
    Traceback (most recent call last):
    ecgstream.registry.errors.RegistryError: name: begins like a formula of a spreadsheet: '=1+1'
    """
    text = value.strip()
    if len(text) <= 4 * longest:  # composing at most shortens to a third, and is slow on very long texts
        text = unicodedata.normalize("NFC", text).strip()
    why = _fault(text, longest, empty)
    if why:
        raise RegistryError(f"{what}: {why}" if secret or not text else f"{what}: {why}: {shown(text)}")
    return text


def _fault(text: str, longest: int, empty: bool) -> str:
    """Return what is wrong with a text, or nothing."""
    if not text:
        return "" if empty else "is empty"
    if len(text) > longest:
        return f"has {len(text):,} characters, at most {longest} are allowed"
    if _FORMULA.match(text):
        return "begins like a formula of a spreadsheet"
    if _REPLACEMENT in text:
        return f"holds {_REPLACEMENT} (U+FFFD): it was read in a wrong encoding before it came here"
    if text.isprintable():
        return ""
    if _BIDI.search(text):
        return "holds a character that reverses the direction of reading"
    for character in text:
        why = _REFUSED.get(unicodedata.category(character))
        if why and not _MAY_BE_NEW.match(character):
            return f"holds {why} (U+{ord(character):04X})"
    return ""


def code(value: str, what: str = "code") -> str:
    """Return the code of a facility, which is a label of its path (PostgreSQL, ltree).

    Raises:
        RegistryError: it is not 1 to 32 ASCII letters, digits, hyphens or underscores.
    """
    text = value.strip()
    if not _CODE.fullmatch(text):
        raise RegistryError(
            f"{what}: {shown(text)} is not 1 to 32 ASCII letters, digits, hyphens or underscores"
        )
    return text


def account(value: str, what: str = "account") -> str:
    """Return the name of an account, which is also part of a database role's name.

    Raises:
        RegistryError: it is not a lower-case ASCII letter and 1 to 40 letters, digits or underscores.
    """
    text = value.strip()
    if not _ACCOUNT.fullmatch(text):
        raise RegistryError(
            f"{what}: {shown(text)} is not a lower-case ASCII letter followed by 1 to 40 lower-case letters,"
            " digits or underscores"
        )
    return text


def device(value: str, what: str = "device") -> str:
    """Return the id of a device.

    Raises:
        RegistryError: it is not 1 to 64 printable ASCII characters without space.
    """
    text = value.strip()
    if not DEVICE_ID.fullmatch(text):
        raise RegistryError(f"{what}: {shown(text)} is not 1 to 64 printable ASCII characters without space")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})  # what this machine has, and none


def time_zone(value: str, what: str = "time_zone") -> str:
    """Return the name of a time zone.

    Raises:
        RegistryError: the IANA time zone database does not know it.

    >>> time_zone("Asia/Shanghai")
    'Asia/Shanghai'
    """
    text = value.strip()
    if text not in _zones():
        raise RegistryError(
            f"{what}: {shown(text)} is no time zone of the IANA database, as Asia/Shanghai is"
        )
    return text


def moment(value: str, what: str) -> datetime:
    """Return a point in time, in UTC, from ISO 8601 with an offset.

    Raises:
        RegistryError: it cannot be read, has no offset, or its nanoseconds are not within 62 bits.

    >>> moment("2026-07-01T08:00:00+08:00", "from").isoformat()
    '2026-07-01T00:00:00+00:00'
    >>> moment("2026-07-01T08:00", "from")
    Traceback (most recent call last):
    ecgstream.registry.errors.RegistryError: from: '2026-07-01T08:00' has no offset from UTC: add Z or +08:00
    """
    text = value.strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RegistryError(
            f"{what}: {shown(text)} is no time in ISO 8601, as 2026-07-01T08:00:00+08:00 is"
        ) from None
    if found.tzinfo is None:
        raise RegistryError(f"{what}: {shown(text)} has no offset from UTC: add Z or +08:00")
    if not _EPOCH <= found < _LAST:
        raise RegistryError(f"{what}: {shown(text)} is before 1970 or after 2116")
    return found.astimezone(UTC)
