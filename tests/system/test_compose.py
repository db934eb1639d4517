"""deploy/compose.yaml: read by Docker Compose's own loader, and started as it says, without containers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from alerts.link import Links
from ecgstream.embedded.errors import ServiceUnavailableError
from tests.deploy.composed import COMPOSE, DEPLOY, ONCE, compose, interpolated
from tests.system.composed_centre import PAGES, Composed
from tests.system.conftest import lacking
from tests.system.tools import tool

STAY = ("registry", "worker-1", "pager", "web", "monitor", "sink", "witness", "watch")
PATIENCE_S = 180.0


def needed(name: str) -> str:
    try:
        return tool(name)
    except ServiceUnavailableError as error:
        why = error
    lacking(why)
    raise why


def load(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Let the loader read a file as if it lay in deploy/. It looks at no variables."""
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    argv = [needed("compose"), "-format", "json", file]
    return subprocess.run(argv, cwd=DEPLOY, capture_output=True, text=True, check=False)


def test_compose_understands_it(tmp_path: Path) -> None:
    done = load(interpolated(COMPOSE.read_text("utf-8"), SECRETS=str(tmp_path)), tmp_path)
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)
    assert set(model["services"]) == set(compose()["services"])
    assert model["services"]["sink"]["environment"]["ECGSTREAM_KAFKA_USER"] == "sink-1"


def test_without_secrets_compose_says_how_to_make_them(tmp_path: Path) -> None:
    done = load(COMPOSE.read_text("utf-8"), tmp_path)
    assert done.returncode != 0
    assert "make them with deploy/secrets FOLDER, then set SECRETS=FOLDER" in done.stderr


def test_a_mistake_is_noticed(tmp_path: Path) -> None:
    text = interpolated(COMPOSE.read_text("utf-8"), SECRETS=str(tmp_path))
    assert load(text.replace("read_only: true", "readonly: true"), tmp_path).returncode != 0


@pytest.fixture
def centre(tmp_path: Path, timescale_url: str, new_database: Callable[[str], str]) -> Iterator[Composed]:
    needed("psql")
    url = new_database(timescale_url)
    found = Composed(tmp_path, url)
    try:
        yield found
    finally:
        found.stop()
        with psycopg.connect(url, autocommit=True) as connection:
            for login in ("sink_1", "registry_1", "watch_1", "housekeeping_1", "monitor_1", "witness_1"):
                if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).rowcount:
                    connection.execute(f"DROP OWNED BY {login}; DROP ROLE {login}")  # type: ignore[arg-type]


def start_kafka(centre: Composed) -> None:
    why: Exception | None = None
    try:
        centre.start_kafka()
    except ServiceUnavailableError as error:
        why = error
    if why is not None:
        lacking(why)  # outside of the handler, so that the report says one thing


def test_what_it_starts_comes_up_and_goes_down(centre: Composed) -> None:
    start_kafka(centre)
    for name in ("kafka-users", "migrate", "logins"):
        assert name in ONCE
        centre.once(name)
    for name in STAY:
        centre.start(name)
    deadline = time.monotonic() + PATIENCE_S
    waiting = set(STAY)
    while waiting:
        waiting = {name for name in waiting if centre.ask(name, "/ready")[0] != 200}
        ended = {n: centre.log(n).read_text() for n, p in centre.running.items() if p.poll() is not None}
        assert not ended
        assert time.monotonic() < deadline, {name: centre.log(name).read_text()[-2000:] for name in waiting}
        time.sleep(0.2)
    for name in STAY:
        assert centre.ask(name, "/health")[0] == 200
        assert "ecgstream_build_info" in centre.ask(name, "/metrics")[1]
    link = Links((centre.secrets / "link_key").read_text().strip(), "").to(str(uuid4()), "li")
    # Its own link, of an alert that there is not; and somebody else's.
    assert (centre.ask(PAGES, link)[0], centre.ask(PAGES, f"{link}x")[0]) == (410, 404)
    # Done again, as at every start, it changes nothing that runs.
    for name in ("kafka-users", "migrate", "logins"):
        centre.once(name)
    assert [centre.ask(name, "/ready")[0] for name in STAY] == [200] * len(STAY)
    assert "Traceback" not in "".join(centre.log(name).read_text() for name in STAY)
    assert centre.stop() == dict.fromkeys(STAY, 0)


def test_a_login_may_do_its_services_work_and_no_more(centre: Composed) -> None:
    for name in ("migrate", "logins"):
        centre.once(name)
    place = conninfo_to_dict(centre.database)
    for login, may, may_not in (
        ("sink", "SELECT count(*) FROM ecg.trend", "SELECT * FROM ecg.patient"),
        ("registry", "SELECT count(*) FROM ecg.patient", "DELETE FROM ecg.trend"),
        ("watch", "SELECT 1", "SELECT count(*) FROM ecg.trend"),
        ("housekeeping", "SELECT count(*) FROM ecg.trend_hour", "SELECT * FROM ecg.patient"),
    ):
        told = conninfo_to_dict((centre.secrets / f"database_{login}").read_text().strip())
        url = make_conninfo(**{**place, "user": told["user"], "password": told["password"]})
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(may)  # type: ignore[arg-type]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(may_not)  # type: ignore[arg-type]


def test_housekeeping_is_done_and_seen_to_be_done(centre: Composed) -> None:
    for name in ("migrate", "logins"):
        centre.once(name)
    centre.start("housekeeping")
    deadline = time.monotonic() + PATIENCE_S
    while not (centre.folder / "done").exists():
        assert time.monotonic() < deadline, centre.log("housekeeping").read_text()
        assert centre.running["housekeeping"].poll() is None, centre.log("housekeeping").read_text()
        time.sleep(0.2)
    assert centre.stop() == {"housekeeping": 0}
