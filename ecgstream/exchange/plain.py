"""Text for formats that know ASCII alone."""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def ascii_of(text: str) -> str:
    r"""Return a text in printable ASCII, of one line: accents are dropped, what has no letter is an escape.

    The escapes are Python's, so that nothing is lost: ``\u7b2c`` is one of Chinese.

    >>> ascii_of("Müller aVR\n"), ascii_of("第1导联")
    ('Muller aVR', '\\u7b2c1\\u5bfc\\u8054')
    """
    return _CONTROL.sub(" ", "".join(map(_plain, unicodedata.normalize("NFC", text)))).strip()


def _plain(letter: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
    return bare if bare and bare.isascii() else letter.encode("ascii", "backslashreplace").decode()


def word_of(text: str) -> str:
    """Return a text as ``ascii_of``, without spaces.

    >>> word_of("Lead II")
    'Lead_II'
    """
    return re.sub(r"\s+", "_", ascii_of(text))
