"""The table of rights on a real closed broker: what it allows works, and everything else is refused."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError

from devices.enrolment_follower import Follower
from devices.gateway import play
from devices.recordings import toy_ecg
from ecgstream import clients
from ecgstream.broker import accounts
from ecgstream.broker.access import ACCESS, Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.greet import greet
from ecgstream.broker.ready import check
from ecgstream.embedded.process import end, spawn
from ecgstream.member import Member
from ecgstream.play import admit
from ecgstream.settings import Settings
from ecgstream.store import sink
from schemas import codec, topics
from schemas.errors import BadRecordError
from schemas.records import Association, Control, Enrolment
from tests.system.closed_kafka import (
    ADMIN,
    PARTITIONS,
    Authority,
    Closed,
    closed_kafka,
)
from tests.system.conftest import started
from tests.system.desk import an_alert_is_acknowledged_at_the_desk
from tests.system.kafka_acts import Somebody, acts
from tests.system.publishing import publishing


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    broker = closed_kafka(folder)
    address = started(broker)
    try:
        yield Closed(folder, address)
    finally:
        broker.stop()


def ecgstream(settings: Settings, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecgstream", *words],
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
        **more,
    )


# -- the table


@pytest.mark.parametrize("service", list(Service))
def test_a_service_may_do_what_the_table_says_and_nothing_else(closed: Closed, service: Service) -> None:
    with closed.somebody(closed.user(service)) as who:
        tried = [(name, on, may, who.may(act, on)) for name, act, on, may in acts(who, service)]
        if service is Service.ADMIN:
            forget_nobody(who)
    assert [f"{name} {on}: {was}" for name, on, may, was in tried if may != was] == []
    assert sum(not may for _, _, may, _ in tried) > 60


def test_each_act_succeeds_where_nobody_refuses_it(closed: Closed) -> None:
    """Otherwise what is said to be refused above would prove nothing."""
    with closed.somebody(ADMIN) as who:
        who.create("scratch")
        who.admin.wait_for_topics(["scratch"])
        for act in (who.see, who.write, who.read, who.delete_records, who.configure, who.add_partitions):
            assert who.may(act, "scratch"), act.__name__
        assert who.may(who.delete, "scratch")
        for act in (who.join, who.see_group, who.delete_group):
            assert who.may(act, "scratch"), act.__name__
        assert who.may(who.begin_transaction, "scratch")
        assert who.may(who.configure_broker, "1")
        for act in (who.see_rights, who.see_disks, who.give_rights, who.set_password):
            assert who.may(act, "nobody"), act.__name__
        forget_nobody(who)


def forget_nobody(who: Somebody) -> None:
    """Take away the user that acts have made, once the broker shows all that they did."""

    def is_shown() -> bool:
        found = {account.user: account for account in accounts.accounts(who.admin)}
        return "nobody" in found and found["nobody"].has_password and bool(found["nobody"].rights)

    await_(is_shown, lambda: "nobody is not shown", 10)
    accounts.revoke(who.admin, "nobody")


# -- the doors


def test_who_is_not_let_in_is_told_why_in_one_line(closed: Closed, tmp_path: Path) -> None:
    stranger = Authority.make("somebody else").write(tmp_path / "ca.pem")
    right = closed.of(Service.PAGER)
    cases = {
        "hangs up on who speaks without TLS: it is closed": Settings(kafka=closed.address),
        "does not know pager-1 by this password": closed.of(Service.PAGER, kafka_password="wrong" * 5),
        "does not know nobody-1 by this password": closed.settings("nobody-1"),
        "certificate that does not hold": closed.of(Service.PAGER, kafka_ca=stranger),
        "certificate that does not hold .*Hostname mismatch": closed.of(
            Service.PAGER, kafka=closed.address.replace("127.0.0.1", "localhost")
        ),
    }
    greet(right, patience_s=0)
    for says, settings in cases.items():
        with pytest.raises(BrokerError, match=says) as found:
            greet(settings, patience_s=0)
        assert "\n" not in str(found.value)
        assert right.kafka_password.get_secret_value() not in str(found.value)


def test_the_doors_between_nodes_open_to_no_service(closed: Closed) -> None:
    properties = (closed.folder / "broker" / "server.properties").read_text()
    port = re.findall(r"CONTROLLER://127\.0\.0\.1:(\d+)", properties)[-1]
    controller = f"127.0.0.1:{port}"
    cluster_ca = closed.folder / "cluster-ca.pem"
    for settings in (
        Settings(kafka=controller),
        closed.settings(ADMIN, kafka=controller),
        closed.settings(ADMIN, kafka=controller, kafka_ca=cluster_ca),  # it wants our certificate
    ):
        with pytest.raises(BrokerError):
            greet(settings, patience_s=0)


@pytest.mark.parametrize("service", [Service.WORKER, Service.SINK, Service.PAGER, Service.GATEWAY])
def test_a_service_with_a_wrong_password_ends_with_one_line(closed: Closed, service: Service) -> None:
    wrong = closed.of(service, kafka_password="wrong" * 5, database="postgresql://nobody@127.0.0.1:1/none")
    said = ecgstream(wrong, str(service))
    assert said.returncode == 1
    assert re.fullmatch(
        rf"ecgstream {service}: the broker at \S+ does not know {service}-1 by this password: "
        rf"`ecgstream kafka grant SERVICE {service}-1` gives a new one\n",
        said.stderr,
    ), said.stderr


def test_a_service_without_a_right_is_told_which_and_what_to_do(closed: Closed) -> None:
    said = ecgstream(closed.of(Service.SINK), "pager")
    assert (said.returncode, said.stderr) == (
        1,
        "ecgstream pager: user sink-1 may not READ GROUP pager, READ TOPIC ecg.acknowledgements, "
        "READ TOPIC ecg.enrolment, READ TOPIC ecg.notifications, READ TOPIC ecg.roster, "
        "WRITE TOPIC ecg.alerts, WRITE TOPIC ecg.notifications: "
        "an admin must run `ecgstream kafka grant pager sink-1`\n",
    )


def test_a_missing_topic_is_made_by_an_admin_alone(closed: Closed) -> None:
    worker = closed.of(Service.WORKER)
    with closed.somebody(ADMIN) as admin:
        admin.delete(topics.DEAD_LETTERS.name)
        deadline = time.monotonic() + 180
        while topics.DEAD_LETTERS.name in admin.admin.list_topics():
            assert time.monotonic() < deadline
    try:
        refused = ecgstream(worker, "worker")
    finally:
        said = ecgstream(closed.settings(ADMIN), "kafka", "topics")
    assert (refused.returncode, refused.stderr) == (
        1,
        "ecgstream worker: there is no topic ecg.dead-letters, and worker-1 may not create it: "
        "an admin must run `ecgstream kafka topics` first\n",
    )
    assert said.returncode == 0, said.stderr
    check(worker, Service.WORKER)


# -- the services themselves


def enrolment(device: str, shard: int) -> Enrolment:
    return Enrolment(device, "recorder", "cn", shard, (), b"", "", disabled=False, changed_ns=time.time_ns())


def tell(closed: Closed, *enrolled: Enrolment) -> None:
    """Do what the registry does: enrol devices, and say who wears them."""
    producer = clients.producer(closed.of(Service.REGISTRY))
    try:
        for e in enrolled:
            key = e.device.encode()
            control = Control(
                f"c-{e.device}", e.device, 0, 0, e.changed_ns, "test", Association("P-TEST000001")
            )
            partition = topics.partition_of(e.shard, PARTITIONS)
            for future in (
                producer.send(topics.ENROLMENT.name, codec.encode(e), key=key),
                producer.send(topics.INGEST.name, codec.encode(control), key=key, partition=partition),
            ):
                future.get(10)
    finally:
        producer.close()


def follower(closed: Closed) -> Follower:
    settings = closed.of(Service.GATEWAY)
    return Follower(settings.kafka, settings.data / "enrolments", security=clients.security(settings))


def await_(true: Callable[[], bool], why: Callable[[], object], patience_s: float = 180.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


def is_ours(record: Any) -> bool:
    """Return whether a service has written a record; other tests write bytes to every topic."""
    try:
        codec.decode(record.value or b"")
    except BadRecordError:
        return False
    return True


def test_all_services_do_their_work_and_nothing_of_a_secret_is_said(closed: Closed, tmp_path: Path) -> None:
    logs = {service: tmp_path / f"{service}.log" for service in (Service.WORKER, Service.PAGER)}
    processes = []
    for service, log in logs.items():
        settings = closed.of(service, clock_rate=20.0, snapshot_spread_s=1.0, log_level="DEBUG")
        with log.open("wb") as out:
            argv = [sys.executable, "-m", "ecgstream", str(service)]
            processes.append(spawn(argv, env={**os.environ, **settings.environment()}, stdout=out))
    written = Member(clients.consumer(closed.of(Service.SINK), sink.GROUP))
    written.join(sink.TOPICS)
    seen: set[str] = set()

    def has_seen_all() -> bool:
        _, found = written.poll(0.2)
        seen.update(p.topic for p, came in found.items() if any(map(is_ours, came)))
        return seen >= set(sink.TOPICS) - {topics.BACKFILL.name}  # there is no gap

    def said() -> str:
        return f"{sorted(seen)}\n" + "".join(log.read_text() for log in logs.values())

    try:
        tell(closed, enrolment("dev-1", 3))
        with follower(closed) as known:
            (source,) = admit([replace(toy_ecg(), device="dev-1")], known)
            tell(closed, enrolment("dev-2", 4))
            await_(lambda: known.enrolments.device("dev-2") is not None, lambda: "dev-2 is not heard of", 10)
        gateway = closed.of(Service.GATEWAY)
        with publishing(gateway, tmp_path, security=clients.security(gateway)) as publisher:
            report = play([source], publisher, speed=100, flush_s=0.05)
        assert (report.complete, report.devices[0].shard) == (True, 3)
        # The link that is lost at the end makes a condition, and so an alert.
        await_(has_seen_all, said)
        await_(lambda: an_alert_is_acknowledged_at_the_desk(closed, ecgstream), lambda: "no alert is open")
    finally:
        written.leave()
        status = [end(process) for process in processes]
    assert status == [0, 0], said()
    assert not any(password in said() for password in closed.passwords.values())


def test_a_gateway_plays_only_devices_that_are_enrolled(closed: Closed, tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    signal = (toy_ecg().sessions[0].waves[0].samples[: 360 * 20] - 1024) / 200.0
    wfdb.wrsamp("rec", 360, ["mV"], ["MLII"], p_signal=signal[:, None], fmt=["16"], write_dir=str(tmp_path))
    device = f"rec-{tmp_path.name}-rec"
    settings = closed.of(Service.GATEWAY)
    report = tmp_path / "report.json"
    words = ("gateway", str(tmp_path / "rec.hea"), "--speed", "20", "--report", str(report))

    said = ecgstream(settings, *words)
    refused = r"^ecgstream gateway: (\S+) is not enrolled: `ecgstream device enrol \1 …`$"
    found = re.search(refused, said.stderr, re.MULTILINE)
    assert found, said.stderr
    device = found[1]
    assert (said.returncode, report.exists(), "Traceback" in said.stderr) == (1, False, False)

    tell(closed, enrolment(device, 5))
    said = ecgstream(settings, *words)
    assert said.returncode == 0, said.stderr
    assert f'"device": "{device}",\n      "shard": 5' in report.read_text()


def test_who_is_revoked_is_refused_in_the_same_moment(closed: Closed) -> None:
    with closed.somebody(ADMIN) as admin:
        closed.change(admin.admin, Service.GATEWAY, "gateway-lost")
        settings = closed.settings("gateway-lost")
        producer = clients.producer(settings)
        try:
            producer.send(topics.INGEST.name, b"written by a test", partition=0).get(10)
            said = ecgstream(closed.settings(ADMIN), "kafka", "revoke", "gateway-lost", "--yes")
            assert said.returncode == 0, said.stderr
            with pytest.raises(TopicAuthorizationFailedError):
                producer.send(topics.INGEST.name, b"written by a test", partition=0).get(10)
        finally:
            producer._sender.force_close()
            producer.close(timeout=10)
        with pytest.raises(BrokerError, match="does not know gateway-lost"):
            greet(settings, patience_s=0)


# -- the command


def listed(closed: Closed) -> dict[str, dict[str, Any]]:
    said = ecgstream(closed.settings(ADMIN), "kafka", "list", "--json")
    assert said.returncode == 0, said.stderr
    return {row["user"]: row for row in json.loads(said.stdout)}


def test_the_command_lets_users_in_and_shows_them(closed: Closed, tmp_path: Path) -> None:
    admin = closed.settings(ADMIN)
    said = ecgstream(admin, "kafka", "grant", "sink", "sink-2", "--generate")
    assert (said.returncode, said.stderr) == (0, "sink-2 may come in as sink\n")
    greet(closed.settings("sink-2", kafka_password=said.stdout.strip()), patience_s=0)
    row = listed(closed)["sink-2"]
    assert row == {
        "user": "sink-2",
        "service": "sink",
        "password": True,
        "rights": sorted(map(str, ACCESS[Service.SINK].rights())),
    }

    own = "a-password-of-our-own"
    (tmp_path / "password").write_text(f"{own}\n")
    for _ in range(2):  # the second time nothing changes
        words = ("grant", "sink", "sink-2", "--password-file", str(tmp_path / "password"))
        assert ecgstream(admin, "kafka", *words).returncode == 0
        assert listed(closed)["sink-2"] == row
        check(closed.settings("sink-2", kafka_password=own), Service.SINK)
    assert {name: r["service"] for name, r in listed(closed).items()} == {
        ADMIN: "admin",
        "sink-2": "sink",
    } | {closed.user(service): str(service) for service in Service}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("grant", "pager", "sink-1", "--generate"), "which a pager may not: take another name"),
        (("grant", "pager", "User:x", "--generate"), "a user's name is 1 to 63 letters"),
        (("grant", "pager", "new-1"), "no terminal to ask for a password"),
        (("grant", "pager", "new-1", "--password-file", "nowhere"), "password's file nowhere cannot be read"),
        (("grant", "pager", "new-1", "--password-file", os.devnull), "at least 16 printable"),
        (("revoke", "nobody-1", "--yes"), "there is no user nobody-1"),
        (("revoke", "pager-1"), "add --yes"),
        (("revoke", ADMIN, "--yes"), "you are admin"),
    ],
)
def test_what_the_command_refuses_is_one_line(closed: Closed, words: tuple[str, ...], says: str) -> None:
    said = ecgstream(closed.settings(ADMIN), "kafka", *words)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said.stderr
    assert says in said.stderr


def test_only_an_admin_is_answered(closed: Closed) -> None:
    for words in (("list",), ("grant", "admin", "gateway-1", "--generate"), ("revoke", "pager-1", "--yes")):
        said = ecgstream(closed.of(Service.GATEWAY), "kafka", *words)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said.stderr
        assert "only an admin may do this" in said.stderr


def test_certificates_hold_as_python_checks_them_from_3_13_on(closed: Closed) -> None:
    context = clients.security(closed.settings(ADMIN))["ssl_context"]
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    host, port = closed.address.split(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        assert encrypted.version() == "TLSv1.3"
