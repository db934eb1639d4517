"""The words of the wall's and the ECG's scripts, in two languages; a page holds them in a ``data-`` field."""

import json
from collections.abc import Callable
from pathlib import Path

from schemas.conditions import Code

SECTORS = (8, 16, 24, 32, 48, 64)
"""How many devices a wall may show at once."""

WORDS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
"""Language (``en``, ``zh``) to key to words."""


def words_of(language: str, condition: Callable[[str, str], str]) -> dict[str, str]:
    """Return a language's words, those of conditions under their code; English for one that is not known.

    Args:
        language: ``en`` or ``zh``.
        condition: returns what, in a language, a condition's code is called.
    """
    known = language if language in WORDS else "en"
    return WORDS[known] | {f"condition.{code.name}": condition(known, code.name) for code in Code}
