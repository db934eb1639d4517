"""How clients come in at a closed broker, and that the password stays where it belongs."""

import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import ValidationError

from ecgstream import clients
from ecgstream.broker.errors import BrokerError
from ecgstream.settings import Settings

SECRET = "correct-horse-battery"  # noqa: S105
CLOSED: dict[str, Any] = {
    "kafka": "kafka.example.org:9093",
    "kafka_security": "SASL_SSL",
    "kafka_user": "worker",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("ECGSTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("values", "setting", "says"),
    [
        (CLOSED | {"kafka_user": "", "kafka_password": SECRET}, "kafka_user", "wants a user"),
        (CLOSED, "kafka_password_file", "wants a password.*ECGSTREAM_KAFKA_PASSWORD"),
        (
            CLOSED | {"kafka_password": SECRET, "kafka_password_file": "some"},
            "kafka_password_file",
            "one password too many",
        ),
        (CLOSED | {"kafka": "", "kafka_password": SECRET}, "kafka_security", "ECGSTREAM_KAFKA"),
        ({"kafka_user": "worker"}, "kafka_user", "ECGSTREAM_KAFKA_SECURITY=SASL_SSL"),
        ({"kafka_password": SECRET}, "kafka_password", "ECGSTREAM_KAFKA_SECURITY=SASL_SSL"),
        ({"kafka_password_file": "some"}, "kafka_password_file", "ECGSTREAM_KAFKA_SECURITY=SASL_SSL"),
        ({"kafka_ca": "some"}, "kafka_ca", "ECGSTREAM_KAFKA_SECURITY=SASL_SSL"),
        ({"kafka_security": "SSL"}, "kafka_security", "'PLAINTEXT' or 'SASL_SSL'"),
    ],
)
def test_half_of_it_is_an_error_that_names_the_setting(
    values: dict[str, Any], setting: str, says: str
) -> None:
    with pytest.raises(ValidationError, match=says) as found:
        Settings(**values)
    assert [e["loc"] for e in found.value.errors()] == [(setting,)]
    assert SECRET not in str(found.value)


def test_an_open_broker_is_told_nothing_of_users() -> None:
    assert clients.connection(Settings(kafka="127.0.0.1:9092")) == {"bootstrap_servers": "127.0.0.1:9092"}


@pytest.mark.parametrize("by_file", [True, False])
def test_a_closed_broker_is_entered_with_a_password_and_its_certificate_checked(*, by_file: bool) -> None:
    Path("password").write_text(f"{SECRET}\n")
    values = {"kafka_password_file": "password"} if by_file else {"kafka_password": SECRET}
    found = clients.connection(Settings(**CLOSED, **values, kafka_ca=certifi.where()))
    context = found.pop("ssl_context")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert found == {
        "bootstrap_servers": "kafka.example.org:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": SECRET,
    }


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_says_so_in_one_line(content: bytes | None) -> None:
    if content is not None:
        Path("password").write_bytes(content)
    settings = Settings(**CLOSED, kafka_password_file=Path("password"))
    with pytest.raises(
        BrokerError, match=r"password's file password .*ECGSTREAM_KAFKA_PASSWORD_FILE"
    ) as found:
        clients.connection(settings)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_says_so_in_one_line(content: str | None) -> None:
    if content is not None:
        Path("ca.pem").write_text(content)
    settings = Settings(**CLOSED | {"kafka_password": SECRET, "kafka_ca": "ca.pem"})
    with pytest.raises(BrokerError, match=r"authorities' file ca.pem .*PEM") as found:
        clients.connection(settings)
    assert "\n" not in str(found.value)


def test_a_child_process_is_told_secrets_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"kafka_password": SECRET, "database": f"postgresql://me:{SECRET}@host/db"}
    given = Settings(**CLOSED | secrets)
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert SECRET not in repr(given)


def test_no_flag_takes_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_KAFKA_PASSWORD", SECRET)
    monkeypatch.setenv("ECGSTREAM_KAFKA_SECURITY", "SASL_SSL")
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "ecgstream", "settings", "--kafka", "host:1", "--kafka-user", "me"]
        return subprocess.run([*argv, *words], capture_output=True, text=True, timeout=60, check=False)

    said = run()
    assert said.returncode == 0
    assert "kafka_password" in said.stdout
    assert SECRET not in said.stdout + said.stderr
    assert run("--kafka-password", SECRET).returncode != 0
