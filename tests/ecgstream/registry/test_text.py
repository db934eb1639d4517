"""What a text from outside may hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.text import account, clean, code, device, moment, shown, time_zone

FINE = [
    "Zhengzhou No. 1 People's Hospital",
    "郑州市第一人民医院",
    "مستشفى الملك فيصل",
    "می‌خواهم",  # Persian needs the zero-width non-joiner
    "👩🏽‍⚕️ night",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "\U0002ebf0",  # Han, in Unicode since 15.1
    "\U0001fae8",  # an emoji of Unicode 15
    "'; DROP TABLE ecg.facility; --",
    "{{7*7}} ${jndi:ldap://x} <script>alert(1)</script> %s %(x)s [bold]x[/bold]",
    "+86 371 6591-2345",
    "-(0371) 6591.2345",
    "+86 [0] 371",
    "a=b",
    "O'Brien-Müller",
]
REFUSED = {
    "a\nb": "control",
    "a\tb": "control",
    "a\x00b": r"U\+0000",
    "a\x1b[2Jb": r"U\+001B",
    "a\x85b": "control",
    "a\u2028b": "line separator",
    "a\u2029b": "paragraph separator",
    "a\ud83d": "surrogate",
    "a\u202eb": "reverses",
    "a\u2066b": "reverses",
    "a\ue000b": "private-use",
    "a\U000f0000b": "private-use",
    "a\ufdd0": "no character",
    "a\U0002ffff": "no character",
    "a\u0378": "no character",
    "caf\ufffd": "encoding",
    "=1+1": "formula",
    "@SUM(A1)": "formula",
    "+1+cmd|' /C calc'!A0": "formula",
    "-2+3": "formula",
    "＝1": "formula",  # noqa: RUF001
    "\t=1": "formula",
}


@pytest.mark.parametrize("value", FINE)
def test_any_script_and_any_sign_is_kept_as_it_is(value: str) -> None:
    assert clean(value, "name") == unicodedata.normalize("NFC", value)


@pytest.mark.parametrize(("value", "why"), REFUSED.items(), ids=map(ascii, REFUSED))
def test_what_does_harm_is_refused_with_the_reason(value: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why) as refused:
        clean(value, "name_zh")
    assert str(refused.value).startswith("name_zh: ")
    assert str(refused.value).isprintable()


def test_a_name_of_10_kb_is_a_short_error_at_once() -> None:
    for long in ("x" * 10_240, "中" * 10_240, "e\u0301\u0323" * 100_000, "a" + "\u0301\u0323" * 100_000):
        with pytest.raises(RegistryError, match="at most 200") as refused:
            clean(long, "name")
        assert len(str(refused.value)) < 500
    assert clean("e\u0301" * 200, "name") == "é" * 200
    with pytest.raises(RegistryError, match="201 characters"):
        clean("e\u0301" * 201, "name")
    assert clean("x" * 300, "note", longest=300) == "x" * 300


def test_what_tells_who_a_patient_is_is_not_repeated() -> None:
    for value in ("Zhang Wei\x00", "=Zhang Wei", "Zhang Wei" * 30, "Zhang Wei\u202e"):
        with pytest.raises(RegistryError) as refused:
            clean(value, "family name", secret=True)
        assert "Zhang" not in str(refused.value)


def test_nothing_at_all() -> None:
    assert clean("  ", "contact", empty=True) == ""
    with pytest.raises(RegistryError, match="name: is empty"):
        clean(" \n", "name")


def outcome(check: Callable[[str], object], value: str) -> tuple[str, str]:
    """What a check returned, and what it refused with."""
    try:
        return str(check(value)), ""
    except RegistryError as refused:
        return "", str(refused)


@given(st.text(st.characters(), max_size=250))
def test_a_clean_text_is_clean_and_a_refusal_can_be_printed(value: str) -> None:
    text, said = outcome(lambda v: clean(v, "name", empty=True), value)
    assert said.isprintable()
    assert len(said) < 500
    if said:
        return
    assert clean(text, "name", empty=True) == text
    assert text == unicodedata.normalize("NFC", text) == text.strip()
    assert not {unicodedata.category(c) for c in text} & {"Cc", "Cs", "Co", "Zl", "Zp"}
    assert not set(text) & {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    assert text[:1] not in ("=", "@")
    text.encode()


@given(st.text())
def test_what_is_shown_of_a_text_is_short_and_printable(value: str) -> None:
    assert len(shown(value)) <= 40 * len(r"\U00000000") + 3
    assert shown(value).isprintable()


def test_codes_accounts_and_devices() -> None:
    assert code(" HA-zz_1 ") == "HA-zz_1"
    assert code("x" * 32) == "x" * 32
    for wrong in ("", "a.b", "中", "a b", "x" * 33, "a\n b", "é"):
        with pytest.raises(RegistryError, match="parent: "):
            code(wrong, "parent")
    assert account("dr_li2") == "dr_li2"
    for wrong in ("", "A", "a", "Li", "2a", "a-b", "a" * 42, "postgres; --"):
        with pytest.raises(RegistryError, match="account: "):
            account(wrong)
    assert device("dev/1") == "dev/1"
    for wrong in ("", "a b", "中", "x" * 65):
        with pytest.raises(RegistryError, match="device: "):
            device(wrong)


def test_time_zones_are_those_of_iana() -> None:
    assert time_zone("Asia/Urumqi") == "Asia/Urumqi"
    for wrong in (
        "",
        "China",
        "asia/shanghai",
        "UTC+8",
        "../../etc/passwd",
        "localtime",
        "Asia/Shanghai\x00x",
    ):
        with pytest.raises(RegistryError, match="time zone"):
            time_zone(wrong)


def test_times_need_an_offset() -> None:
    assert moment("2026-01-01T00:00:00.5Z", "from").isoformat() == "2026-01-01T00:00:00.500000+00:00"
    assert moment("2026-01-01 08:00+08:00", "from").isoformat() == "2026-01-01T00:00:00+00:00"
    for wrong, why in {
        "2026-01-01T00:00:00": "offset",
        "2026-01-01": "offset",
        "yesterday": "ISO 8601",
        "": "ISO 8601",
        "2026-02-30T00:00Z": "ISO 8601",
        "0001-01-01T00:00+14:00": "1970",
        "9999-12-31T23:59-14:00": "2116",
    }.items():
        with pytest.raises(RegistryError, match=why):
            moment(wrong, "from")


@given(st.text(max_size=40))
def test_a_wrong_word_is_a_registry_error_and_no_other(value: str) -> None:
    for check in (code, account, device, time_zone, lambda v: moment(v, "from")):
        assert outcome(check, value)[1].isprintable()


def test_many_errors_show_the_first_twenty() -> None:
    said = str(RegistryErrors([(n, "wrong") for n in range(1, 1501)]))
    assert said.splitlines()[0] == "1,500 errors:"
    assert said.splitlines()[-1] == "  … and 1,480 more"
    assert len(said.splitlines()) == 22
    assert str(RegistryErrors([("H-1", "no parent")])) == "1 error:\n  H-1: no parent"
