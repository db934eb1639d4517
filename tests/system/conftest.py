"""The real services, as fixtures."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from playwright.sync_api import Browser
from psycopg.conninfo import conninfo_to_dict

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.postgres import EmbeddedPostgres
from tests.system import services
from tests.system.browser import browser
from tests.system.mosquitto import Mosquitto


class _Service(Protocol):
    def start(self) -> str: ...


class ServerForAll(EmbeddedPostgres):
    """A plain PostgreSQL as somebody runs it: people log in to it, too."""

    _entry = "local all all trust\nlocal replication all trust\n"


HANGS_S = 900
"""No test is timed: what takes so long hangs, on the slowest machine too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever stands in this folder needs real services, and the time that they take."""
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):  # noqa: PTH120
            item.add_marker(pytest.mark.system)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(HANGS_S))


def given(address: str) -> str | None:
    """Return a service that runs already; tests beside each other have services of their own."""
    return None if "PYTEST_XDIST_WORKER" in os.environ else os.environ.get(address)


def lacking(why: Exception) -> None:
    """Skip for want of a service, or fail where services are required."""
    message = str(why)
    if services.INSTALL not in message:
        message += f"\nTo install it: {services.INSTALL}"
    if os.environ.get("ECGSTREAM_REQUIRE_SERVICES") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def started(service: _Service) -> str:
    """Start a service, or say that it is lacking."""
    why: Exception
    try:
        return service.start()
    except ServiceUnavailableError as error:
        why = error
    lacking(why)  # outside of the handler, so that the report says one thing
    raise why


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, for a module's tests."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(browser())
        except ServiceUnavailableError as error:
            lacking(error)
        yield found


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker's bootstrap address."""
    if there := given(services.KAFKA):
        yield there
        return
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
    yield started(broker)
    broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of MQTT, as compose has it."""
    broker = Mosquitto(tmp_path)
    started(broker)
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def timescale_url() -> Iterator[str]:
    """A TimescaleDB superuser's URL (Apache edition)."""
    if there := given(services.TIMESCALE):
        yield there
        return
    server = services.Timescale()
    yield started(server)
    server.stop()


@pytest.fixture(scope="session")
def plain_postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded PostgreSQL's superuser's URL."""
    server = ServerForAll(tmp_path_factory.mktemp("postgres"))
    yield started(server)
    server.stop()


def in_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    parts = conninfo_to_dict(url, dbname=name)
    host, port = str(parts["host"]), parts["port"]
    user, password = parts["user"], parts.get("password")
    login = f"{user}:{password}" if password else f"{user}"
    if host.startswith("/"):
        return f"postgresql://{login}@/{name}?host={host.replace('/', '%2F')}&port={port}"
    return f"postgresql://{login}@{host}:{port}/{name}"


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Make a fresh, empty database on a server; give its URL; drop it, whoever is connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[arg-type]
    yield in_database(url, name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture
def new_database() -> Iterator[Callable[[str], str]]:
    """Make fresh, empty databases; they are dropped after the test, whoever is connected."""
    with ExitStack() as made:
        yield lambda url: made.enter_context(fresh_database(url))


@pytest.fixture(params=["plain", "timescale"])
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """A fresh, empty database, on plain PostgreSQL and on TimescaleDB."""
    server = {"plain": "plain_postgres_url", "timescale": "timescale_url"}[request.param]
    return new_database(request.getfixturevalue(server))
