"""The table of rights, said in words, and against what the services really follow."""

import pytest

from ecgstream.audit import sealer
from ecgstream.broker import accounts
from ecgstream.broker.access import ACCESS, Right, Service
from ecgstream.broker.errors import BrokerError
from ecgstream.centre import GROUPS
from ecgstream.pager.service import GROUP as PAGER_GROUP
from ecgstream.settings import Settings
from ecgstream.store import sink
from ecgstream.watch.rules.pipeline import FOLLOWED
from ecgstream.worker.stream import make_app
from schemas import topics


def test_only_the_pager_writes_pages_and_only_the_registry_enrols() -> None:
    writers = {t.name: {s for s, a in ACCESS.items() if t in a.writes} for t in topics.ALL}
    assert writers[topics.ALERTS.name] == {Service.PAGER}
    assert writers[topics.ENROLMENT.name] == {Service.REGISTRY}
    assert writers[topics.NOTIFICATIONS.name] == {Service.PAGER}
    desks = {Service.DESK, Service.WEB, Service.MONITOR}
    assert writers[topics.ACKNOWLEDGEMENTS.name] == {*desks, Service.REGISTRY}
    assert writers[topics.ROSTER.name] == {Service.DESK, Service.WEB}
    assert writers[topics.INGEST.name] == {Service.GATEWAY, Service.REGISTRY}
    assert writers[topics.BACKFILL.name] == writers[topics.GATEWAYS.name] == {Service.GATEWAY}
    assert writers[topics.REFUSED.name] == {Service.GATEWAY}
    assert writers[topics.AUDIT.name] == set(Service) - {
        *(Service.GATEWAY, Service.WATCH, Service.SEALER, Service.ADMIN)
    }
    assert writers[topics.AUDIT_HEADS.name] == {Service.SEALER}
    others = (
        *(topics.ALERTS, topics.NOTIFICATIONS, topics.ACKNOWLEDGEMENTS, topics.ENROLMENT, topics.INGEST),
        *(topics.BACKFILL, topics.GATEWAYS, topics.ROSTER, topics.REFUSED, topics.AUDIT, topics.AUDIT_HEADS),
    )
    results = set(writers) - {t.name for t in others}
    assert all(writers[name] == {Service.WORKER} for name in results)


def test_a_gateway_writes_what_it_receives_and_reads_who_is_enrolled() -> None:
    assert ACCESS[Service.GATEWAY].rights() == {
        Right("WRITE", "TOPIC", "ecg.ingest"),
        Right("WRITE", "TOPIC", "ecg.backfill"),
        Right("WRITE", "TOPIC", "ecg.gateways"),
        Right("WRITE", "TOPIC", "ecg.refused"),
        Right("READ", "TOPIC", "ecg.enrolment"),
    }


def test_only_admins_touch_the_cluster_and_they_touch_no_record() -> None:
    for service, access in ACCESS.items():
        touched = {r.operation for r in access.rights() if r.kind == "CLUSTER"}
        if service is not Service.ADMIN:
            assert touched == ({"DESCRIBE"} if service is Service.WATCH else set())
    admin = ACCESS[Service.ADMIN].rights()
    assert {r.operation for r in admin if r.kind != "CLUSTER"} == {"DESCRIBE"}


def test_the_watch_sees_everything_that_stands_still_and_reads_of_no_patient() -> None:
    watch = ACCESS[Service.WATCH]
    assert watch.reads == (topics.GATEWAYS, topics.ROSTER)
    assert (watch.writes, watch.group) == ((), "")
    assert {t.name for t in watch.topics} == {t.name for t in topics.ALL}
    assert set(watch.sees_groups) == {a.group for a in ACCESS.values() if a.group} == set(FOLLOWED)


def test_no_service_may_create_delete_or_change_a_topic() -> None:
    operations = {r.operation for access in ACCESS.values() for r in access.rights() if r.kind == "TOPIC"}
    assert operations == {"READ", "WRITE", "DESCRIBE"}


def test_every_consumer_may_read_what_it_follows() -> None:
    followed = {t.name for t in (*sealer.FOLLOWED, topics.AUDIT_HEADS)}
    assert {t.name for t in ACCESS[Service.SEALER].reads} == followed
    assert {t.name for t in ACCESS[Service.SINK].reads} == set(sink.TOPICS)
    assert ACCESS[Service.SINK].group == sink.GROUP
    assert ACCESS[Service.PAGER].group == PAGER_GROUP
    assert ACCESS[Service.WORKER].group == make_app(Settings(kafka="nowhere:1")).conf.id
    assert {str(s): a.group for s, a in ACCESS.items() if a.group} == GROUPS


def test_no_two_services_have_the_same_rights() -> None:
    assert len({access.rights() for access in ACCESS.values()}) == len(ACCESS) == len(Service)


@pytest.mark.parametrize("name", ["", "User:x", "CN=kafka-1", "a,b", "a b", "é", "-x", "x" * 64, "x\n"])
def test_what_is_no_name_is_refused_before_the_broker_is_asked(name: str) -> None:
    with pytest.raises(BrokerError, match="a user's name is"):
        accounts.grant(None, Service.SINK, name, "p" * 16)


@pytest.mark.parametrize("password", ["", "p" * 15, "p" * 16 + " ", "päßwörter-päßwörter", "p" * 16 + "\n"])
def test_what_is_no_password_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(BrokerError, match="a password is at least 16") as found:
        accounts.grant(None, Service.SINK, "sink-1", password)
    assert not password or password not in str(found.value)


def test_made_passwords_are_taken_and_differ() -> None:
    made = {accounts.generate_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        accounts._check_password(password)
