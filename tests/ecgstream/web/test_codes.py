"""Personal codes: whose they are, and how often one may be wrong."""

import os
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from ecgstream.tries import TRIES, TRIES_S, Tries
from ecgstream.web.codes import Codes, CodesError

CHEAP = PasswordHasher.from_parameters(CHEAPEST)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "codes"
    path.touch(mode=0o600)
    return path


def write(file: Path, **codes: str) -> None:
    lines = [f"{account} {CHEAP.hash(code)}" for account, code in codes.items()]
    file.write_text("\n".join(["# who may answer", "", *lines, ""]))


def test_a_code_is_its_accounts_alone(file: Path) -> None:
    write(file, li="428617", wang="735190")
    codes = Codes(file)
    assert codes.match("li", "428617")
    assert not codes.match("li", "735190")
    assert not codes.match("zhao", "428617")
    assert not codes.match("li", "")


def test_who_is_taken_out_of_the_file_is_refused_at_once(file: Path) -> None:
    write(file, li="428617")
    codes = Codes(file)
    write(file, wang="735190")
    os.utime(file, ns=(1, 1))
    assert not codes.match("li", "428617")
    assert codes.match("wang", "735190")


def test_a_file_that_others_read_or_that_is_gone_is_said(file: Path) -> None:
    write(file, li="428617")
    codes = Codes(file)
    file.chmod(0o640)
    os.utime(file, ns=(1, 1))
    with pytest.raises(CodesError, match="chmod 600"):
        codes.match("li", "428617")
    file.unlink()
    with pytest.raises(CodesError, match="cannot be read"):
        codes.match("li", "428617")
    with pytest.raises(CodesError, match="cannot be read"):
        Codes(file)


def test_what_was_handed_over_as_a_secret_may_be_read_by_others_and_written_by_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, li="428617")
    monkeypatch.setenv("ECGSTREAM_SECRETS", str(file.parent))
    file.chmod(0o444)
    assert Codes(file).match("li", "428617")
    file.chmod(0o464)
    with pytest.raises(CodesError, match="open to others"):
        Codes(file)


@pytest.mark.parametrize("wrong", ["li 428617", "li", "li $argon2id$x\nli $argon2id$y"])
def test_a_wrong_line_is_named_and_not_repeated(file: Path, wrong: str) -> None:
    file.write_text(wrong)
    with pytest.raises(CodesError, match="codes, line") as found:
        Codes(file)
    assert "428617" not in str(found.value)


def test_after_some_wrong_codes_none_is_looked_at_for_a_while() -> None:
    now_s = 0.0
    tries = Tries(lambda: now_s)
    assert [tries.take("li") for _ in range(TRIES + 2)] == [True] * TRIES + [False] * 2
    assert tries.take("wang")
    now_s = TRIES_S
    assert tries.take("li")


def test_a_right_code_forgets_the_wrong_ones() -> None:
    tries = Tries(lambda: 0.0)
    for _ in range(3 * TRIES):
        assert tries.take("li")
        tries.right("li")


def test_memory_is_bounded_whoever_tries() -> None:
    now_s = 0.0
    tries = Tries(lambda: now_s)
    assert all(tries.take(f"account-{n}") for n in range(10_000))
    assert not tries.take("one more")
    assert tries.take("account-7")
    now_s = TRIES_S
    assert tries.take("one more")
