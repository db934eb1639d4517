"""Whom a gateway lets in, whatever order the topic tells it in, and what a file of it survives."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.enrolment import Change, Enrolments, change_of, pack, unpack
from devices.errors import CacheError, NotAdmittedError
from schemas.codec import encode
from schemas.errors import BadRecordError
from schemas.records import Enrolment, Vital

KEYS = (b"", b"key-1", b"key-2")
SUBJECTS = ("", "CN=dev-1,O=Hospital", "CN=dev-2")


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest() if key else b""


enrolments = st.builds(
    Enrolment,
    device=st.sampled_from(("a", "b", "c")),
    kind=st.just("monitor"),
    facility=st.sampled_from(("cn", "cn.ha.k1")),
    shard=st.integers(0, 4095),
    leads=st.lists(st.integers(1, 2**20), max_size=3).map(tuple),
    key_digest=st.sampled_from(KEYS).map(digest),
    certificate_subject=st.sampled_from(SUBJECTS),
    disabled=st.booleans(),
    changed_ns=st.integers(0, 5),
)
changes = st.one_of(
    enrolments.map(lambda e: (e.device, e)), st.sampled_from(("a", "b", "c")).map(lambda d: (d, None))
)
logs = st.lists(changes, max_size=12)
DEVICE = Enrolment(
    "a", "monitor", "cn", 7, (131329,), digest(b"key-1"), "CN=dev-1", disabled=False, changed_ns=3
)


def model(log: list[Change]) -> dict[str, Enrolment]:
    """The same, record by record."""
    present: dict[str, Enrolment] = {}
    last_ns: dict[str, int] = {}
    for device, enrolment in log:
        if enrolment is None:
            present.pop(device, None)
            continue
        known = last_ns.get(device, -1)
        if enrolment.changed_ns > known or (device in present and enrolment.changed_ns == known):
            present[device], last_ns[device] = enrolment, enrolment.changed_ns
    return present


@given(logs, st.integers(0, 12))
def test_the_newest_record_of_each_device_holds_however_the_log_is_cut(log: list[Change], cut: int) -> None:
    whole = Enrolments().changed(log)
    assert {e.device: e for e in whole} == model(log)
    assert len(whole) == len(model(log))
    parts = Enrolments().changed(log[:cut]).changed(log[cut:])
    assert list(parts) == list(whole)
    assert {d: whole.device(d) for d in "abc"} == {d: model(log).get(d) for d in "abc"}


@given(st.lists(enrolments, max_size=8, unique_by=lambda e: (e.device, e.changed_ns)), st.randoms())
def test_the_order_of_records_is_no_matter(records: list[Enrolment], random: object) -> None:
    shuffled = sorted(records, key=lambda _: random.random())  # type: ignore[attr-defined]
    one, other = (Enrolments().changed((e.device, e) for e in r) for r in (records, shuffled))
    assert {e.device: e for e in one} == {e.device: e for e in other}


@given(logs)
def test_a_key_or_a_certificate_finds_the_one_device_that_has_it(log: list[Change]) -> None:
    known = Enrolments().changed(log)
    for key in KEYS[1:]:
        have = [e for e in known if e.key_digest == digest(key)]
        assert known.with_key(key) == (have[0] if len(have) == 1 else None)
    for subject in SUBJECTS[1:]:
        have = [e for e in known if e.certificate_subject == subject]
        assert known.with_certificate(subject) == (have[0] if len(have) == 1 else None)


@given(logs)
def test_what_no_device_has_finds_none(log: list[Change]) -> None:
    known = Enrolments().changed(log)
    assert known.with_key(b"") is None
    assert known.with_key(b"another") is None
    assert known.with_certificate("") is None
    assert known.with_certificate("CN=another") is None


@given(logs)
def test_only_an_enrolled_device_that_is_not_disabled_is_admitted(log: list[Change]) -> None:
    known = Enrolments().changed(log)
    for device in "abcd":
        found = known.device(device)
        if found is not None and not found.disabled:
            assert known.admitted(device) == found
        else:
            command = "enrol" if found is None else "enable"
            with pytest.raises(
                NotAdmittedError, match=rf"^{device} is .*`ecgstream device {command} {device}"
            ):
                known.admitted(device)


def test_a_stale_record_does_not_bring_a_removed_device_back() -> None:
    removed = Enrolments().changed([("a", DEVICE), ("a", None), ("a", replace(DEVICE, changed_ns=3))])
    assert removed.device("a") is None
    assert removed.changed([("a", replace(DEVICE, changed_ns=4))]).device("a") is not None


@given(logs, st.integers(0, 2**62))
def test_a_file_gives_back_what_was_put_in(log: list[Change], as_of_ns: int) -> None:
    known = Enrolments().changed(log)
    found, found_ns = unpack(pack(known, as_of_ns))
    assert list(found) == list(known)
    assert found_ns == as_of_ns


@given(st.data())
def test_a_torn_or_changed_file_is_refused(data: st.DataObject) -> None:
    whole = pack(Enrolments().changed([("a", DEVICE), ("b", replace(DEVICE, device="b"))]), 5)
    body = whole.index(b"\n") + 1
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    at = data.draw(st.integers(body, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    longer = whole + data.draw(st.binary(min_size=1))
    for bad in (torn, flipped, longer):
        with pytest.raises(CacheError):
            unpack(bad)


@given(st.binary(max_size=200))
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(CacheError):
        unpack(data)


@pytest.mark.parametrize("head", [b'{"version": 1, "as_of_ns": 1e999, "sha256": ""}', b'{"a":' * 100_000])
def test_a_file_whose_head_cannot_be_meant_is_refused(head: bytes) -> None:
    line, _, body = pack(Enrolments(), 5).partition(b"\n")
    with pytest.raises(CacheError):
        unpack(line[: line.index(b"{")] + head + b"\n" + body)


def test_a_file_of_another_version_says_so() -> None:
    line, _, body = pack(Enrolments(), 5).partition(b"\n")
    begin = line.index(b"{")
    newer = json.dumps(json.loads(line[begin:]) | {"version": 2}).encode()
    with pytest.raises(CacheError, match="version 2, not 1"):
        unpack(line[:begin] + newer + b"\n" + body)


def test_a_record_says_what_changed() -> None:
    assert change_of(b"a", encode(DEVICE)) == ("a", DEVICE)
    assert change_of(b"a", None) == ("a", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"b", encode(DEVICE)),
        (None, encode(DEVICE)),
        (b"a", b"something else"),
        (b"a", encode(Vital("a", 1, 1, 150456, 97.0))),
        (b"\xff", None),
    ],
)
def test_a_record_that_is_no_enrolment_of_its_key_is_refused(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(BadRecordError):
        change_of(key, value)
