"""What a person reads, whatever room there is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.wording import SHORT, details, short, title
from tests.alerts.channels.pages import KEY_LINE, PAGE

WORDS = st.text(st.characters(exclude_categories=("C",)), max_size=200)


def test_evidence_goes_first_then_the_link_never_the_key() -> None:
    whole = details(PAGE, 10_000).split("\n")
    seen = {tuple(details(PAGE, room).split("\n")) for room in range(1, 300)}
    assert tuple(whole) in seen
    for lines in sorted(seen, key=len):
        assert lines[-1] == KEY_LINE
        body = [line for line in lines[:-1] if line != PAGE.link]
        assert body == whole[: len(body)]
        assert PAGE.link in lines or body == []


@given(text=WORDS, facility=WORDS, device=WORDS)
def test_a_text_message_has_its_length_its_title_first_and_its_key(
    text: str, facility: str, device: str
) -> None:
    page = replace(PAGE, text=text, facility=facility, device=device)
    said = short(page)
    assert len(said) <= SHORT
    assert said.endswith(f"; {KEY_LINE}")
    assert said.startswith(title(page)[:100])


@given(text=WORDS, facility=st.text(st.characters(), max_size=50))
def test_a_title_is_one_line(text: str, facility: str) -> None:
    assert len(title(replace(PAGE, text=text, facility=facility)).splitlines()) <= 1


def test_a_page_of_nobody_and_nowhere() -> None:
    page = replace(PAGE, patient="", facility="", link="")
    assert short(page) == f"!!! Asystole, 2023-11-14T22:13:20.250Z, mon-17; {KEY_LINE}"
    assert title(page) == "!!! Asystole"
