"""Shares: who may make them, what they open, and how they end, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ecgstream.commands.share import app
from ecgstream.registry import people
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.access_world import DAY, DAY0, NOW, World
from tests.system.command import Command


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    migrate(database_url)
    found = World(database_url)
    yield found
    found.drop_roles()


@pytest.fixture
def share(world: World, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(app, world.url, capsys)


def terms(**changed: str) -> list[str]:
    """The options of a grant that is in order."""
    since, until, expires = DAY0 + 4 * DAY, DAY0 + 30 * DAY, NOW + DAY
    found = {"since": since.isoformat(), "until": until.isoformat(), "expires": expires.isoformat()}
    found |= {"reason": "second opinion; 请会诊"} | changed
    return [word for name, value in found.items() for word in (f"--{name}", value)]


def beats(world: World, kind: Kind, at: str = "H") -> int:
    with connect(world.url, role=world.role(kind, at)) as reader:
        return reader.execute("SELECT FROM api.beats WHERE device = 'd-sibling'").rowcount


def test_a_share_opens_what_it_says_until_it_is_revoked(world: World, share: Command) -> None:
    expert = world.account(Kind.EXPERT)
    clinic = world.account(Kind.CLINIC, "S")
    assert beats(world, Kind.EXPERT) == beats(world, Kind.CLINIC) == 0
    (made,) = share.json("grant", "p-sibling", "--account", expert, *terms(), "--by", clinic)
    assert (beats(world, Kind.EXPERT), beats(world, Kind.CLINIC)) == (2, 0)  # of three, one is earlier
    share("grant", "p-sibling", "--facility", "H", *terms(since=DAY0.isoformat()))
    assert (beats(world, Kind.EXPERT), beats(world, Kind.CLINIC)) == (3, 3)
    assert beats(world, Kind.AUDITOR) == 0
    found = share.json("list", "--account", expert, "--patient", "p-sibling")
    assert [(s["id"], s["state"], s["said_by"]) for s in found] == [(made["id"], "live", clinic)]
    assert found[0]["reason"] == "second opinion; 请会诊"
    share("revoke", made["id"], "--yes", "--by", clinic)
    assert share.json("list", "--account", expert, "--patient", "p-sibling") == []
    (over,) = share.json("list", "--account", expert, "--patient", "p-sibling", "--all")
    assert (over["state"], over["revoked_by"]) == ("revoked", clinic)
    assert "revoked already" in share.refused("revoke", made["id"], "--yes")
    assert beats(world, Kind.EXPERT) == 3  # by the facility's still
    states = {s["state"] for s in share.json("list", "--all")}
    assert states == {"live", "expired", "revoked"}
    assert "second opinion" in share("list", "--facility", "H")[0]


def test_what_no_share_can_be_made_of(world: World, share: Command) -> None:
    with connect(world.url, role="ecg_registry") as registry:
        people.add(registry, [Person("gone", "Gone", (Position(Kind.EXPERT, "Q"),))], "test")
        people.disable(registry, "gone", "test")
    before = share.json("list", "--all")
    to: dict[str, Any] = {"facility": "H"}
    for patient, given, why in (
        ("P-0000000000", to, "there is no patient"),
        ("Wang Wei", to, "there is no patient of this pseudonym"),
        ("p-own", {}, "to one account or to one facility"),
        ("p-own", {"facility": "H", "account": "gone"}, "to one account or to one facility"),
        ("p-own", {"facility": "Z"}, "no facility"),
        ("p-own", {"account": "nobody"}, "no account"),
        ("p-own", {"account": "gone"}, "disabled"),
        ("p-own", {"account": world.account(Kind.OPERATOR)}, "none of clinic, cardiologist, expert"),
        ("p-own", {**to, "until": DAY0.isoformat()}, "since is not before until"),
        ("p-own", {**to, "expires": (NOW - timedelta(hours=1)).isoformat()}, "over already"),
        ("p-own", {**to, "since": "2026-07-01T08:00"}, "offset"),
        ("p-own", {**to, "reason": ""}, "reason: is empty"),
        ("p-own", {**to, "reason": "=SUM(1)"}, "formula"),
    ):
        said = share.refused("grant", patient, *terms(**given))
        assert why in said, (patient, given, said)
        assert "Wang Wei" not in said
    assert "there is no share" in share.refused("revoke", "3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11", "--yes")
    assert "no terminal" in share.refused("revoke", before[0]["id"])
    assert share.json("list", "--all") == before


def test_who_cares_for_the_patient_may_share(world: World, share: Command) -> None:
    to = ("--facility", "Q")
    for by, at in ((Kind.CLINIC, "H"), (Kind.CARDIOLOGIST, "H"), (Kind.CLINIC, "P"), (Kind.CLINIC, "W")):
        share("grant", "p-own", *to, *terms(), "--by", world.account(by, at))
    for by, at in ((Kind.CLINIC, "S"), (Kind.CLINIC, "C"), (Kind.OPERATOR, "H"), (Kind.AUDITOR, "W")):
        said = share.refused("grant", "p-own", *to, *terms(), "--by", world.account(by, at))
        assert "is not clinic or cardiologist at H or above it" in said
    (made, *_) = share.json("list", "--patient", "p-own", "--facility", "Q")
    for by, at in ((Kind.CLINIC, "S"), (Kind.EXPERT, "H")):
        said = share.refused("revoke", made["id"], "--yes", "--by", world.account(by, at))
        assert "is not clinic or cardiologist" in said
    share("revoke", made["id"], "--yes", "--by", world.account(Kind.CARDIOLOGIST))
