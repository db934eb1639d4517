"""Each way to tamper with a chain is found, and where; a chain that is whole has no fault."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecgstream.audit.chain import Entry, hash_of
from ecgstream.audit.keys import fingerprint
from ecgstream.audit.verify import verify
from tests.ecgstream.audit.chains import Made, faults, new_key


def edited(entry: Entry, **changes: object) -> Entry:
    return entry._replace(content=json.dumps(entry.said | changes, ensure_ascii=False))


def test_a_chain_as_it_was_sealed_has_no_fault() -> None:
    made = Made().grow(20)
    assert faults(made.entries, made.heads, made.heads, made.key) == []


def test_an_edited_entry_is_named() -> None:
    made = Made().grow()
    made.entries[5] = edited(made.entries[5], detail={"note": "another"})
    (fault,) = faults(made.entries, made.heads)
    assert (fault.kind, fault.first, fault.last) == ("edited", 5, 5)
    assert str(fault).startswith("entry 5: edited.")


def test_an_edited_entry_whose_hash_was_made_anew_shows_in_the_next_one_which_names_it() -> None:
    made = Made().grow()
    one = edited(made.entries[5], detail={"note": "another"})
    made.entries[5] = one._replace(hash=hash_of(made.entries[4].hash, 5, one.content))
    found = faults(made.entries, made.heads)
    assert [(f.kind, f.first) for f in found if f.kind == "edited"] == [("edited", 6)]
    assert "or entry 5 with its hash" in found[-1].why + found[0].why


def test_what_is_searched_by_and_says_otherwise_is_found() -> None:
    made = Made().grow()
    for name, value in {"who": "zhao", "object": "P-x", "facility": None, "at": made.entries[7].at}.items():
        entries = list(made.entries)
        entries[5] = entries[5]._replace(**{name: value})  # type: ignore[arg-type]
        (fault,) = faults(entries, made.heads)
        assert (fault.kind, fault.first) == ("edited", 5), name


def test_a_removed_entry_is_named() -> None:
    made = Made().grow()
    del made.entries[6:8]
    found = faults(made.entries, made.heads)
    assert [(f.kind, f.first, f.last) for f in found if f.kind == "removed"] == [("removed", 6, 7)]


def test_the_first_entry_removed_is_named() -> None:
    made = Made().grow()
    assert ("removed", 0) in [(f.kind, f.first) for f in faults(made.entries[1:], made.heads)]


def test_a_removed_entry_with_all_others_renumbered_is_found() -> None:
    made = Made().grow()
    shifted = [*made.entries[:5], *(e._replace(seq=e.seq - 1) for e in made.entries[6:])]
    found = faults(shifted, made.heads)
    moved = next(f for f in found if f.kind == "moved")
    assert (moved.first, moved.last) == (5, len(shifted) - 1)
    assert "It is entry 6" in moved.why


def test_entries_in_another_order_are_named() -> None:
    made = Made().grow()
    five, six = made.entries[5:7]
    made.entries[5], made.entries[6] = six._replace(seq=5), five._replace(seq=6)
    (fault,) = [f for f in faults(made.entries, []) if f.kind == "moved"]
    assert (fault.first, fault.last) == (5, 6)


def test_entries_in_another_order_with_all_hashes_made_anew_contradict_a_head() -> None:
    made = Made().grow()
    swapped = [*made.entries[:5], made.entries[6], made.entries[5], *made.entries[7:]]
    found = faults(made.relinked(swapped, 5), made.heads)
    assert "rewritten" in {f.kind for f in found}


def test_a_rewritten_chain_contradicts_the_heads_from_there_on() -> None:
    made = Made().grow(12, every=3)
    entries = list(made.entries)
    entries[6] = edited(entries[6], detail={"note": "another"})
    rewritten = made.relinked(entries, 6)
    found = faults(rewritten, made.heads)
    assert {f.kind for f in found} == {"rewritten"}
    assert (found[0].first, found[0].last) == (5, len(entries) - 1)  # behind the last head that still holds


def test_a_rewritten_chain_whose_heads_were_removed_contradicts_kafka() -> None:
    made = Made().grow(12)
    entries = list(made.entries)
    entries[6] = edited(entries[6], detail={"note": "another"})
    assert faults(made.relinked(entries, 6), []) == []  # of itself it is whole
    assert {f.kind for f in faults(made.relinked(entries, 6), [], made.heads)} == {"rewritten"}


def test_a_cut_tail_is_named_by_the_heads_here_or_in_kafka() -> None:
    made = Made().grow(12, every=3)
    cut = made.entries[:8]
    (fault,) = faults(cut, made.heads)
    assert (fault.kind, fault.first, fault.last) == ("cut", 8, made.heads[-1].seq)
    kept = [head for head in made.heads if head.seq < 8]
    assert faults(cut, kept) == []
    assert [f.kind for f in faults(cut, kept, made.heads)] == ["cut"]


def test_all_removed_is_cut() -> None:
    made = Made().grow()
    for kept, copied in ((made.heads, []), ([], made.heads)):
        (fault,) = faults([], kept, copied)
        assert (fault.kind, fault.first, fault.last) == ("cut", 0, made.heads[-1].seq)


def test_another_chain_in_its_place_is_found_by_kafka_and_by_the_key() -> None:
    made, forged = Made().grow(), Made().grow()
    assert faults(forged.entries, forged.heads) == []
    (fault,) = faults(forged.entries, forged.heads, made.heads)
    assert (fault.kind, fault.why[:7]) == ("another chain", f"{len(made.heads)} heads")
    (fault,) = faults(forged.entries, forged.heads, trusted=made.key)
    assert fault.kind == "signed by another key"


def test_a_forged_head_is_found() -> None:
    made = Made().grow()
    head = replace(made.heads[-1], at_ns=made.heads[-1].at_ns + 1)
    assert [f.kind for f in faults(made.entries, [*made.heads[:-1], head])] == ["head not true"]


def test_a_head_of_a_key_that_is_not_the_chains_is_found() -> None:
    made = Made().grow()
    own, made.key = made.key, new_key()
    made.sign()
    (fault,) = faults(made.entries, made.heads)
    assert fault.kind == "head not true"
    assert fingerprint(own.public) not in fault.why


def test_a_key_that_the_one_before_has_vouched_for_takes_its_place() -> None:
    made = Made().grow(4)
    old, new = made.key, new_key()
    made.introduce(new, by=old)
    made.grow(4)
    assert faults(made.entries, made.heads, trusted=old) == []
    assert faults(made.entries, made.heads, trusted=new) == []
    report = verify(made.entries, made.heads, [])
    assert report.keys == [fingerprint(old.public), fingerprint(new.public)]


def test_a_key_that_nobody_has_vouched_for_is_told() -> None:
    made = Made().grow(4)
    made.introduce(new_key())
    made.grow(4)
    (fault,) = faults(made.entries, made.heads)
    assert fault.kind == "signed by another key from here on"
    made.introduce(new_key(), by=new_key())
    assert len(faults(made.entries, made.heads)) == 2


def test_what_is_not_signed_yet_is_told_and_no_fault() -> None:
    made = Made().grow(10, every=3)
    report = verify(made.entries, made.heads, [])
    assert report.faults == []
    assert (report.last, report.signed) == (11, 10)
    assert "The last 1 entries are chained, and not signed yet" in list(report.lines(is_named=True))


def test_a_content_that_is_no_json_is_a_fault_and_no_crash() -> None:
    made = Made().grow()
    for content in ("", "[]", '"x"', "{", "[" * 100_000, "\ud800"):
        made.entries[5] = made.entries[5]._replace(content=content)
        assert 5 in {f.first for f in faults(made.entries, made.heads)}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_change_of_one_entry_goes_unseen(data: st.DataObject) -> None:
    made = Made().grow(9, every=4)
    made.sign()
    at = data.draw(st.integers(0, len(made.entries) - 1))
    one = made.entries[at]
    position = data.draw(st.integers(0, len(one.content) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]))  # keys are others each time: so no narrower
    assume(other != one.content[position])
    changed = one._replace(content=one.content[:position] + other + one.content[position + 1 :])
    if data.draw(st.booleans()):
        before = made.entries[at - 1].hash if at else bytes(32)
        changed = changed._replace(hash=hash_of(before, at, changed.content))
    made.entries[at] = changed
    assert faults(made.entries, made.heads)


def test_thousands_of_faults_in_a_row_are_one_line() -> None:
    made = Made().grow(300)
    later = [e._replace(at=e.at + timedelta(hours=1)) for e in made.entries[10:]]
    (fault,) = faults([*made.entries[:10], *later], made.heads)
    assert (fault.first, fault.last) == (10, len(made.entries) - 1)
