"""docs/operations.md says what is so: the sizing is the command's, and every alarm has its advice."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ecgstream.commands.sizing import app
from ecgstream.settings import Settings
from schemas.conditions import CATALOGUE, Code
from tests.deploy.composed import DEPLOY, TOP

DOCUMENT = (TOP / "docs" / "operations.md").read_text("utf-8")
MEASURED = sorted((TOP / "docs" / "measured").glob("*.json"))
OF_THE_SYSTEM = [code for code in Code if code >= 64]


def test_the_sizing_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    app([*map(str, MEASURED), "--markdown"], exit_on_error=False, result_action="return_value")
    printed = capsys.readouterr().out
    shown = DOCUMENT.partition("<!-- sizing -->\n")[2].partition("<!-- /sizing -->")[0]
    assert shown == printed, "run: ecgstream sizing docs/measured/*.json --markdown"


def test_what_was_measured_says_where() -> None:
    for path in MEASURED:
        assert json.loads(path.read_text("utf-8"))["run"]["machine"], path.name


@pytest.mark.parametrize("code", OF_THE_SYSTEM, ids=lambda code: code.name)
def test_an_alarm_of_the_system_has_its_advice(code: Code) -> None:
    assert CATALOGUE[code].technical
    (row,) = re.findall(rf"^\| {code.name} \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert all(len(cell) > 10 for cell in row.split(" | "))
    assert row.count(" | ") == 2


def test_advice_is_given_on_rules_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == names


def test_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"`((?:keep|session|rebuild)_\w+)`", DOCUMENT))
    assert len(named) > 2
    assert named <= set(Settings.model_fields)
