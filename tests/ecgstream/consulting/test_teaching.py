"""Teaching cases: nothing of whose it is stays in the copy, all of the signal does; what names is found."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.consulting.teaching import ORIGIN_NS, copy_of, faults, without_person
from ecgstream.exchange.recording import Lead, Mark, Recording, Segment

NS = 10**9
DAY_NS = 86_400 * NS


def recording(starts_ns: list[int]) -> Recording:
    lead = Lead("II", 1, 0, "mV", 250.0, 200.0)
    samples = np.arange(500, dtype=np.int16).reshape(-1, 1)
    beats, codes = np.array([10, 260]), np.frombuffer(b"NV", np.uint8)
    marks = (Mark(0, "AFIB"),)
    segments = tuple(
        Segment(ns, 250.0, (lead,), samples, beats, codes, marks, (Mark(5, "ASYSTOLE"),)) for ns in starts_ns
    )
    return Recording("P-SECRETAAAA", ("dev-secret",), segments, "ecgstream 0", ("beat 7",), ("said secret",))


@given(
    st.lists(st.integers(0, 2 * 10**9), min_size=1, max_size=5, unique=True),
    st.integers(0, 86_399_999),
)
def test_all_of_the_signal_stays_and_nothing_of_whose_it_is(starts_s: list[int], random_ms: int) -> None:
    whole, id_ = recording([s * NS for s in sorted(starts_s)]), uuid4()
    found = without_person(whole, id_, lambda _: random_ms)
    assert "secret" not in repr(replace(found, segments=())).casefold()
    assert (found.subject, found.devices, found.comments) == (str(id_), (), ())
    first = found.segments[0].start_ns
    assert ORIGIN_NS <= first < ORIGIN_NS + DAY_NS
    assert first == ORIGIN_NS + random_ms * 1_000_000
    for before, after in zip(whole.segments, found.segments, strict=True):
        assert after.start_ns - first == before.start_ns - whole.segments[0].start_ns
        assert after.samples is before.samples
        assert (after.beat_sample is before.beat_sample, after.rhythms) == (True, before.rhythms)
        assert after.conditions == ()


def test_the_copy_is_wfdb_and_the_same_whenever_it_is_written(tmp_path: Path) -> None:
    found = without_person(recording([1_700_000_000 * NS]), uuid4(), lambda _: 0)
    copies = []
    for name in "ab":
        (tmp_path / name).mkdir()
        copies.append(copy_of(found, tmp_path / name))
    assert copies[0] == copies[1]
    assert (copies[0].leads, copies[0].seconds) == (("II",), 2)
    with zipfile.ZipFile(io.BytesIO(copies[0].content)) as archive:
        names = archive.namelist()
        text = archive.read("case.hea").decode()
    assert {"case.hea", "case.dat"} < {*names}
    assert "01/01/2000" in text
    assert "secret" not in text.casefold()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("tel. 13800001234", "number"),
        ("１３８ ００００ １２３４", "number"),  # noqa: RUF001
        ("410105196001011234", "number"),
        ("41010519600101123X", "number"),
        ("0371-6555 1234", "number"),
        ("on 2026-03-05", "date"),
        ("2026年3月", "date"),
        ("3 月 5 日", "date"),
        ("5.3.26", "date"),
        ("March 2026", "date"),
        ("5 March", "date"),
        ("li@example.org", "address"),
        ("病人王伟", "name"),
        ("seen by  WANG wei.", "name"),
        ("p-abcdefghij again", "name"),
    ],
)
def test_what_tells_who_it_is_is_found(words: str, what: str) -> None:
    assert what in faults(words, ["王伟", "Wang Wei", "P-ABCDEFGHIJ"])


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Sinus rhythm 62/min, QRS 96 ms, QTc 430 ms, pause 3.2 s at night",
        "24-h Holter: 12 345 beats, may need a pacemaker in 6 to 12 months",
        "停搏 3.2 秒，24 小时内 5 次；每天两片，共 5 天",
        "V1-V6, II, III, aVF; 1:1",
    ],
)
def test_what_is_of_the_heart_is_no_fault(words: str) -> None:
    assert faults(words, ["A", "", "R", "王"]) == frozenset()


@given(st.text(), st.text(min_size=3))
def test_a_name_is_found_wherever_it_stands(words: str, name: str) -> None:
    if name.strip() and len(" ".join(name.split())) >= 3:
        assert "name" in faults(f"{words} {name} {words}", [name])
