"""What tells who a patient is: the kinds of identifier, what each may be, and the pseudonym in their stead.

No message here repeats a value.
"""

import re
import secrets
import unicodedata
from enum import StrEnum

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.text import clean
from schemas.checks import PSEUDONYM

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648: no 0, 1 and 8, which look like O, I and B
_OURS = re.compile(f"P-[{_BASE32}]{{10}}")
_ROUNDED = re.compile(r"[0-9]([.,][0-9]+)?[eE][+][0-9]+")
_CHINESE_ID = re.compile(r"[0-9]{17}[0-9X]")


class Kind(StrEnum):
    """The kinds of identifier that are kept."""

    NAME = "name"
    NATIONAL_ID = "national_id"
    RECORD_NUMBER = "record_number"
    TELEPHONE = "telephone"


ONE_PERSON = (Kind.NATIONAL_ID, Kind.RECORD_NUMBER)
"""Those that no two patients of a facility share; a name may be anybody's, a telephone a family's."""

_LONGEST = {Kind.NAME: 200, Kind.NATIONAL_ID: 40, Kind.RECORD_NUMBER: 64, Kind.TELEPHONE: 40}
_COMPACT = (Kind.NATIONAL_ID, Kind.TELEPHONE)


def new_pseudonym() -> str:
    """Return a random pseudonym, of 50 random bits: it says nothing about the patient."""
    return "P-" + "".join(secrets.choice(_BASE32) for _ in range(10))


def pseudonym(value: str) -> str:
    """Return a pseudonym as it is written, of our own form in either case of letters.

    Raises:
        RegistryError: it can be none. What it was is not repeated: it may be a name.

    >>> pseudonym(" p-abcdefghij")
    'P-ABCDEFGHIJ'
    """
    text = value.strip()
    if _OURS.fullmatch(text.upper()):
        return text.upper()
    if not text or not PSEUDONYM.fullmatch(text):
        raise RegistryError("this is no pseudonym, as P-ABCDEFGHIJ is. `ecgstream patient find` finds it")
    return text


def shown_pseudonym(value: str) -> str:
    """Return a pseudonym for a message, unless it has not our form and so may be somebody's name."""
    return value if _OURS.fullmatch(value) else "of this pseudonym"


def check(kind: Kind, value: str) -> str:
    """Return an identifier as it is kept.

    Raises:
        RegistryError: it cannot be one. A number of the form of a Chinese identity number must have the
            check digit of GB 11643; other countries' numbers are taken as they are.

    >>> check(Kind.NATIONAL_ID, "11010519491231002x")
    '11010519491231002x'
    >>> check(Kind.NATIONAL_ID, "110105194912310021")
    Traceback (most recent call last):
    ecgstream.registry.errors.RegistryError: national_id: does not fit its check digit (GB 11643)
    """
    text = clean(value, kind, longest=_LONGEST[kind], secret=True)
    if kind is not Kind.NAME and _ROUNDED.fullmatch(text):
        raise RegistryError(f"{kind}: a spreadsheet has rounded it: give the cell the format “text”")
    compact = normalised(kind, text)
    if not compact:
        raise RegistryError(f"{kind}: holds no letter or digit")
    if kind is Kind.NATIONAL_ID and _CHINESE_ID.fullmatch(compact.upper()) and not _checks(compact.upper()):
        raise RegistryError(f"{kind}: does not fit its check digit (GB 11643)")
    return text


def normalised(kind: Kind, text: str) -> str:
    """Return the form in which identifiers are compared.

    In Unicode's compatibility form, without case, marks of direction or joining, or repeated blanks; of
    national ids and telephone numbers nothing but letters and digits, in any script's digits.

    >>> normalised(Kind.NAME, "WANG   Wei")
    'wang wei'
    >>> normalised(Kind.TELEPHONE, "(0371) 6591-2345")
    '037165912345'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if kind in _COMPACT:
        return "".join(str(unicodedata.decimal(c, c)) for c in folded if c.isalnum())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


def _checks(number: str) -> bool:
    """Whether 17 digits and a check character are valid: ISO 7064, MOD 11-2."""
    remainder = sum((10 if c == "X" else int(c)) * pow(2, 17 - i, 11) for i, c in enumerate(number)) % 11
    return remainder == 1
