"""The example of a closed cluster, and that its README says what the code does; the system tests start it."""

import re
from pathlib import Path

import pytest

from ecgstream.broker.access import ACCESS, Access, Service

FOLDER = Path(__file__).parents[1] / "deploy" / "kafka"
DASH = "\u2013"
README = (FOLDER / "README.md").read_text("utf-8")
LINES = (FOLDER / "server.properties").read_text("utf-8").splitlines()
PROPERTIES = dict(line.split("=", 1) for line in LINES if line and not line.startswith("#"))


def of_listener(name: str) -> dict[str, str]:
    prefix = f"listener.name.{name}."
    return {k.removeprefix(prefix): v for k, v in PROPERTIES.items() if k.startswith(prefix)}


def test_no_door_is_without_tls_and_what_is_not_allowed_is_refused() -> None:
    doors = dict(pair.split(":") for pair in PROPERTIES["listener.security.protocol.map"].split(","))
    assert doors == {"CLIENTS": "SASL_SSL", "INTERNAL": "SSL", "CONTROLLER": "SSL"}
    assert {listener.split(":")[0] for listener in PROPERTIES["listeners"].split(",")} == set(doors)
    assert PROPERTIES["authorizer.class.name"].endswith(".StandardAuthorizer")
    assert PROPERTIES["allow.everyone.if.no.acl.found"] == "false"
    assert PROPERTIES["auto.create.topics.enable"] == "false"


def test_nodes_speak_with_each_other_with_certificates_of_their_own() -> None:
    assert of_listener("internal") == of_listener("controller")
    assert of_listener("internal")["ssl.client.auth"] == "required"
    assert of_listener("internal")["ssl.keystore.location"] != of_listener("clients")["ssl.keystore.location"]
    assert "CN=kafka-1" in PROPERTIES["super.users"]


def test_every_record_survives_a_machine() -> None:
    replicas = {v for k, v in PROPERTIES.items() if k.endswith("replication.factor")}
    in_sync = {v for k, v in PROPERTIES.items() if k.endswith(("min.isr", "min.insync.replicas"))}
    assert (replicas, in_sync) == ({"3"}, {"2"})


def test_no_password_is_in_the_file() -> None:
    assert "password" not in "\n".join(f"{k}={v}" for k, v in PROPERTIES.items()).lower()


@pytest.mark.parametrize("service", list(Service))
def test_the_readme_has_the_table_of_the_code(service: Service) -> None:
    (row,) = re.findall(rf"^\| {service} \| (.*) \| (.*) \| (.*) \|$", README, re.MULTILINE)
    access: Access = ACCESS[service]
    names = [[t.name.removeprefix("ecg.") for t in topics] for topics in (access.reads, access.writes)]
    cells = [re.sub(r" \(.*?\)|;.*", "", cell).strip() for cell in row]
    assert cells[:2] == [", ".join(n) or DASH for n in names]
    assert cells[2] == (access.group or DASH)
