"""What can be said of deploy/compose.yaml without starting it; tests/system/test_compose.py starts it."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.link import Links
from devices.mqtt.client import LONGEST_BYTES, MOST_UNANSWERED
from devices.mqtt.topics import ROOT
from ecgstream.broker.access import Service
from ecgstream.embedded.jars import KAFKA_VERSION
from ecgstream.settings import PREFIX, Settings
from ecgstream.web.codes import Codes
from tests.deploy.composed import (
    COMPOSE,
    DEPLOY,
    GATEWAYS,
    ONCE,
    TOP,
    compose,
    interpolated,
    secret_targets,
    services_of_the_cli,
)

FILE = compose()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: s for name, s in SERVICES.items() if s["image"].startswith("ecgstream-")}
LOADED_BY_THE_IMAGE = {f"{PREFIX}SECRETS", f"{PREFIX}SETTINGS"}
FILES_OF_SECRETS = {"kafka_ca.pem", "codes", "audit_key", "receive.pem", "devices_ca.pem"}
CONTAINERFILE = (DEPLOY / "images" / "Containerfile").read_text("utf-8")


def test_every_service_of_the_command_line_is_in_it() -> None:
    assert services_of_the_cli() <= {s["command"][0] for s in OURS.values() if "command" in s}


def test_without_secrets_it_says_how_to_make_them() -> None:
    with pytest.raises(KeyError, match="deploy/secrets"):
        interpolated(COMPOSE.read_text("utf-8"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_closed(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.fullmatch(r"(v|pg)?\d+\.\d+(\.\d+)?(-[\w.]+)?", tag)
    user = service["user"].split(":")[0]
    assert int(user) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["logging"]["options"]["max-size"]
    assert not {"privileged", "network_mode", "pid", "cap_add", "devices"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} == set(limits)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_looked_at_and_started_again(name: str) -> None:
    service = SERVICES[name]
    if name in ONCE:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert service["healthcheck"]["interval"]


@pytest.mark.parametrize("name", SERVICES)
def test_it_waits_for_what_exists_and_is_well(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": expected}, other


@pytest.mark.parametrize("name", OURS)
def test_settings_exist_and_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment = OURS[name].get("environment", {})
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert set(environment) <= known
    targets = secret_targets(OURS[name])
    for key, value in environment.items():
        monkeypatch.setenv(key, str(value))
    for target in targets:
        (tmp_path / Path(target).name).write_text(
            "postgresql://x" if "database" in target else "some-secret-word" * 2
        )
    monkeypatch.setenv(f"{PREFIX}SECRETS", str(tmp_path))
    found = Settings()
    assert found.kafka_security == ("SASL_SSL" if f"{PREFIX}KAFKA" in environment else "PLAINTEXT")
    named = [v for v in environment.values() if str(v).startswith("/run/secrets/")]
    assert set(named) <= set(targets)


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_gets_of_secrets_is_its_own(name: str) -> None:
    secret = {field for field, info in Settings.model_fields.items() if info.annotation is SecretStr}
    for target, source in secret_targets(OURS[name]).items():
        if name == "kafka-users":
            continue  # it makes everybody's password
        setting = Path(target).name
        assert setting in secret | FILES_OF_SECRETS
        if setting in ("kafka_password", "database"):
            kind = "gateway" if name in GATEWAYS else name.removesuffix("-1")
            assert source.endswith(kind), source


def test_no_secret_is_in_it() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|PASSWD|TOKEN|ECGSTREAM_DATABASE$", key) or str(value).startswith(
                "/run/"
            ), (name, key)
    text = COMPOSE.read_text("utf-8")
    assert "://" not in re.sub(r"(?m)#.*$|https?://127\.0\.0\.1\S*|file: \S+", "", text)


def test_secrets_are_those_that_the_script_makes(tmp_path: Path) -> None:
    folder = made(tmp_path)
    wanted = {Path(s["file"]).name for s in FILE["secrets"].values()}
    there = {path.name for path in folder.iterdir()}
    assert wanted <= there
    assert there - wanted == {"kafka_ca.key", "kafka_cluster_ca.key", "devices_ca.key"}
    used = {source for service in SERVICES.values() for source in secret_targets(service).values()}
    assert used == set(FILE["secrets"])


def test_every_user_of_kafka_is_made() -> None:
    script = (DEPLOY / "compose" / "kafka-users").read_text("utf-8")
    (users,) = re.findall(r"for service in (.*); do", script)
    assert set(users.split()) == set(Service) - {Service.ADMIN}


def test_the_broker_of_devices_lets_each_write_what_a_gateway_reads_and_bounds_it_alike() -> None:
    rules = (DEPLOY / "compose" / "mosquitto.acl").read_text("utf-8").splitlines()
    assert {f"topic read {ROOT}/#", f"pattern write {ROOT}/+/%u/#"} <= set(rules)
    said = (DEPLOY / "compose" / "mosquitto.conf").read_text("utf-8").splitlines()
    assert {f"max_inflight_messages {MOST_UNANSWERED}", f"max_packet_size {LONGEST_BYTES}"} <= set(said)


def made(tmp_path: Path, *hosts: str) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run([DEPLOY / "secrets", folder, *hosts], check=True, capture_output=True)
    return folder


def test_secrets_are_made_once_and_nobody_else_can_reach_them(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "kafka_sink").unlink()
    assert made(tmp_path) == folder
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"kafka_sink"}
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 in ({0o600} if path.suffix == ".key" else {0o444, 0o644}), (
            path.name
        )
    passwords = [v for name, v in after.items() if name.startswith("kafka_") and b"BEGIN" not in v]
    assert len(set(passwords)) == len(passwords) == len(Service)
    assert all(len(password) > 40 for password in passwords)


def test_certificates_hold_for_the_names_that_are_used(tmp_path: Path) -> None:
    """A handshake as clients make it, strict as Python is from 3.13 on."""
    folder = made(tmp_path, "centre.example.org", "192.0.2.7")
    for name in ("kafka", "localhost", "127.0.0.1", "centre.example.org", "192.0.2.7"):
        assert shakes_hands(folder / "kafka_clients.pem", folder / "kafka_ca.pem", name)
    for name in ("mosquitto", "receive"):
        assert shakes_hands(folder / f"{name}.pem", folder / "kafka_ca.pem", name)
    assert shakes_hands(folder / "receive.pem", folder / "kafka_ca.pem", "centre.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        shakes_hands(folder / "kafka_clients.pem", folder / "kafka_ca.pem", "elsewhere.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        shakes_hands(folder / "kafka_cluster.pem", folder / "kafka_ca.pem", "kafka")


def shakes_hands(certificate: Path, authority: Path, name: str) -> bool:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return all(end.version() == "TLSv1.3" for end in ends)


def test_logins_are_made_as_the_document_on_access_says() -> None:
    made = (DEPLOY / "postgres" / "logins.sql").read_text("utf-8")
    document = (TOP / "docs" / "access.md").read_text("utf-8")
    block = document.partition("### Logins of the services")[2].partition("```sql\n")[2].partition("```")[0]
    role = r"CREATE ROLE (\w+) LOGIN CONNECTION LIMIT (\d+) IN ROLE (\w+);"
    wanted = re.findall(role, block)
    assert len(wanted) >= 3
    for login, limit, group in wanted:
        assert f"ALTER ROLE {login} LOGIN CONNECTION LIMIT {limit} PASSWORD :'{login[:-2]}';" in made
        assert f"GRANT {group} TO {login};" in made
        for line in re.findall(rf"ALTER ROLE {login} SET .*;", block):
            assert line in made


def test_pager_and_web_have_the_key_of_links_and_nobody_else() -> None:
    have = {name for name, service in SERVICES.items() if "link_key" in secret_targets(service).values()}
    assert have == {"pager", "web"}
    told = compose(ECGSTREAM_WEB_URL="https://monitor.example")["services"]
    assert {told[name]["environment"][f"{PREFIX}WEB_URL"] for name in have} == {"https://monitor.example"}


def test_what_is_made_for_the_web_is_of_use_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path)
    monkeypatch.setenv(f"{PREFIX}SECRETS", str(folder))
    assert Links(Settings().link_key.get_secret_value(), "")
    assert not Codes(folder / "codes").match("li", "428617")  # empty: nobody can answer


def test_servers_are_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_only_those_who_must_can_get_out() -> None:
    assert FILE["networks"]["inside"] == {"internal": True}
    out = {name for name, service in OURS.items() if "outside" in service["networks"]}
    assert out == {"pager", "watch", "web", "monitor", "receive"}  # the last three: ports are published


def test_the_broker_and_database_are_those_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    images = {SERVICES[name]["image"] for name in ("timescaledb", "logins")}
    assert len(images) == 1
    assert re.search(":pg17[.]", images.pop())
    told = SERVICES["timescaledb"]["command"]
    assert "-cshared_preload_libraries=timescaledb,pgaudit" in told
    assert any("jsonlog" in word for word in told)


def test_every_file_that_is_mounted_is_there_and_readable_by_all() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                path = DEPLOY / source
                assert path.stat().st_mode & 0o004, source
                assert volume.endswith(":ro"), source
            else:
                assert source in FILE["volumes"]


def test_scripts_are_shell_without_mistakes() -> None:
    scripts = [p for p in DEPLOY.rglob("*") if p.is_file() and p.read_bytes()[:2] == b"#!"]
    assert len(scripts) >= 6
    for script in scripts:
        shell = script.read_text("utf-8").splitlines()[0].split("/")[-1].split()[-1]
        if shell in ("sh", "bash"):
            subprocess.run([shell, "-n", script], check=True)
        assert script.stat().st_mode & 0o111, script.relative_to(TOP)


def test_the_images_are_built_as_it_says() -> None:
    targets = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", CONTAINERFILE))
    for service in OURS.values():
        assert service["build"]["target"] in targets
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
