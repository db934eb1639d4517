"""What the examples of devices publish is in Kafka, as they say it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from ecgstream.settings import Settings
from tests.system.mosquitto import Mosquitto, password
from tests.system.pager_ward import until
from tests.system.test_receive import Gateway, found, kafka_with
from tests.system.tools import tool

EXAMPLES = Path(__file__).resolve().parents[2] / "fixtures" / "examples" / "mqtt"
SHARDS = {"dev-1": 6, "dev-2": 7, "dev-3": 8}


@pytest.fixture
def settings(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Settings]:
    """Of a gateway that runs."""
    with kafka_with(SHARDS, tmp_path / "kafka") as made:
        asked = made.model_copy(update={"mqtt_password": SecretStr(password("gateway"))})
        authorities = ("--authorities", str(mosquitto.authority))
        flags = ("--mqtt", mosquitto.url, "--mqtt-user", "gateway", *authorities)
        gateway = Gateway(asked, tmp_path, *flags, sign="mqtt_connected")
        yield asked
        gateway.kill()


def compiled(folder: Path) -> Path | None:
    """The example in C; none where there is no compiler, or no libmosquitto to compile with."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/mosquitto.h").exists():
        return None
    warned = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    argv = [compiler, *warned, "-o", folder / "send", EXAMPLES / "send.c", "-lmosquitto", "-lm"]
    subprocess.run(argv, check=True)
    return folder / "send"


def test_what_the_examples_publish_arrives(settings: Settings, mosquitto: Mosquitto, tmp_path: Path) -> None:
    files = {name: tmp_path / f"password-of-{name}" for name in SHARDS}
    for name, file in files.items():
        file.write_text(f"{password(name)}\n")
    tool("mosquitto_pub")
    said = {"HOST": "127.0.0.1", "PORT": mosquitto.port, "CA": mosquitto.authority, "DEVICE": "dev-1"}
    said |= {"SHARD": SHARDS["dev-1"], "PASSWORD_FILE": files["dev-1"]}
    environment = os.environ | {name: str(value) for name, value in said.items()}
    subprocess.run([EXAMPLES / "send.sh"], env=environment, check=True)

    at = ["--host", "127.0.0.1", "--port", mosquitto.port, "--ca", mosquitto.authority, "--device", "dev-2"]
    at += ["--shard", SHARDS["dev-2"], "--password-file", files["dev-2"], "--seconds", 2]
    subprocess.run([sys.executable, EXAMPLES / "send.py", *map(str, at)], check=True)

    wanted = {"dev-1": 1, "dev-2": 2}
    if (program := compiled(tmp_path)) is not None:
        where = ["127.0.0.1", mosquitto.port, mosquitto.authority, "dev-3", SHARDS["dev-3"], files["dev-3"]]
        subprocess.run([program, *map(str, where)], check=True)
        wanted["dev-3"] = 1
    until(lambda: {name: len(there) for name, there in found(settings)[0].items()} == wanted)
    packets, _ = found(settings)
    assert [one.channels[0].rate for one in packets["dev-1"].values()] == [10.0]
    assert all(max(one.channels[0].samples) == 400 for one in packets["dev-2"].values())
