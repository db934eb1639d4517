"""What a device may be, and how the devices that are enrolled become those that are wanted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.devices import (
    DEVICES_A_SHARD,
    SHARDS,
    SILENT_AFTER,
    Device,
    Kind,
    Plan,
    State,
    as_texts,
    leads,
    parse,
    plan,
    shard_of,
    state_of,
    subject,
)
from ecgstream.registry.errors import RegistryError, RegistryErrors
from schemas import mdc

PLACES = {"H1": 0, "H2": 0}
HARM = [
    "a\nb",
    "a\x00b",
    "a\x1b[2Jb",
    "a\u2028b",
    "a\u202eb",
    "a\ud83d",
    "a\ue000b",
    "caf\ufffd",
    "=1+1",
    "x" * 10_000,
]
GOOD = {
    "device": "mon-1",
    "facility": "H1",
    "kind": "patch",
    "leads": "I II",
    "shard": "",
    "certificate_subject": "",
    "disabled": "",
}
MON = Device("mon-1", "H1", Kind.PATCH, (mdc.LEADS["I"], mdc.LEADS["II"]))

a_lead = st.sampled_from(sorted(mdc.LEADS.values()))
a_device = st.builds(
    Device,
    st.sampled_from([f"d{i}" for i in range(6)]),
    st.sampled_from(sorted(PLACES)),
    st.sampled_from(Kind),
    st.lists(a_lead, unique=True, max_size=4).map(tuple),
    st.none(),
    st.sampled_from([None, ""]),
    st.sampled_from([None, True, False]),
)
devices = st.lists(a_device, unique_by=lambda d: d.device)


def applied(current: dict[str, Device], found: Plan) -> dict[str, Device]:
    return current | {device.device: device for device in (*found.added, *found.altered)}


def wrong(**fields: str) -> str:
    with pytest.raises(RegistryErrors) as refused:
        parse(GOOD | fields)
    return str(refused.value)


def test_an_empty_optional_field_leaves_what_is_there() -> None:
    assert parse(GOOD) == MON
    assert parse(GOOD | {"shard": " 7 ", "disabled": "Yes", "certificate_subject": " CN=a "}) == replace(
        MON, shard=7, disabled=True, certificate_subject="CN=a"
    )


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("device", "", "is empty"),
        ("device", "two words", "printable ASCII"),
        ("device", "监护仪", "printable ASCII"),
        ("device", "🫀", "printable ASCII"),
        ("device", "x" * 65, "64"),
        ("device", "x" * 10_000, "10,000"),
        ("device", "=1+1", "formula"),
        ("device", "@SUM(A1)", "formula"),
        ("facility", "a.b", "letters, digits"),
        ("facility", "'; DROP TABLE ecg.enrolment; --", "letters, digits"),
        ("facility", "郑州", "letters, digits"),
        ("kind", "toaster", "none of bedside_monitor"),
        ("kind", "", "none of"),
        ("leads", "I FOO", "'FOO' is none of I II"),
        ("leads", "I,II", "a space"),
        ("leads", "II MLII", "II is there twice"),
        ("leads", "{{7*7}}", "is none of"),
        ("leads", "I " * 5000, "10,000"),
        ("shard", "4096", "0 to 4095"),
        ("shard", "-1", "0 to 4095"),
        ("shard", "٣", "0 to 4095"),
        ("shard", "1e3", "0 to 4095"),
        ("certificate_subject", "mon-1", "RFC 4514"),
        ("certificate_subject", "CN=" + "x" * 10_000, "at most 500"),
        ("certificate_subject", "CN=" + "x" * 65, "64"),
        ("certificate_subject", "CN=a\\00b", "control character"),
        ("certificate_subject", "CN=#0403", "control character"),
        ("certificate_subject", "CN=a\u202eb", "direction of reading"),
        ("disabled", "maybe", "neither yes nor no"),
        ("disabled", "1", "neither yes nor no"),
    ],
)
def test_what_no_device_has(field: str, value: str, why: str) -> None:
    said = wrong(**{field: value})
    assert why in said
    assert said.startswith("1 error:")
    assert len(said) < 600


@pytest.mark.parametrize("field", ["device", "facility", "kind", "leads", "shard", "certificate_subject"])
@pytest.mark.parametrize("value", HARM)
def test_nothing_harmful_comes_in_or_is_repeated(field: str, value: str) -> None:
    said = wrong(**{field: value})
    assert all(line.isprintable() for line in said.splitlines())


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = wrong(device="", facility="", kind="", leads="?", shard="?", certificate_subject="?", disabled="?")
    assert said.startswith("7 errors:")


@given(st.text(max_size=60))
def test_any_subject_is_refused_clearly_or_stays_what_it_is(value: str) -> None:
    try:
        found = subject(value)
    except RegistryError:
        return
    assert subject(found) == found


def test_subjects_of_many_scripts() -> None:
    for name in ("CN=监护仪 1,O=郑州市医院,C=CN", "CN=جهاز", "CN=🫀", "CN=a\\, b"):
        assert subject(name) == name


def test_leads_go_by_the_names_that_monitors_show() -> None:
    assert leads("i avr MLII ECG") == (mdc.LEADS["I"], mdc.LEADS["aVR"], mdc.LEADS["II"], mdc.ECG)
    assert leads(" ") == ()


@given(a_device.map(lambda d: replace(d, shard=17, disabled=bool(d.disabled), certificate_subject="CN=a")))
def test_texts_and_back(device: Device) -> None:
    assert parse(as_texts(device)) == device


def test_a_small_facility_is_one_shard_and_a_large_one_several() -> None:
    shards = [shard_of("H1", n) for n in range(4 * DEVICES_A_SHARD)]
    assert all(0 <= shard < SHARDS for shard in shards)
    assert list(Counter(shards).values()) == [DEVICES_A_SHARD] * 4
    assert shards[0] == 2216  # for ever: zlib's CRC-32 of "H1/0"


def test_shards_of_new_devices_go_on_from_those_enrolled() -> None:
    wanted = [replace(MON, device=f"d{i}") for i in range(3)]
    found = plan({}, wanted, {"H1": DEVICES_A_SHARD - 2}, {})
    first, second = shard_of("H1", 0), shard_of("H1", DEVICES_A_SHARD)
    assert [device.shard for device in found.added] == [first, first, second]


@given(devices, devices)
def test_what_is_planned_twice_changes_nothing_the_second_time(
    before: list[Device], wanted: list[Device]
) -> None:
    current = applied({}, plan({}, before, PLACES, {}))
    found = plan(current, wanted, PLACES, {})
    after = applied(current, found)
    again = plan(after, wanted, PLACES, {})
    assert (again.added, again.altered, again.unchanged) == ((), (), len(wanted))
    for device in wanted:
        assert after[device.device].facility == device.facility
        assert after[device.device].disabled == bool(
            current.get(device.device, MON).disabled if device.disabled is None else device.disabled
        )
    for name, old in current.items():
        assert after[name].shard == old.shard
    assert len(found.added) + len(found.altered) + found.unchanged == len(wanted)
    assert {c.device for c in (*found.changed, *found.moved)} == {d.device for d in found.altered}


def test_changes_are_told_by_field_and_moves_apart() -> None:
    current = applied({}, plan({}, [MON], PLACES, {}))
    wanted = replace(MON, facility="H2", leads=(), disabled=True)
    found = plan(current, [wanted], PLACES, {})
    assert [(c.field, c.before, c.after) for c in found.moved] == [("facility", "H1", "H2")]
    assert [(c.field, c.before, c.after) for c in found.changed] == [
        ("leads", "I II", ""),
        ("disabled", "no", "yes"),
    ]
    assert found.disabled == ("mon-1",)
    assert found.facilities == {"H1", "H2"}


def test_everything_that_cannot_be_is_listed_by_line() -> None:
    enrolled = applied({}, plan({}, [replace(MON, shard=5, certificate_subject="CN=a")], PLACES, {}))
    wanted = [
        replace(MON, shard=6),
        replace(MON, device="d2", facility="H9"),
        replace(MON, device="d3", certificate_subject="CN=a"),
        replace(MON, device="d4", certificate_subject="CN=b"),
        replace(MON, device="d5", certificate_subject="CN=b"),
        replace(MON, device="d4"),
    ]
    with pytest.raises(RegistryErrors) as refused:
        plan(enrolled, wanted, PLACES, {"CN=a": "mon-1"}, [2, 3, 4, 5, 6, 7])
    assert refused.value.found == (
        (2, "the shard of device mon-1 is 5 and never changes: leave it empty"),
        (3, "there is no facility H9"),
        (4, "the certificate subject is that of device mon-1: take it from there first"),
        (6, "the certificate subject is there more than once (first: line 5)"),
        (7, "device d4 is there more than once (first: line 5)"),
    )


def test_states() -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    device = replace(MON, disabled=False)
    assert state_of(device, None, now) is State.NEVER_SEEN
    assert state_of(device, now - SILENT_AFTER, now) is State.STREAMING
    assert state_of(device, now + timedelta(hours=1), now) is State.STREAMING
    assert state_of(device, now - SILENT_AFTER - timedelta(microseconds=1), now) is State.SILENT
    assert state_of(replace(MON, disabled=True), now, now) is State.DISABLED
