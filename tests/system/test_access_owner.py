"""Access where nobody of ours is superuser: neither the owner nor the services' logins of docs/access.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.registry import people, roles
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.access_document import statements
from tests.system.conftest import ServerForAll, started

PASSWORD = "correct horse battery"  # noqa: S105

As = Callable[[str], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[As]:
    """A server of its own, where our roles are the owner's and not another database's; login to URL."""
    postgres = ServerForAll(tmp_path_factory.mktemp("owned"))
    url = started(postgres)
    with connect(url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE ecg_owner LOGIN CREATEROLE")
        superuser.execute("CREATE DATABASE ecg OWNER ecg_owner")

    def of(user: str) -> str:
        return make_conninfo(**conninfo_to_dict(url) | {"user": user, "dbname": "ecg"})

    try:
        migrate(of("ecg_owner"))
        with connect(of("postgres"), autocommit=True) as superuser:
            superuser.execute(statements("Logins of the services"))
            superuser.execute(
                "INSERT INTO ecg.facility (code, path, level, kind, name_en, name_zh, time_zone, changed_by)"
                " VALUES ('H', 'H', 1, 'hospital', 'x', '', 'UTC', 'test')"
            )
        yield of
    finally:
        postgres.stop()


@pytest.fixture
def registry(server: As) -> Iterator[psycopg.Connection]:
    with connect(server("registry_1"), role="ecg_registry", autocommit=True) as connection:
        yield connection


def test_an_account_by_logins_that_are_nobodys_superuser(server: As, registry: psycopg.Connection) -> None:
    people.add(registry, [Person("li", "Li", (Position(Kind.CLINIC, "H"),))], "test")
    people.set_password(registry, "li", PASSWORD, "test")
    with pytest.raises(RegistryError, match=r"what a superuser has to do first"), registry.transaction():
        people.open_sql(registry, "li", PASSWORD, "test")
    with connect(server("postgres"), autocommit=True) as superuser:
        superuser.execute(statements("Where the owner is no superuser"))
    people.open_sql(registry, "li", PASSWORD, "test")
    with psycopg.connect(server("person_li"), autocommit=True) as li:
        assert li.execute("SELECT code FROM api.facilities").fetchall() == [("H",)]
        people.disable(registry, "li", "test")
        assert roles.end_sessions(registry, "li") == 1
        with pytest.raises(psycopg.OperationalError):
            li.execute("SELECT 1")
    people.enable(registry, "li", "test")
    with connect(server("monitor_1"), autocommit=True) as web:
        assert people.check_password(web, "li", PASSWORD)
        web.execute("SET ROLE person_li")
        assert web.execute("SELECT account FROM api.people").fetchall() == [("li",)]
    assert migrate(server("ecg_owner")) == []  # which still has its advisory lock
    registry.execute("SELECT pg_advisory_lock(1)")


def test_the_registry_cannot_become_a_person_nor_end_others(server: As, registry: psycopg.Connection) -> None:
    people.add(registry, [Person("wang", "Wang", (Position(Kind.CLINIC, "H"),))], "test")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        registry.execute("SET ROLE person_wang")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'a sink'"
    with (
        connect(server("sink_1"), role="ecg_sink", name="a sink"),
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        registry.execute(end)
