"""The units of deploy/systemd say what the code knows; systemd itself reads them in the system tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from ecgstream.cli import app
from ecgstream.settings import PREFIX, Settings
from tests.deploy.composed import compose, secret_targets, services_of_the_cli
from tests.deploy.units import COMMON, FOLDER, SERVICES, environment, read, values

NAMES = [path.name for path in SERVICES]


def command(path: Path) -> str:
    (line,) = values(read(path), "ExecStart")
    program, name, *_ = line.split()
    assert program == "/opt/ecgstream/bin/ecgstream"
    return name


def test_every_service_of_the_command_line_has_a_unit_and_no_unit_another() -> None:
    commands = {command(path) for path in SERVICES}
    assert services_of_the_cli() <= commands
    assert commands <= set(app)


def test_what_units_have_in_common_replaces_nothing_of_them() -> None:
    """A drop-in is read after the unit: Restart= there would start a migration again for ever."""
    adds = {"Environment", "SystemCallFilter"}
    shared = {key for _, key, _ in read(COMMON)} - adds
    for path in SERVICES:
        assert shared & {key for _, key, _ in read(path)} == set(), path.name
    set_there = environment(read(COMMON))
    assert all(set(set_there).isdisjoint(environment(read(path))) for path in SERVICES)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_started_again_for_ever_and_a_task_is_not(name: str) -> None:
    lines = read(FOLDER / name)
    if command(FOLDER / name) in services_of_the_cli():
        assert values(lines, "Restart") == ["always"]
        assert values(lines, "StartLimitIntervalSec") == ["0"]
        assert values(lines, "WantedBy") == ["ecgstream.target"]
    else:
        assert values(lines, "Type") == ["oneshot"]
        assert values(lines, "Restart") == []
    assert values(lines, "MemoryMax")


@pytest.mark.parametrize("name", NAMES)
def test_settings_exist_and_secrets_are_handed_over_as_files(name: str) -> None:
    lines = read(COMMON) + read(FOLDER / name)
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | {f"{PREFIX}SECRETS"}
    ours = {key for key in environment(lines) if key.startswith(PREFIX)}
    assert ours <= known
    secret = {field for field, info in Settings.model_fields.items() if info.annotation is SecretStr}
    handed = dict(value.split(":", 1) for value in values(lines, "LoadCredential"))
    assert set(handed) <= secret | {"codes", "audit_key", "receive.pem", "devices_ca.pem"}
    assert not {f"{PREFIX}{field.upper()}" for field in secret} & ours


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_with_the_common_settings_is_accepted(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = read(COMMON) + read(FOLDER / name)
    told = environment(lines) | common_settings()  # the file's come later, so they hold
    for key in " ".join(values(lines, "UnsetEnvironment")).split():
        del told[key]
    for credential in values(lines, "LoadCredential"):
        (tmp_path / credential.split(":")[0]).write_text(f"postgresql://{'x' * 32}")
    for key, value in told.items():
        monkeypatch.setenv(key, value.replace("%d", str(tmp_path)).replace("%i", "1"))
    found = Settings()
    assert bool(found.kafka) == any("kafka_password" in c for c in values(lines, "LoadCredential"))


def common_settings() -> dict[str, str]:
    lines = (FOLDER / "ecgstream.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_gets_what_the_same_service_gets_of_compose(name: str) -> None:
    services = compose()["services"]
    lines = read(FOLDER / name)
    wanted = next((s for s in services.values() if s.get("command", [""])[0] == command(FOLDER / name)), None)
    wanted = wanted or services[command(FOLDER / name)]
    secrets = {
        Path(target).name: source
        for target, source in secret_targets(wanted).items()
        if source != "kafka_ca"  # no secret: /etc/ecgstream/ecgstream.env names it
    }
    handed = dict(value.split(":", 1) for value in values(lines, "LoadCredential"))
    assert {key: Path(path).name for key, path in handed.items()} == secrets


def test_no_two_services_of_a_machine_have_the_same_port() -> None:
    ports = [
        environment(read(path))[f"{PREFIX}METRICS_PORT"]
        for path in SERVICES
        if command(path) in services_of_the_cli()
    ]
    assert len(set(ports)) == len(ports)


def test_the_common_settings_are_settings_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found = common_settings()
    secret = {
        f"{PREFIX}{f.upper()}" for f, info in Settings.model_fields.items() if info.annotation is SecretStr
    }
    assert not secret & set(found)
    assert set(found) <= {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    for key, value in found.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv(f"{PREFIX}KAFKA_USER", "sink-1")
    monkeypatch.setenv(f"{PREFIX}KAFKA_PASSWORD", "x")
    assert Settings().replication == 3


def test_housekeeping_has_its_timer() -> None:
    timer = read(FOLDER / "ecgstream-housekeeping.timer")
    assert values(timer, "Persistent") == ["yes"]
    assert values(timer, "OnCalendar") == ["hourly"]
