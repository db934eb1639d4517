"""How a person is asked for a password."""

import sys
from collections.abc import Iterator

import pytest

from ecgstream.broker.errors import BrokerError
from ecgstream.commands.kafka import _asked_for


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a person types next, at a terminal."""
    words: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: words.pop(0))
    yield words
    assert words == []


def test_a_password_is_typed_twice(typed: list[str]) -> None:
    typed += ["a-good-password-1", "a-good-password-1"]
    assert _asked_for("sink-1") == "a-good-password-1"


def test_nothing_typed_leaves_the_present_one(typed: list[str]) -> None:
    typed += [""]
    assert _asked_for("sink-1") is None


def test_two_that_differ_change_nothing_and_are_not_shown(typed: list[str]) -> None:
    typed += ["a-good-password-1", "a-good-password-2"]
    with pytest.raises(BrokerError, match="the two differ") as found:
        _asked_for("sink-1")
    assert "a-good" not in str(found.value)
