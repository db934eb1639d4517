"""People from a file into a real database."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from ecgstream.commands.person import app
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.command import Command
from tests.system.people import ROOT, root

HEAD = "account,name,kind,facility\n"


@pytest.fixture
def person(database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    migrate(database_url)
    with connect(database_url) as owner:
        root(owner)
    return Command(app, database_url, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "staff.csv"


def roles_of(url: str, like: str) -> int:
    with connect(url) as owner:
        return owner.execute("SELECT FROM pg_roles WHERE rolname ~ %s", (f"^person_{like}",)).rowcount


def test_accounts_positions_and_roles_come_in_once(person: Command, file: Path) -> None:
    imp = f"imp_{uuid.uuid4().hex[:8]}"  # roles are the server's, and outlive this database
    rows = [f"{imp}_{n},王{n},clinic,{ROOT}" for n in range(50)]
    rows += [f"{imp}_{n},王{n},expert,{ROOT}" for n in range(10)] + [f"{imp}_nowhere,Nowhere,,"]
    file.write_text(HEAD + "\n".join(rows), "utf-8")
    listed = person.json("import", file, "--dry-run")
    assert [sum(row["change"] == change for row in listed) for change in ("added", "placed")] == [51, 60]
    assert person.json("list") == []
    assert roles_of(person.url, f"{imp}_nowhere") == 0
    _, said = person("import", file, "--by", "ops")
    assert said == "51 added, 0 changed, 60 positions, 0 unchanged\n"
    assert roles_of(person.url, rf"{imp}_\d+$") == 50
    assert len(person.json("list", "--kind", "expert")) == 10
    assert person.json("import", file) == [{"added": 0, "changed": 0, "positions": 0, "unchanged": 51}]
    file.write_text(HEAD + f"{imp}_0,王零,auditor,{ROOT}\n", "utf-8")
    assert "changed" in person("import", file, "--dry-run")[0]
    assert person.json("import", file) == [{"added": 0, "changed": 1, "positions": 1, "unchanged": 0}]
    (found,) = person.json("show", f"{imp}_0")
    assert (found["name"], len(found["positions"])) == ("王零", 3)
    with connect(person.url) as owner:
        names = owner.execute(
            "SELECT DISTINCT account FROM ecg.change WHERE object = 'person' AND key = %s", (f"{imp}_1",)
        )
        assert names.fetchall() == [("ops",)]


def test_all_or_nothing(person: Command, file: Path) -> None:
    file.write_text(HEAD + f"none_1,One,clinic,{ROOT}\nnone_2,Two,clinic,Q\nnone_3,Three,boss,{ROOT}\n")
    assert "line 4: kind" in person.refused("import", file)
    file.write_text(HEAD + f"none_1,One,clinic,{ROOT}\nnone_2,Two,clinic,Q\n")
    assert "line 3: account none_2: there is no facility Q" in person.refused("import", file)
    person("add", "busy", "--name", "x", "--kind", "clinic", "--facility", ROOT)
    file.write_text(HEAD + f"none_1,One,clinic,{ROOT}\n")
    assert "is not operator" in person.refused("import", file, "--by", "busy")
    assert [found["account"] for found in person.json("list")] == ["busy"]
    assert roles_of(person.url, "none_") == 0


def test_gb18030_and_what_is_no_such_file(person: Command, file: Path) -> None:
    file.write_bytes((HEAD + "gb_1,王伟,,\n").encode("gb18030"))
    assert "--encoding gb18030" in person.refused("import", file)
    person("import", file, "--encoding", "gb18030")
    assert person.json("show", "gb_1")[0]["name"] == "王伟"
    assert "No such file" in person.refused("import", file.with_name("none.csv"))
