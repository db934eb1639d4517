"""Links of pages: nobody makes one without the key, and none lives for long."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import link
from alerts.link import LinkError, Links, Ticket

KEY = "k" * 32
ALERT = "f7cccd15-398d-9263-f452-554e2cbfbcb9"
LINKS = Links(KEY, "https://monitor.example/")


def ticket_of(url: str) -> str:
    return url.removeprefix(f"https://monitor.example{link.PATH}")


@given(st.uuids(), st.text(max_size=41))
def test_what_was_signed_is_read_again_whatever_the_account_is_called(alert: object, account: str) -> None:
    url = LINKS.to(str(alert), account)
    assert url.isascii()
    assert "/" not in ticket_of(url)
    assert LINKS.read(ticket_of(url)) == Ticket(str(alert), account)


@given(st.data())
def test_a_link_with_any_character_changed_is_none(data: st.DataObject) -> None:
    ticket = ticket_of(LINKS.to(ALERT, "li"))
    at = data.draw(st.integers(0, len(ticket) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != ticket[at]))
    with suppress(LinkError):
        found = LINKS.read(ticket[:at] + other + ticket[at + 1 :])
        assert found == Ticket(ALERT, "li")  # base64's last character has bits that mean nothing


@pytest.mark.parametrize("forged", ["", ".", "..", "a.b.c", "é", "x" * 5000, "AAAA~li.aaaa.bbbb"])
def test_what_is_no_link_of_ours_is_refused(forged: str) -> None:
    with pytest.raises(LinkError, match="not valid"):
        LINKS.read(forged)


def test_another_key_reads_none_of_them() -> None:
    with pytest.raises(LinkError):
        Links("other" * 10, "https://monitor.example").read(ticket_of(LINKS.to(ALERT, "li")))


def test_a_link_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = ticket_of(LINKS.to(ALERT, "li"))
    monkeypatch.setattr(link, "LIVES_S", -1)
    with pytest.raises(LinkError, match="expired") as found:
        LINKS.read(ticket)
    assert found.value.expired
