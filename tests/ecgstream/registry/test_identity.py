"""What an identifier may be, how two are compared, and pseudonyms."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.identity import (
    Kind,
    check,
    new_pseudonym,
    normalised,
    pseudonym,
    shown_pseudonym,
)
from schemas.checks import PSEUDONYM

every_kind = pytest.mark.parametrize("kind", Kind)


def test_pseudonyms_are_random_and_fit_everywhere() -> None:
    made = {new_pseudonym() for _ in range(10_000)}
    assert len(made) == 10_000
    for one in made:
        assert re.fullmatch("P-[A-Z2-7]{10}", one)
        assert PSEUDONYM.fullmatch(one)
        assert pseudonym(one.lower()) == one == shown_pseudonym(one)
    letters = "".join(made)
    assert set(letters) == set("P-ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


@pytest.mark.parametrize(
    "value", ["", " ", "王小明", "Wang Wei", "P-ÄBCDEFGHIJ", "x" * 33, "P\n1", "x" * 10_000]
)
def test_what_can_be_no_pseudonym_is_not_repeated(value: str) -> None:
    with pytest.raises(RegistryError) as refused:
        pseudonym(value)
    assert str(refused.value) == "this is no pseudonym, as P-ABCDEFGHIJ is. `ecgstream patient find` finds it"


def test_another_houses_pseudonym_is_taken_and_not_shown() -> None:
    assert pseudonym(" WangWei ") == "WangWei"
    assert shown_pseudonym("WangWei") == "of this pseudonym"


@every_kind
@pytest.mark.parametrize(
    "value",
    [
        "O'Brien-Müller",
        "欧阳\U0002ebf0",
        "محمد بن سلمان",
        "٠٣٧١",
        "👩🏽‍⚕️ 7",
        "Robert'); DROP TABLE ecg.patient;--",
        "{{7*7}}%s$1",
    ],
)
def test_any_script_and_sign_is_kept(kind: Kind, value: str) -> None:
    assert check(kind, value) == value


@every_kind
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("x" * 10_240, "has 10,240 characters"),
        ("SECRET\x1b[2J", "control character"),
        ("SECRET\u202e", "reverses"),
        ("SECRET\ufffd", "wrong encoding"),
        ("=SECRET()", "formula"),
        ("SECRET\x00", r"U\+0000"),
    ],
)
def test_what_does_harm_is_refused_and_not_repeated(kind: Kind, value: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why) as refused:
        check(kind, value)
    assert str(refused.value).startswith(f"{kind}: ")
    assert "SECRET" not in str(refused.value)
    assert "SECRET" not in repr(refused.value.__context__)


# The example of GB 11643-1999, and made numbers.
VALID = [
    "11010519491231002X",
    "440524188001010014",
    "11010519491231002x",
    "１１０１０５１９４９１２３１００２Ｘ",  # noqa: RUF001
]


@pytest.mark.parametrize("number", [*VALID, "110105 19491231 002X"])
def test_a_chinese_number_with_its_check_digit_is_taken(number: str) -> None:
    check(Kind.NATIONAL_ID, number)
    assert normalised(Kind.NATIONAL_ID, number) in ("11010519491231002x", "440524188001010014")


@given(st.sampled_from(VALID[:2]), st.integers(0, 17), st.sampled_from("0123456789X"))
@example("440524188001010014", 17, "X")
def test_one_wrong_digit_of_a_chinese_number_is_noticed(number: str, where: int, digit: str) -> None:
    wrong = number[:where] + digit + number[where + 1 :]
    if wrong == number or "X" in wrong[:17]:
        return
    with pytest.raises(
        RegistryError, match=r"national_id: does not fit its check digit \(GB 11643\)"
    ) as refused:
        check(Kind.NATIONAL_ID, wrong)
    assert wrong not in str(refused.value)


@given(st.sampled_from(VALID[:2]), st.integers(0, 16))
def test_two_digits_that_changed_places_are_noticed(number: str, where: int) -> None:
    swapped = number[:where] + number[where + 1] + number[where] + number[where + 2 :]
    if swapped == number or "X" in swapped[:17]:
        return
    with pytest.raises(RegistryError, match="check digit"):
        check(Kind.NATIONAL_ID, swapped)


@pytest.mark.parametrize(
    "number", ["1101051949123100", "AB123456", "110105194912310020000", "H123456(7)", "٢٩٩٠١٠١"]
)
def test_a_number_of_another_form_is_taken_as_it_is(number: str) -> None:
    assert check(Kind.NATIONAL_ID, number) == number


def test_other_kinds_have_no_check_digit() -> None:
    assert check(Kind.RECORD_NUMBER, "110105194912310021")


@pytest.mark.parametrize("kind", [Kind.NATIONAL_ID, Kind.RECORD_NUMBER, Kind.TELEPHONE])
@pytest.mark.parametrize("value", ["1.10105E+17", "4,4E+17", "1e+17"])
def test_what_a_spreadsheet_has_rounded_is_refused(kind: Kind, value: str) -> None:
    with pytest.raises(RegistryError, match="a spreadsheet has rounded it"):
        check(kind, value)


@pytest.mark.parametrize("kind", [Kind.NATIONAL_ID, Kind.TELEPHONE])
def test_a_number_without_letter_or_digit_is_none(kind: Kind) -> None:
    with pytest.raises(RegistryError, match="holds no letter or digit"):
        check(kind, "(/)")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.NAME, "Wang  Wei", "WANG WEI"),
        (Kind.NAME, "Ｗａｎｇ\u3000Ｗｅｉ", "wang wei"),  # noqa: RUF001
        (Kind.NAME, "Müller", "Mu\u0308ller"),
        (Kind.NAME, "Weiß", "WEISS"),
        (Kind.NAME, "王\u200b伟", "王伟"),
        (Kind.NAME, "ﷴ", "محمد"),
        (Kind.TELEPHONE, "+86 (371) 6591-2345", "86 371 65912345"),
        (Kind.TELEPHONE, "٠٣٧١ ٦٥٩١", "0371-6591"),
        (Kind.NATIONAL_ID, "11010519491231002x", "110105-19491231-002X"),
        (Kind.RECORD_NUMBER, "zy 001", "ZY  001"),
    ],
)
def test_what_people_write_alike_is_found_alike(kind: Kind, one: str, other: str) -> None:
    assert normalised(kind, one) == normalised(kind, other) != ""


def test_what_differs_is_not_found_alike() -> None:
    assert normalised(Kind.NAME, "王伟") != normalised(Kind.NAME, "王玮")
    assert normalised(Kind.RECORD_NUMBER, "00-1") != normalised(Kind.RECORD_NUMBER, "001")
    assert normalised(Kind.NAME, "wangwei") != normalised(Kind.NAME, "wang wei")


@every_kind
@given(text=st.text(max_size=50))
def test_normalised_texts_stay(kind: Kind, text: str) -> None:
    once = normalised(kind, text)
    assert normalised(kind, once) == once
