"""Two languages: whatever a dashboard says, it says in both, or it cannot be written down."""

from enum import StrEnum
from typing import NamedTuple


class Language(StrEnum):
    """Languages of dashboards, as BCP 47 names them."""

    ENGLISH = "en"
    CHINESE = "zh-Hans"


class Words(NamedTuple):
    """A text in both languages.

    >>> Words("Patients", "患者").say(Language.CHINESE)
    '患者'
    """

    english: str
    chinese: str

    def say(self, language: Language) -> str:
        """Return the text in a language."""
        return self.english if language is Language.ENGLISH else self.chinese
