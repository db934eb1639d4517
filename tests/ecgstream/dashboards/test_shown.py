"""The file of facilities and logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.shown import read_shown
from ecgstream.dashboards.wording import Language

SAID = """
database = "db.example:5432/ecgstream"
[facilities.410100-H1]
account = "grafana_h1"
password = "hunter2"
"""


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "facilities.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    shown = read_shown(written(tmp_path, SAID))
    assert (shown.server, shown.name, shown.tls) == ("db.example:5432", "ecgstream", "verify-full")
    assert shown.languages == tuple(Language)
    assert not shown.one_audience
    assert shown.facilities["410100-H1"].account == "grafana_h1"
    assert "hunter2" not in repr(shown)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SAID.replace("db.example:5432/ecgstream", "postgresql://me:hunter2@db/ecgstream"), "database"),
        (SAID.replace('"grafana_h1"', "17"), "facilities.410100-H1.account"),
        (SAID.replace("password", "passwort"), "facilities.410100-H1.password"),
        (f'languages = ["hunter2"]{SAID}', "languages.0"),
        (f'tls = "hunter2"{SAID}', "tls"),
        (f'languages = "{SAID}', "no TOML"),
    ],
)
def test_what_is_wrong_is_said_without_what_it_holds(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DashboardsError, match=said) as refused:
        read_shown(written(tmp_path, text))
    assert "hunter2" not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DashboardsError, match="chmod 600"):
        read_shown(written(tmp_path, SAID, 0o640))


def test_no_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DashboardsError, match="cannot be read: No such file"):
        read_shown(tmp_path / "none.toml")
