"""The roster for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from kafka.errors import KafkaTimeoutError

from alerts.roster.model import Roster
from alerts.roster.read import parse, tables_of, to_json, version_of
from ecgstream.tries import TRIES
from ecgstream.web.app import make_app
from ecgstream.web.codes import Codes, Doorkeeper
from ecgstream.web.roster_api import RosterApi
from schemas.records import Roster as Told
from tests.ecgstream.web.served import served

TOML = Path("fixtures/roster.toml").read_text("utf-8")
ROSTER = parse(tables_of(TOML))
KEY = ("planner", "a key that is long")
TOML_TYPE = {"Content-Type": "application/toml"}


class Topic:
    """The roster's topic."""

    def __init__(self) -> None:
        self.told: Told | None = None
        self.is_away = False

    def newest(self) -> Told | None:
        if self.is_away:
            raise KafkaTimeoutError
        return self.told

    def publish(self, roster: Roster, by: str) -> Told:
        self.told = Told(version_of(roster), to_json(roster), 1_700_000_000_000_000_000, by)
        return self.told


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def client(topic: Topic, tmp_path: Path) -> Iterator[httpx.Client]:
    file = tmp_path / "keys"
    file.touch(mode=0o600)
    file.write_text(f"{KEY[0]} {PasswordHasher.from_parameters(CHEAPEST).hash(KEY[1])}\n")
    with served(make_app([*RosterApi(Doorkeeper(Codes(file)), topic.newest, topic.publish).routes])) as made:
        made.auth = KEY
        yield made


def test_a_roster_is_published_and_read_again(client: httpx.Client, topic: Topic) -> None:
    assert client.get("/api/roster").status_code == 404
    sent = client.put("/api/roster", content=TOML, headers=TOML_TYPE)
    assert (sent.status_code, sent.json()) == (200, {"version": version_of(ROSTER)})
    assert topic.told is not None
    assert topic.told.published_by == "planner"
    found = client.get("/api/roster")
    assert found.headers["ETag"] == f'"{version_of(ROSTER)}"'
    told = found.json()
    assert (told["published_by"], told["published_at"]) == ("planner", "2023-11-14T22:13:20.000Z")
    again = client.put("/api/roster", json=told["roster"])
    assert again.json()["version"] == version_of(ROSTER)


def test_whoever_wrote_meanwhile_is_not_written_over(client: httpx.Client) -> None:
    first = client.put("/api/roster", content=TOML, headers=TOML_TYPE).json()["version"]
    since_first = TOML_TYPE | {"If-Match": f'"{first}"'}
    other = TOML + '\n[[person]]\naccount = "newcomer"\n'
    assert client.put("/api/roster", content=other, headers=since_first).status_code == 200
    assert client.put("/api/roster", content=TOML, headers=since_first).status_code == 412


def test_a_wrong_roster_is_refused_with_all_that_is_wrong(client: httpx.Client, topic: Topic) -> None:
    wrong = (
        TOML + '\n[[weekly]]\nteam = "nowhere"\nperson = "nobody"\ndays = ["mon"]\nfrom = "08:00"\nto = "8"\n'
    )
    found = client.put("/api/roster", content=wrong.encode(), headers=TOML_TYPE)
    assert found.status_code == 422
    assert any("'8' is no time of the day" in line for line in found.json()["problems"])
    for content in (b"\xff", b"[[", b"{}"):
        assert client.put("/api/roster", content=content, headers=TOML_TYPE).status_code == 422
    assert client.put("/api/roster", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert topic.told is None


def test_whom_an_alert_goes_to(client: httpx.Client) -> None:
    client.put("/api/roster", content=TOML, headers=TOML_TYPE)
    asked = {"facility": "henan/zhengzhou/h1", "at": "2026-10-15T02:00:00+08:00"}
    steps = client.get("/api/duty", params=asked).json()["steps"]
    assert [(s["after_s"], s["accounts"]) for s in steps][:2] == [(0, ["wang"]), (60, ["zhao"])]
    green = client.get("/api/duty", params=asked | {"green": "true"}).json()["steps"]
    assert green[0]["accounts"] == ["sun"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("duty?facility=", "facility is wanted"),
        ("duty?facility=a&at=tomorrow", "at is a moment"),
        ("duty?facility=a&at=2026-10-01T02:00:00", "at is a moment"),
        ("duty?facility=a&priority=URGENT", "priority is one of"),
        ("holes?days=0", "days is a whole number"),
        ("holes?days=x", "days is a whole number"),
    ],
)
def test_what_is_asked_wrongly_says_how(client: httpx.Client, query: str, words: str) -> None:
    client.put("/api/roster", content=TOML, headers=TOML_TYPE)
    found = client.get(f"/api/{query}")
    assert found.status_code == 400
    assert words in found.json()["problems"][0]


def test_holes_are_told(client: httpx.Client) -> None:
    client.put("/api/roster", content=TOML, headers=TOML_TYPE)
    found = client.get("/api/holes", params={"days": "7"}).json()["holes"]
    assert all(hole.keys() == {"team", "from", "to"} for hole in found)


def test_without_its_key_nobody_sees_or_changes_anything(client: httpx.Client, topic: Topic) -> None:
    client.auth = None
    for method, path in (("GET", "roster"), ("PUT", "roster"), ("GET", "duty?facility=a"), ("GET", "holes")):
        found = client.request(method, f"/api/{path}")
        assert found.status_code == 401
        assert found.headers["WWW-Authenticate"].startswith("Basic")
    for header in ("Basic", "Basic ?", "Basic bGk=", "Bearer x", "Basic /w=="):
        assert client.get("/api/roster", headers={"Authorization": header}).status_code == 401
    statuses = [client.get("/api/roster", auth=(KEY[0], "wrong")).status_code for _ in range(TRIES)]
    assert statuses == [401] * TRIES
    assert client.get("/api/roster", auth=KEY).status_code == 429
    assert topic.told is None


def test_while_kafka_is_away_that_is_said(client: httpx.Client, topic: Topic) -> None:
    topic.is_away = True
    found = client.get("/api/roster")
    assert (found.status_code, json.loads(found.text)["problems"]) == (503, ["Kafka cannot be reached now"])


def test_a_body_is_bounded(client: httpx.Client) -> None:
    assert client.put("/api/roster", content=b"x" * 5_000_001, headers=TOML_TYPE).status_code == 413
