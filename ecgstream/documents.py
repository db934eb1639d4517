"""Figures in documents: tables in Markdown, between marks that name what stands there."""

from collections.abc import Sequence
from pathlib import Path


def put(document: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Raises:
        ValueError: the document has no such marks.
    """
    whole = document.read_text("utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in whole or end not in whole:
        raise ValueError(f"{document} has no place for it: {begin.strip()} … {end}")
    head, _, rest = whole.partition(begin)
    document.write_text(head + begin + text + end + rest.partition(end)[2], "utf-8")


def shown(document: Path, name: str) -> str:
    """Return what stands between the marks."""
    whole = document.read_text("utf-8")
    return whole.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown.

    >>> print(table(["a", "b"], [["1", "2"]]), end="")
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
