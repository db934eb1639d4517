"""Fonts of a printed report: DejaVu, which comes with matplotlib, and Noto Sans CJK of the system."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpdf import FPDF

from ecgstream.registry.errors import RegistryError

_CJK = tuple(
    Path("/usr/share/fonts") / folder / "NotoSansCJK-Regular.ttc"
    for folder in ("opentype/noto", "google-noto-cjk", "google-noto-sans-cjk-fonts", "noto-cjk")
)
_SIMPLIFIED = 2  # of the collection: JP, KR, SC
_CHINESE = (
    ("\u2e80", "\u9fff"),
    ("\uac00", "\ud7a3"),
    ("\uf900", "\ufaff"),
    ("\uff00", "\uffef"),
    ("\U00020000", "\U0003ffff"),
)
"""Han, Kana and Hangul: what needs the font."""
FAMILY, CJK = "DejaVu", "CJK"


def install(pdf: FPDF, words: str) -> None:
    """Give a document the fonts that these words need; only what is used of them is put in.

    Raises:
        RegistryError: there are Chinese characters, and no font for them.
    """
    import matplotlib as mpl

    is_chinese = any(low <= c <= high for c in words for low, high in _CHINESE)
    found = next((file for file in _CJK if file.exists()), None)
    if is_chinese and found is None:  # before a font is opened, which only the document's output closes
        raise RegistryError(
            "there is no font with Chinese characters: install Noto Sans CJK (Debian: fonts-noto-cjk)"
        )
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    pdf.add_font(FAMILY, "", folder / "DejaVuSans.ttf")
    pdf.add_font(FAMILY, "B", folder / "DejaVuSans-Bold.ttf")
    if is_chinese and found is not None:
        pdf.add_font(CJK, "", found, collection_font_number=_SIMPLIFIED)
    pdf.set_text_shaping(use_shaping_engine=True)  # joins Arabic letters, from right to left


def of(pdf: FPDF, character: str) -> str:
    """Return the family of a character: Chinese where DejaVu does not have it and the document can."""
    return FAMILY if CJK.lower() not in pdf.fonts or ord(character) in _cmap(pdf, FAMILY) else CJK


def shown(pdf: FPDF, words: str) -> str:
    """Return words in characters that the fonts have; another one, as most emoji, is a box.

    Control characters and marks that change the direction of what follows are left out.
    """
    kept = (c for c in words if c.isprintable())
    return "".join(c if ord(c) in _cmap(pdf, of(pdf, c)) else "□" for c in kept)


def lacks(pdf: FPDF, words: str) -> bool:
    """Return whether a character of these words would be a box."""
    return any(ord(c) not in _cmap(pdf, of(pdf, c)) for c in words if c.isprintable())


def _cmap(pdf: FPDF, family: str) -> Mapping[int, Any]:
    return pdf.fonts[family.lower()].cmap  # type: ignore[union-attr]
