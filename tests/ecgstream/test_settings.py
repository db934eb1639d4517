"""Where settings come from, and what the command line says of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ecgstream.settings import Settings, origin


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("ECGSTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_flag_beats_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Settings().partitions, origin(Settings(), "partitions")) == (8, "default")
    Path("ecgstream.toml").write_text("partitions = 3\nlost_link_s = 20.0\n")
    assert (Settings().partitions, origin(Settings(), "partitions")) == (3, "ecgstream.toml")
    monkeypatch.setenv("ECGSTREAM_PARTITIONS", "4")
    assert (Settings().partitions, origin(Settings(), "partitions")) == (4, "environment")
    flagged = Settings(partitions=5)
    assert (flagged.partitions, origin(flagged, "partitions")) == (5, "flag")
    assert origin(flagged, "lost_link_s") == "ecgstream.toml"


def test_an_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECORDINGS", "KEYS", "KAFKA"):
        monkeypatch.setenv(f"ECGSTREAM_{name}", "")
    found = Settings()
    assert (found.recordings, found.keys, found.kafka) == (None, None, "")


def test_another_file_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text("partitions = 6\n")
    monkeypatch.setenv("ECGSTREAM_SETTINGS", "other.toml")
    assert Settings().partitions == 6


def test_secrets_are_files_named_like_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECGSTREAM_SECRETS", str(tmp_path / "secrets"))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "database").write_text("postgresql://me:hunter2@host/db\n")
    (tmp_path / "secrets" / "kafka").write_text("not a secret, so not read here")
    Path("ecgstream.toml").write_text('database = "postgresql://of-the-file"\n')
    found = Settings()
    assert found.database.get_secret_value() == "postgresql://me:hunter2@host/db"
    assert origin(found, "database") == "secrets"
    assert (found.kafka, found.notify_url.get_secret_value()) == ("", "")
    monkeypatch.setenv("ECGSTREAM_DATABASE", "postgresql://of-the-environment")
    assert origin(Settings(), "database") == "environment"


def test_a_secret_that_cannot_be_read_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECGSTREAM_SECRETS", str(tmp_path))
    (tmp_path / "database").mkdir()
    said = run("sink")
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    assert str(tmp_path / "database") in said.stderr


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecgstream", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_settings_are_printed_with_their_origin_and_secrets_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_DATABASE", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("COLUMNS", "160")
    said = run("settings", "--partitions", "3")
    assert said.returncode == 0
    lines = {line.split()[0]: line for line in said.stdout.splitlines() if line.strip()}
    assert "flag" in lines["partitions"]
    assert "environment" in lines["database"]
    assert "default" in lines["kafka"]
    assert "hunter2" not in said.stdout


@pytest.mark.parametrize("service", ["worker", "sink", "pager", "web", "gateway", "watch"])
def test_a_service_without_an_address_says_what_to_do(service: str) -> None:
    said = run(service)
    assert said.returncode != 0
    assert "ECGSTREAM_KAFKA" in said.stderr
    assert "ecgstream up" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_wrong_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_PARTITIONS", "many")
    said = run("worker")
    assert said.returncode == 2
    assert "ECGSTREAM_PARTITIONS" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_all_services_may_be_told_where_the_web_is_and_the_two_without_its_key_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ECGSTREAM_WEB_URL", "https://monitor.example")
    assert Settings().link_key.get_secret_value() == ""
    monkeypatch.setenv("ECGSTREAM_KAFKA", "127.0.0.1:9")
    for service in ("pager", "web"):
        said = run(service)
        assert (said.returncode, len(said.stderr.splitlines())) == (1, 1)
        assert "ECGSTREAM_LINK_KEY" in said.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("link_key", "k" * 31),
        ("web_url", "http://monitor.example"),
        ("web_url", "https://monitor.example/ecg"),
        ("web_url", "monitor.example"),
        ("monitor_url", "http://ward.example"),
    ],
)
def test_a_key_that_is_short_or_an_address_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})
    assert Settings(link_key="k" * 32, web_url="http://127.0.0.1:8080").web_url


COMMANDS = [
    "demo",
    "up",
    "gateway",
    "worker",
    "sink",
    "pager",
    "web",
    "registry",
    "watch",
    "migrate",
    "prepare",
    "settings",
    "bench",
    "sizing",
    "facility",
    "device",
    "patient",
    "person",
    "share",
    "kafka",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    said = run(command, "--help")
    assert said.returncode == 0
    assert f"ecgstream {command}" in said.stdout
    assert len(said.stdout) > 80


def test_settings_are_explained_once() -> None:
    assert "--kafka" not in run("worker", "--help").stdout
    said = run("settings").stdout
    assert all(name in said for name in ("kafka", "database", "checkpoint_s", "default"))


@pytest.mark.parametrize(
    "url", ["", "https://grafana.example/path", "http://127.0.0.1:3000", "http://grafana:3000"]
)
def test_grafana_is_reached_where_nobody_reads_along(url: str) -> None:
    assert Settings(grafana_url=url).grafana_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://grafana.example",
        "https://me:token@grafana.example",
        "https://grafana.example?verify=false",
        "grafana.example",
    ],
)
def test_a_token_goes_over_no_open_line(url: str) -> None:
    with pytest.raises(ValidationError, match="https address"):
        Settings(grafana_url=url)
