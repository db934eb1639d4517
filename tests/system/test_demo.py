"""What a newcomer does: `ecgstream demo` ends by itself with nothing lost; `up` runs until Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest

KEYS = {
    "devices", "signal_s", "speed", "broker", "database", "packets", "beats", "mitdb208", "alerts", "vitals",
    "trends", "wall_s",
}  # fmt: skip
SCRIPTED = {
    "sim-02": "ASYSTOLE",
    "sim-03": "VENTRICULAR_TACHYCARDIA",
    "sim-04": "SPO2_LOW",
    "sim-05": "LEAD_OFF",
    "sim-06": "ALL_LEADS_OFF",
    "sim-07": "LINK_LOST",
    "sim-08": "DEVICE_RESTARTED",
}


def environment(recordings: str = "") -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    return clean | ({"ECGSTREAM_RECORDINGS": recordings} if recordings else {})


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that still name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(folder) in words and int(process.name) != os.getpid():
            found.append(words)
    return found


def demo(folder: Path, recordings: str = "") -> dict[str, object]:
    folder.mkdir(parents=True)
    ran = subprocess.run(
        [sys.executable, "-m", "ecgstream", "demo", "--json", "found.json"],
        cwd=folder,
        env=environment(recordings),
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "Traceback" not in ran.stdout + ran.stderr
    if not recordings:
        assert "SIMULATED" in ran.stdout
    assert left_behind(folder) == []
    found: dict[str, object] = json.loads((folder / "found.json").read_text())
    return found


def test_the_demo_loses_nothing_and_tells_every_scripted_trouble(kafka: str, tmp_path: Path) -> None:
    found = demo(tmp_path / "a folder")  # `kafka`: skipped where none can be had
    assert set(found) == KEYS
    assert found["packets"] == {"sent": 2370, "stored": 2370, "lost": 0, "duplicates": 0}
    raised = {(a["device"], a["condition"]) for a in found["alerts"]}  # type: ignore[attr-defined]
    assert set(SCRIPTED.items()) <= raised
    assert set(found["beats"]) == {"rec-mitdb-208", *SCRIPTED}  # type: ignore[call-overload]
    assert found["vitals"] > 5000  # type: ignore[operator]
    assert found["trends"] > 200  # type: ignore[operator]
    link_lost = next(a for a in found["alerts"] if a["condition"] == "LINK_LOST")  # type: ignore[attr-defined]
    assert 10.0 < link_lost["delay_signal_s"] < 20.0


@pytest.mark.skipif(not os.environ.get("ECGSTREAM_RECORDINGS"), reason="ECGSTREAM_RECORDINGS names no folder")
def test_on_recordings_the_demo_finds_the_beats_of_mit_bih_208(kafka: str, tmp_path: Path) -> None:
    found = demo(tmp_path / "recordings", os.environ["ECGSTREAM_RECORDINGS"])
    assert found["packets"]["lost"] == found["packets"]["duplicates"] == 0  # type: ignore[index]
    match = found["mitdb208"]
    assert isinstance(match, dict)
    assert match["reference"] == "mitdb/208.atr"
    assert match["matched"] >= 480
    assert match["extra"] <= 15


def a_limit_set_by_command_raises_its_alert(said: str, url: str, deadline: float) -> None:
    """From the command line by way of registry, Kafka, worker and pager to what a cardiologist sees."""
    database = re.search(r"ECGSTREAM_DATABASE='?(postgresql:[^\s']+)", said)
    assert database, said
    run = [sys.executable, "-m", "ecgstream"]
    there = environment() | {"ECGSTREAM_DATABASE": database[1]}
    shown = subprocess.run(
        [*run, "device", "show", "sim-08", "--json"], env=there, stdout=subprocess.PIPE, check=True
    )
    patient = json.loads(shown.stdout)[0]["patient"]
    subprocess.run(
        [*run, "patient", "limit", patient, "hr", "--low", "20", "--high", "40"], env=there, check=True
    )
    while True:
        with psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT patient FROM api.alerts WHERE device = 'sim-08' AND condition = 'HEART_RATE_HIGH'"
            ).fetchall()
        if found:
            assert found == [(patient,)]
            return
        assert time.monotonic() < deadline, "the limit has no effect"
        time.sleep(0.5)


def test_a_centre_runs_until_ctrl_c_and_leaves_no_process(kafka: str, tmp_path: Path) -> None:
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, monitor = probe.getsockname()[1], other.getsockname()[1]
    web = {"WEB_URL": f"http://127.0.0.1:{port}", "WEB_PORT": str(port), "LINK_KEY": "k" * 32}
    web |= {"MONITOR_PORT": str(monitor)}
    with (tmp_path / "out").open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "ecgstream", "up", "--data", str(tmp_path / "centre")],
            cwd=tmp_path,
            env=environment() | {f"ECGSTREAM_{name}": value for name, value in web.items()},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        said = ""
        deadline = time.monotonic() + 180
        while "A device" not in said:
            assert up.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
            said = (tmp_path / "out").read_text()
        url = re.search(r"psql '?(postgresql:[^\s']+)", said)
        assert url, said
        while True:
            with psycopg.connect(url[1]) as connection:
                row = connection.execute("SELECT count(*) FROM api.beats").fetchone()
            if row and row[0] > 20:
                break
            assert time.monotonic() < deadline, "no beats arrive"
            time.sleep(0.5)
        a_limit_set_by_command_raises_its_alert(said, url[1], deadline)
        assert f"{web['WEB_URL']}, where the links of pages lead" in said
        with httpx.Client(transport=httpx.HTTPTransport(retries=6)) as browser:  # it may start still
            assert browser.get(f"{web['WEB_URL']}/page/x").status_code == 404
            assert f"http://127.0.0.1:{monitor}" in said
            assert browser.get(f"http://127.0.0.1:{monitor}/login").status_code == 200
    finally:
        up.send_signal(signal.SIGINT)
        status = up.wait(60)
    assert status == 0, (tmp_path / "out").read_text()
    assert left_behind(tmp_path) == []
