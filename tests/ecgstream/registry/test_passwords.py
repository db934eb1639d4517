"""Which passwords are accepted, and how one is checked."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.passwords import LEAST, MOST, accepted, hashed, is_outdated, matches

GOOD = "correct horse battery"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "a" * 6 + "-x9Q!f7Kw2",
        "郑州市第一人民医院护士站台三号",
        "5839 2047 1174 6",
        "nobody's 'DROP TABLE'",
        "  with blanks around  ",
        "only lower case letters",
        "k7#" * 80,
    ],
)
def test_any_kind_of_character_will_do(password: str) -> None:
    assert accepted(password, "li") == password


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "0 characters"),
        ("x7!" * 4 + "ab", "14 characters"),
        ("x7!" * 86, "258 characters"),
        ("x7!" * 10_000, "1024 characters"),
        ("aaaaaaaaaaaaaaaaaaaa", "guessed"),
        ("123456789012345", "guessed"),
        ("abcdefghijklmnop", "guessed"),
        ("password12345678", "guessed"),
        ("ECGstream2026!!", "guessed"),
        ("wang_wei_wang_wei!", "guessed"),
        ("with\ttab and more", "control"),
        ("with\u202ebidirectional", "control"),
        ("with\ud800half a pair", "control"),
    ],
)
def test_short_long_and_obvious_ones_are_refused(password: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why):
        accepted(password, "wang_wei")


@given(st.text(max_size=300))
def test_what_is_accepted_is_long_enough_and_no_message_repeats_it(password: str) -> None:
    try:
        assert LEAST <= len(accepted(password, "li")) <= MOST
    except RegistryError as error:
        assert len(password) < 4 or password not in str(error)  # noqa: PT017


def test_a_password_matches_its_own_hash_alone() -> None:
    kept = hashed(GOOD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in kept
    assert hashed(GOOD) != kept  # salted
    assert matches(kept, GOOD)
    for other in ("", GOOD + " ", GOOD.upper(), GOOD * 100, "\ud800", "a\0b"):
        assert not matches(kept, other)


def test_however_it_was_typed() -> None:
    kept = hashed("café ｆｕｌｌ width")  # noqa: RUF001
    assert matches(kept, "cafe\u0301 full width")
    longest = "가" * MOST
    assert matches(hashed(accepted("나다" + "x!" * 7, "li")), "나다" + "x!" * 7)
    assert matches(hashed(longest), "\u1100\u1161" * MOST)


def test_it_takes_one_hashing_whether_there_is_an_account_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: Any, password: Any) -> Any:
        calls.append(kept)
        return verify(self, kept, password)

    kept = hashed(GOOD)
    matches(None, GOOD)  # makes the hash that is nobody's
    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for found, right in ((kept, True), (None, False), ("", False)):
        calls.clear()
        assert matches(found, GOOD) is right
        assert len(calls) == 1
        assert calls[0].split("$")[:4] == kept.split("$")[:4]  # the same work
    assert not matches("damaged", GOOD)


def test_a_hash_with_other_parameters_is_outdated() -> None:
    assert not is_outdated(hashed(GOOD))
    old = PasswordHasher.from_parameters(CHEAPEST).hash(GOOD)
    assert is_outdated(old)
    assert matches(old, GOOD)
