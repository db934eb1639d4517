"""From lines of the server's log to entries: what is carried, and what is not."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.audit.errors import AuditError
from ecgstream.audit.statements import Statements, Use, is_told, use_of

NAMED = "P-NAMED7777"


def line(*fields: str, **more: Any) -> bytes:
    """Return a line as PostgreSQL 17 writes it, with pgaudit's fields from the statement's number on."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(["SESSION", *fields])
    said = {
        "timestamp": "2026-11-28 21:47:01.909 UTC",
        "user": "person_li",
        "dbname": "ecg",
        "session_id": "6b0b4bd5.68a1",
        "error_severity": "LOG",
        "message": f"AUDIT: {text.getvalue()}",
    }
    return json.dumps(said | more, separators=(",", ":"), ensure_ascii=False).encode()


def use(**more: str) -> Use:
    whole = {"at": "t", "login": "person_li", "database": "ecg", "session": "s", "statement": "1"}
    whole |= {"action": "read", "command": "SELECT", "type": "VIEW", "object": "api.beats"}
    return Use(**whole | more)


@given(st.text(max_size=5000), st.text(max_size=100))
def test_whatever_a_statement_says_the_object_is_carried_and_not_the_words(words: str, before: str) -> None:
    statement = f"{before}{NAMED}{words}"
    told = line(
        "7", "1", "READ", "SELECT", "VIEW", "api.beats", statement, statement, application_name=before
    )
    assert is_told(told)
    found = use_of(told)
    assert found is not None
    assert (found.login, found.statement, found.object) == ("person_li", "7", "api.beats")
    (step,) = Statements().fold([found])
    assert (step.who, step.action, step.kind, step.object) == ("li", "read", "sql", "api.beats")
    assert NAMED not in repr(step)


@given(st.binary(max_size=300))
def test_a_line_that_is_broken_is_an_error_and_nothing_worse(rest: bytes) -> None:
    with pytest.raises(AuditError, match="cannot be understood"):
        use_of(b'{"message":"AUDIT: ' + rest.replace(b'"', b""))


@pytest.mark.parametrize(
    "told",
    [
        line("1"),
        line("1", "1", "READ", "SELECT", "VIEW", "x" * 301, "", ""),
        line("1", "1", "READ", "SELECT", "VIEW", "api.beats", "", "", user=None),
        line("1", "1", "READ", "SELECT", "VIEW", "api.beats", "", "", dbname=7),
        line("1", "1", "READ", "SELECT", "VIEW", "api.beats", "", "", message=["AUDIT: "]),
        b"[" * 100_000,
    ],
)
def test_what_pgaudit_does_not_write_is_an_error(told: bytes) -> None:
    with pytest.raises(AuditError, match="cannot be understood"):
        use_of(told)


def test_of_nothing_that_is_read_nothing_is_told() -> None:
    assert use_of(line("1", "1", "READ", "SELECT", "", "", "<not logged>", "<not logged>")) is None
    assert use_of(line("1", "1", "MISC", "SET", "", "", "<not logged>", "<not logged>")) is None
    assert not is_told(json.dumps({"message": "checkpoint complete", "detail": "AUDIT: "}).encode())


def test_a_name_with_commas_quotes_and_line_ends_is_one_name() -> None:
    found = use_of(line("1", "1", "WRITE", "INSERT", "TABLE", 'api."a, ""b""\n"', "", ""))
    assert found is not None
    assert (found.object, found.action) == ('api."a, ""b"" "', "change")


def test_of_a_statement_the_view_that_was_asked_for_is_kept_and_what_lies_behind_is_not() -> None:
    behind = ("api.beats", "ecg.beat", "ecg.my_window", "_timescaledb_internal._hyper_2_7_chunk", "ecg.beat")
    (step,) = Statements().fold([use(object=name) for name in behind])
    assert (step.object, step.detail["statement"]) == ("api.beats", "1")
    assert "statements" not in step.detail
    (owner,) = Statements().fold([use(object=name, login="ecg_owner") for name in behind[3:]])
    assert (owner.who, owner.object) == ("ecg_owner", "ecg.beat")
    (chunk,) = Statements().fold([use(object=behind[3])])
    assert chunk.object == behind[3]


@given(
    st.lists(
        st.tuples(st.sampled_from("st"), st.integers(1, 4), st.sampled_from(("api.a", "api.b", "ecg.c")))
    )
)
def test_what_is_folded_names_every_object_that_was_asked_for_once_a_session(
    asked: list[tuple[str, int, str]],
) -> None:
    found = Statements().fold(
        [use(session=session, statement=str(n), object=name) for session, n, name in asked]
    )
    keys = [(step.detail["session"], step.object) for step in found]
    assert len(keys) == len(set(keys))
    assert {(s, o) for s, _, o in asked if o.startswith("api.")} <= set(keys) <= {(s, o) for s, _, o in asked}
    for step in found:
        statements = {n for s, n, o in asked if (s, o) == (step.detail["session"], step.object)}
        assert step.detail.get("statements", 1) <= len(statements)


@given(st.data())
def test_a_statement_whose_lines_go_on_in_the_next_piece_makes_the_same_entries(data: st.DataObject) -> None:
    behind = ("api.beats", "ecg.beat", "ecg.place", "api.trends", "ecg.place", "api.beats", "ecg.place")
    uses = [use(object=name, statement=str(n)) for n in range(3) for name in behind]
    cut = data.draw(st.integers(0, len(uses)))
    pieces = Statements()
    counted: dict[str, int] = {}
    for piece in (uses[:cut], [], uses[cut:]):
        for step in pieces.fold(piece):
            counted[step.object] = counted.get(step.object, 0) + step.detail.get("statements", 1)
    assert counted == {"api.beats": 3, "api.trends": 3}
