"""docs/backup.md, done as it says: what is restored is what there was, and goes on."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.embedded.postgres import _programs
from ecgstream.registry.roles import Kind
from ecgstream.settings import Settings
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.housekeeping import ROLE, keep_house
from ecgstream.store.migrate import migrate
from ecgstream.store.writer import Writer
from schemas import topics
from tests.system import made
from tests.system.access_document import statements
from tests.system.access_world import World, insert
from tests.system.conftest import ServerForAll, in_database, started
from tests.system.contents import Content, content, relations, structure, visible
from tests.system.test_access import differences
from tests.system.timescale import Timescale, client_programs

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "backup.md").read_text("utf-8")


def commands(heading: str) -> list[str]:
    """Return the shell commands below a heading of the document."""
    found = re.search(rf"^### {heading}\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, heading
    return re.findall(r"^```sh\n(.*?)^```", found[1], re.MULTILINE | re.DOTALL)


@dataclass
class Shell:
    """Runs commands as who administers the servers: source and, where there is one, target."""

    programs: Path
    backup: Path
    source: str
    target: str = ""

    def __call__(self, block: str) -> str:
        """Run a block; return what it says on both outputs."""
        named = {"SERVER": self.source, "DATABASE": in_database(self.source, "ecgstream")}
        if self.target:
            named |= {"NEW_SERVER": self.target, "NEW_DATABASE": in_database(self.target, "ecgstream")}
        path = f"{self.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env={**os.environ, **named, "PATH": path, "BACKUP": str(self.backup)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@dataclass
class Was:
    """What a database held, showed and was."""

    stored: Content
    seen: dict[str, Content]
    structure: list[list[str]]


def filled(url: str) -> World:
    """Fill every table of a database."""
    migrate(url)
    world = World(url)
    with connect(url) as owner:
        insert(owner, "session", device="d-own", session=1, origin_ns=5)
        insert(owner, "told", device="d-own", what="enrolment", digest=b"x")
        insert(owner, "audit_head", at_ns=5, seq=1, hash=bytes(32), key=bytes(32), signature=bytes(64))
        insert(owner, "audit_position", topic="ecg.audit", partition=0, next=1)
        owner.execute(
            "INSERT INTO ecg.wall (account, name, facility, sectors, key_digest, until, said_by)"
            " SELECT p.account, 'room 3', p.facility, 8, %s, now() + interval '1 day', p.account"
            " FROM ecg.position AS p ORDER BY p.account LIMIT 1",
            (bytes(32),),
        )
    with closing(Writer(connect(url, role="ecg_sink"))) as writer:
        writer.write([rows.OF[topics.TRENDS.name](made.trend("d-own").encode())], ())
        writer.note({("ecg.trends", 0): 1})
    return world


def looked_at(world: World, url: str) -> Was:
    with connect(url) as owner:
        stored = content(owner, "ecg", relations(owner, "ecg", "r"))
        assert [name for name, (_, found) in stored.items() if not found] == []
        return Was(stored, visible(world, url), structure(owner))


def goes_on(world: World, url: str) -> None:
    """Check that every service can do its work in a restored database."""
    assert migrate(url) == []
    with closing(Writer(connect(url, role="ecg_sink"))) as writer:
        assert writer.positions() == {("ecg.trends", 0): 1}
        again = rows.OF[topics.TRENDS.name](made.trend("d-own").encode())
        new = rows.OF[topics.BEATS.name](made.beats("d-own", [1, 2]).encode())
        writer.write([again, new], ())
    with connect(url, role=ROLE, autocommit=True) as connection:
        assert keep_house(connection, Settings(keep_traces_days=1), lambda _: None)
    parts = conninfo_to_dict(url) | {"user": world.role(Kind.CLINIC), "password": world.password}
    with psycopg.connect(make_conninfo(**parts)) as clinic:
        assert clinic.execute("SELECT count(*) FROM api.beats WHERE version = '1'").fetchone() != (0,)
        assert clinic.execute("SELECT count(*) FROM api.trends WHERE n = 9").fetchone() == (1,)


@pytest.fixture(params=["plain", "timescale"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """Two servers: one with a database ``ecgstream``, and an empty one of the same kind."""
    (tmp_path / "backup").mkdir()
    with ExitStack() as stack:
        if request.param == "plain":
            servers = [ServerForAll(tmp_path / name) for name in ("source", "target")]
            urls = [in_database(started(server), "postgres") for server in servers]
            programs = _programs()
        else:
            servers = [Timescale(), Timescale()]
            urls = [started(server) for server in servers]
            (tmp_path / "programs").mkdir()
            programs = client_programs(tmp_path / "programs")
        for server in servers:
            stack.callback(server.stop)
        for url in urls:
            with connect(url, autocommit=True) as owner:
                owner.execute("DROP DATABASE IF EXISTS ecgstream")
        with connect(urls[0], autocommit=True) as owner:
            owner.execute("CREATE DATABASE ecgstream TEMPLATE template0")
        yield Shell(programs, tmp_path / "backup", *urls)


def test_a_dump_is_restored_into_a_new_server(shell: Shell) -> None:
    world = filled(in_database(shell.source, "ecgstream"))
    was = looked_at(world, world.url)
    (dump,) = commands("Dumping")
    roles, before, data, behind, rights = commands("Restoring a dump")
    shell(dump)
    restoring = [roles, before, data, behind, rights] if world.has_chunks else [roles, data, rights]
    for block in restoring:
        assert "ERROR" not in shell(block)
    restored = in_database(shell.target, "ecgstream")
    with connect(restored, autocommit=True) as superuser:
        superuser.execute(statements("Where the owner is no superuser"))
        assert differences(superuser) == []
    is_now = looked_at(world, restored)
    assert is_now.stored == was.stored
    assert is_now.seen == was.seen
    for now, then in zip(is_now.structure, was.structure, strict=True):
        assert now == then
    goes_on(world, restored)


def test_a_base_backup_is_started(tmp_path: Path) -> None:
    """Of the server's files: all its databases, roles and logins."""
    source = ServerForAll(tmp_path / "source")
    (tmp_path / "backup").mkdir()
    url = started(source)
    try:
        world = filled(url)
        was = looked_at(world, url)
        (take,) = commands("Taking a base backup")
        Shell(_programs(), tmp_path / "backup", in_database(url, "postgres"))(take)
        with connect(url, autocommit=True) as owner:
            owner.execute("TRUNCATE ecg.beat")  # what comes later is not in it
    finally:
        source.stop()
    (tmp_path / "target").mkdir()
    (tmp_path / "backup" / "base").rename(tmp_path / "target" / "data")
    with ServerForAll(tmp_path / "target") as target:
        assert looked_at(world, target.url) == was
        goes_on(world, target.url)


def test_the_document_says_what_the_sink_says() -> None:
    code = (Path(__file__).resolve().parents[2] / "ecgstream" / "store" / "sink.py").read_text("utf-8")
    (event,) = set(re.findall(r"`(database_\w+)`", DOCUMENT))
    assert f'"{event}"' in code
