"""A database whose owner is no superuser: what a hospital's database service gives."""

from __future__ import annotations

import secrets

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system import people
from tests.system.conftest import started

PASSWORD = secrets.token_urlsafe()


def test_an_owner_that_may_make_roles_can_migrate_and_views_work(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # A server of its own: on one where another database has been migrated, the roles are another's.
    server = EmbeddedPostgres(tmp_path_factory.mktemp("owned"))
    url = started(server)
    try:
        with connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE owner LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE ecg OWNER owner")
        parts = conninfo_to_dict(url) | {"user": "owner", "password": PASSWORD, "dbname": "ecg"}
        owned = make_conninfo(**parts)
        assert len(migrate(owned)) > 3
        assert migrate(owned) == []
        role = people.person(owned, "cardiologist")
        with connect(owned, autocommit=True) as connection:  # made by the owner, who is none of them by that
            connection.execute(f"GRANT ecg_registry, {role} TO owner")  # type: ignore[arg-type]
        with connect(owned, role="ecg_registry") as connection:
            connection.execute(
                "INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)"
                " VALUES ('d', %s, 'patch', 1, 'x')",
                (people.ROOT,),
            )
        with connect(owned, role=role) as reader:
            assert reader.execute("SELECT device FROM api.devices").fetchall() == [("d",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("SELECT * FROM ecg.enrolment")
    finally:
        server.stop()
