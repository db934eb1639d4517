"""Twelve faults, and four kills of the pager: nothing lost, nothing told twice, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ecgstream.chaos.compare import COMPARED
from tests.system.test_demo import environment, left_behind

FAULTS, PAGER_KILLS = 12, 4
"""The pager is killed once among the faults, so five times in all."""
NOTHING_WRONG = {"differences": 0, "missing": 0, "extra": 0, "pages_lost": 0, "pages_duplicated": 0}


def databases(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}


@pytest.mark.alone
@pytest.mark.timeout(2400)
def test_twelve_faults_lose_nothing(kafka: str, timescale_url: str, tmp_path: Path) -> None:
    before = databases(timescale_url)  # `kafka`: skipped where none can be had
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "ecgstream",
            "chaos",
            "--faults",
            str(FAULTS),
            "--pager-kills",
            str(PAGER_KILLS),
            "--json",
            "found.json",
        ],
        cwd=tmp_path,
        env=environment() | {"ECGSTREAM_DATABASE": timescale_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2380,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert "Traceback" not in ran.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    recovery = found.pop("recovery_s")
    assert 0 < recovery["p50"] <= recovery["max"]
    assert found.pop("compared") == {table: list(columns) for table, columns in COMPARED.items()}
    assert found.pop("raw_repeats") > 0  # the receiver saw to that
    assert found == NOTHING_WRONG | {"faults": FAULTS + PAGER_KILLS}
    assert left_behind(tmp_path) == []
    assert databases(timescale_url) == before
    assert os.listdir(tmp_path / "var") == []  # noqa: PTH208 - kept only where something differs
