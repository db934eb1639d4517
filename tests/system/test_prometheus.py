"""What promtool says of deploy/prometheus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ecgstream.embedded.errors import ServiceUnavailableError
from tests.system.conftest import lacking
from tests.system.tools import tool

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def promtool() -> str:
    try:
        return tool("promtool")
    except ServiceUnavailableError as error:
        why = error
    lacking(why)
    raise why


def run(*argv: str | Path, cwd: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_configuration_and_rules_are_valid(promtool: str) -> None:
    for words in (("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml")):
        done = run(promtool, *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_timeline_raises_what_it_should_and_nothing_else(promtool: str) -> None:
    done = run(promtool, "test", "rules", "alerts.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("for: 2m", "for: 10s"),  # a worker that restores would alarm
        ('up{job="ecgstream"} == 0', 'up{job="ecgstream"} == 2'),
        ("> 0) > 0.5", "> 0) > 5"),
        ('group="sink"} > 10000', 'group="sink"} > 0'),
    ],
)
def test_the_timelines_notice_a_rule_that_is_wrong(
    promtool: str, was: str, becomes: str, tmp_path: Path
) -> None:
    copy = tmp_path / "prometheus"
    shutil.copytree(FOLDER, copy)
    rules = (copy / "alerts.yml").read_text("utf-8")
    assert was in rules
    (copy / "alerts.yml").write_text(rules.replace(was, becomes))
    assert run(promtool, "test", "rules", "alerts.test.yml", cwd=copy).returncode != 0
