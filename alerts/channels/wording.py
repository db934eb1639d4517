"""What a person reads of a page: all of it, or as much as fits.

Every message ends with the page's idempotency key, so that two messages of one page can be told from two
pages, also by a person who holds both.
"""

from alerts.notify import Page, iso

SHORT = 160
"""Characters of one text message (3GPP TS 23.038, 6.2.1: 7 bits each)."""


def title(page: Page) -> str:
    """Return priority, condition and place in one line, whatever a place is called: a header is a line."""
    first = page.text.partition("\n")[0]
    return " ".join((f"{first}, {page.facility}" if page.facility else first).split())


def details(page: Page, room: int) -> str:
    """Return all lines but the title; ``room``: bytes of UTF-8.

    Where it is too narrow, lines go from the end of the text on, what was measured first; then the link. The
    key stays.
    """
    lines = page.text.split("\n")[1:]
    tail = [page.link, _key(page)] if page.link else [_key(page)]
    while lines and _bytes([*lines, *tail]) > room:
        lines.pop()
    if _bytes([*lines, *tail]) > room:
        tail = tail[-1:]
    return "\n".join([*lines, *tail])


def short(page: Page) -> str:
    """Return a page in one line of at most ``SHORT`` characters; what comes first matters most."""
    names = [page.device, page.patient and f"patient {page.patient}"]
    told = ", ".join([title(page), iso(page.onset_ns), *filter(None, names)])
    tail = f"; {_key(page)}"
    room = SHORT - len(tail)
    return (told if len(told) <= room else told[: room - 3] + "...") + tail


def _key(page: Page) -> str:
    return f"key {page.key}"


def _bytes(lines: list[str]) -> int:
    return len("\n".join(lines).encode())
