"""The audit log on a real database and Kafka: what comes into it, and that no tampering goes unseen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from ecgstream.audit import keys
from ecgstream.audit.keys import fingerprint
from ecgstream.commands.audit import app
from ecgstream.store.connection import connect
from schemas.audit import AuditHead
from tests.system.access_world import insert
from tests.system.audit_site import WORDS, Site
from tests.system.command import Command


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with closing(Site(database_url, tmp_path)) as made:
        yield made


def test_what_is_changed_is_in_it_and_nobodys_words(site: Site) -> None:
    with connect(site.url, role="ecg_registry") as registry:
        where = {
            "code": "R",
            "path": "R",
            "level": 3,
            "kind": "hospital",
            "name_en": "Root",
            "name_zh": "中心",
        }
        insert(registry, "facility", **where, time_zone="UTC", changed_by="olga")
        insert(registry, "patient", patient="P-1", facility="R", changed_by="olga")
        limit = {"code": 147842, "low": 40, "high": 150.5, "reason": WORDS, "said_by": "li"}
        insert(registry, "limit_change", patient="P-1", **limit)
        registry.execute("SELECT ecg.log_read('olga', 'P-1')")
    found = site.contents("change", "read")
    assert [(e["who"], e["action"], e["kind"], e["object"]) for e in found] == [
        ("olga", "change", "facility", "R"),
        ("olga", "change", "patient", "P-1"),
        ("li", "change", "limit_change", "P-1 147842"),
        ("olga", "read", "identifier", "P-1"),
    ]
    assert {e["facility"] for e in found} == {"R"}
    assert found[2]["detail"]["after"]["reason"].startswith("sha256:")
    assert WORDS not in str(found)
    migrations = site.contents("migrate")
    assert "0018_audit.sql" in {e["object"] for e in migrations}
    site.chain.sign(site.keys)
    assert site.faults() == []


EDIT: LiteralString = """
UPDATE ecg.audit SET content = jsonb_set(content::jsonb, '{object}', '"P-x"')::text WHERE seq = 9
"""
EDIT_SHOWN: LiteralString = "UPDATE ecg.audit SET who = 'nobody' WHERE seq = 9"
REHASH: LiteralString = """
UPDATE ecg.audit AS a SET content = c.content, hash = sha256(
    'ecgstream audit 1'::bytea || b.hash || int8send(a.seq) || convert_to(c.content, 'UTF8'))
FROM ecg.audit AS b,
    (SELECT jsonb_set(content::jsonb, '{object}', '"P-x"')::text AS content FROM ecg.audit WHERE seq = 9) AS c
WHERE a.seq = 9 AND b.seq = 8
"""
REMOVE: LiteralString = "DELETE FROM ecg.audit WHERE seq BETWEEN 8 AND 9"
SWAP: LiteralString = """
UPDATE ecg.audit AS a
SET content = b.content, hash = b.hash, at = b.at, who = b.who, object = b.object, path = b.path
FROM ecg.audit AS b WHERE (a.seq = 9 AND b.seq = 10) OR (a.seq = 10 AND b.seq = 9)
"""
CUT: LiteralString = "DELETE FROM ecg.audit WHERE seq >= 9"
REWRITE: LiteralString = """
DO $$
DECLARE
    one record;
    before bytea := (SELECT hash FROM ecg.audit WHERE seq = 8);
BEGIN
    UPDATE ecg.audit SET object = 'P-x', content = jsonb_set(content::jsonb, '{object}', '"P-x"')::text
    WHERE seq = 9;
    FOR one IN SELECT seq, content FROM ecg.audit WHERE seq >= 9 ORDER BY seq LOOP
        before := sha256(
            'ecgstream audit 1'::bytea || before || int8send(one.seq) || convert_to(one.content, 'UTF8'));
        UPDATE ecg.audit SET hash = before WHERE seq = one.seq;
    END LOOP;
END $$
"""


@pytest.fixture
def grown(
    plain_postgres_url: str, new_database: Any, tmp_path: Path
) -> Iterator[tuple[Site, list[AuditHead]]]:
    with closing(Site(new_database(plain_postgres_url), tmp_path)) as made:
        yield made, made.grow()


@pytest.mark.parametrize(
    ("tampering", "kind", "first"),
    [
        (EDIT_SHOWN, "edited", 9),
        (EDIT, "edited", 9),
        (REHASH, "edited", 10),
        (REMOVE, "removed", 8),
        (SWAP, "moved", 9),
        (CUT, "cut", 9),
        (REWRITE, "rewritten", None),
    ],
    ids=["edited-shown", "edited", "rehashed", "removed", "reordered", "truncated", "rewritten"],
)
def test_each_tampering_is_found_and_said_where(
    grown: tuple[Site, list[AuditHead]], tampering: LiteralString, kind: str, first: int | None
) -> None:
    site, _ = grown
    assert site.faults() == []
    with site.by_force() as owner:
        owner.execute(tampering)
    found = site.faults()
    assert kind in {f.kind for f in found}
    assert first is None or any(f.first <= first <= f.last for f in found if f.kind == kind)


def test_a_tail_that_was_cut_with_its_heads_shows_by_the_heads_in_kafka(
    grown: tuple[Site, list[AuditHead]],
) -> None:
    site, heads = grown
    with site.by_force() as owner:
        owner.execute("DELETE FROM ecg.audit WHERE seq > %s", (heads[0].seq,))
        owner.execute("DELETE FROM ecg.audit_head WHERE seq > %s", (heads[0].seq,))
    assert site.faults() == []
    (fault,) = site.faults(heads)
    assert (fault.kind, fault.first, fault.last) == ("cut", heads[0].seq + 1, heads[-1].seq)


def test_nobody_may_write_the_chain_and_the_owner_not_by_accident(site: Site) -> None:
    site.say(2)
    site.chain.seal()
    roles = (
        "ecg_sealer",
        "ecg_evidence",
        "ecg_registry",
        "ecg_sink",
        "ecg_housekeeping",
        "ecg_web",
        "ecg_views",
    )
    acts: tuple[LiteralString, ...] = ("DELETE FROM {}", "UPDATE {} SET {} = {}", "TRUNCATE {}")
    for role in roles:
        with connect(site.url, autocommit=True, role=role) as other:
            for table, column in (("audit", "who"), ("audit_head", "seq"), ("audit_inbox", "who")):
                names = (sql.Identifier("ecg", table), sql.Identifier(column), sql.Identifier(column))
                for act in acts:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        other.execute(sql.SQL(act).format(*names))
    for statement in (
        "UPDATE ecg.audit SET who = 'x'",
        "DELETE FROM ecg.audit",
        "TRUNCATE ecg.audit",
        "DELETE FROM ecg.audit_head",
        "UPDATE ecg.audit_inbox SET who = 'x'",
    ):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only added to"):
            site.owner.execute(statement)  # type: ignore[arg-type]
    for role in ("ecg_registry", "ecg_evidence"):
        with connect(site.url, role=role) as other, pytest.raises(psycopg.Error):
            other.execute("SELECT ecg.seal(1)")


def test_only_the_sealer_says_which_key_signs(site: Site) -> None:
    name = f"registry_{time.time_ns()}"
    site.owner.execute(sql.SQL("CREATE ROLE {} IN ROLE ecg_registry").format(sql.Identifier(name)))
    try:
        with connect(site.url) as other:
            other.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(name)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only the sealer"):
                other.execute("SELECT ecg.note('sealer', 'key', 'key', 'x', '{}')")
        with connect(site.url, role="ecg_web") as web, pytest.raises(psycopg.errors.CheckViolation):
            web.execute("SELECT api.note('sealer', 'key', 'key', 'x', '{}')")
    finally:
        site.owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_what_commits_late_is_chained_late_and_none_is_lost_or_twice(site: Site) -> None:
    note = "SELECT ecg.note('li', 'read', 'patient', %s, '{}')"
    with connect(site.url, role="ecg_registry") as slow:
        slow.execute(note, ("P-slow",))  # its number comes first
        site.say(3)
        assert site.chain.seal() >= 3
        slow.commit()
    assert site.chain.seal() == 1
    assert site.chain.seal() == 0
    with connect(site.url, role="ecg_registry") as undone:
        undone.execute(note, ("P-undone",))
        undone.rollback()
    objects = [e["object"] for e in site.contents("read")]
    assert objects == ["P-0", "P-1", "P-2", "P-slow"]
    assert site.faults() == []


def test_a_key_is_renewed_in_the_chain(site: Site) -> None:
    site.grow()
    keys.rotate(site.file)
    site.grow()
    assert site.faults() == []
    site.file.unlink()
    keys.create(site.file)
    site.grow()
    assert [f.kind for f in site.faults()] == ["signed by another key from here on"]


def test_the_commands(
    grown: tuple[Site, list[AuditHead]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, _ = grown
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", "chen")
    monkeypatch.setenv("ECGSTREAM_AUDIT_KEY", str(site.file))
    monkeypatch.delenv("ECGSTREAM_KAFKA", raising=False)
    run = Command(app, site.url, capsys)
    name = fingerprint(site.keys[-1].public)
    out, said = run("verify", "--key", name)
    assert out.startswith("As it was sealed: ")
    assert name in out
    assert "Not compared with the heads in Kafka" in said
    assert run.json("verify")["faults"] == []
    shown, _ = run("show", "--kind", "patient", "--who", "li_2")
    assert shown.count("P-2") == 3
    site.chain.seal()
    (looked,) = run.json("show", "--action", "read", "--most", "1")
    assert (looked["who"], looked["detail"]["command"]) == ("chen", "audit show")
    file = tmp_path / "导出 log.zip"
    assert "3 entries" in run("export", file, "--who", "li_2")[1]
    capsys.readouterr()
    app(["verify-export", str(file), "--key", name], exit_on_error=False, result_action="return_value")
    assert "3 entries of the audit log, each as it was sealed" in capsys.readouterr().err
    assert "there already" in run.refused("export", file)
    assert "no offset" in run.refused("show", "--since", "2026-07-01T08:00")
    with pytest.raises(SystemExit, match="not the key that was named"):
        app(
            ["verify-export", str(file), "--key", "0" * 64], exit_on_error=False, result_action="return_value"
        )
    with site.by_force() as owner:
        owner.execute(REMOVE)
    out, _ = run("verify", status=1)
    assert "NOT AS IT WAS SEALED" in out
    assert "entries 8 to 9: removed" in out
