"""The demo's registry: who and where, entered by the commands that a person would type.

Facilities are those of ``ecgstream facility generate``; the devices stand in hospitals and clinics of every
level. Patients have a pseudonym and no identifiers.
"""

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from itertools import cycle
from pathlib import Path
from typing import Any

from ecgstream.registry import facility_csv
from ecgstream.registry.henan import henan
from ecgstream.registry.teller import is_settled
from ecgstream.settings import Settings
from ecgstream.store.connection import connect

ACCOUNT = "demo"
"""The cardiologist at the root of the tree, by whose eyes the demo reads."""
ROLE = f"person_{ACCOUNT}"
ROOT = "INT"
PATIENCE_S = 30.0
PLACES = (
    "410000-H1",  # province hospital
    "410100-H1",  # city hospital
    "410100-01-H1",  # county hospital
    "410100-01-01",  # township health centre
    "410100-01-01-1",  # village clinic
    "410300-H2",
    "411600-H1",
    "419001-H1",
)


class SeedError(RuntimeError):
    """The registry cannot be filled, or what it holds does not reach Kafka; the message says which."""


def seed(settings: Settings, devices: Sequence[str]) -> dict[str, str]:
    """Fill the registry and wait until Kafka has been told; return device to pseudonym.

    What is there already stays as it is.

    Raises:
        SeedError: a command fails, or the service ``registry`` tells nothing.
    """
    run = Commands(settings)
    # Spread over shards, so that the demo's few devices are not all in one partition.
    worn = enrol(run, settings.data / "seed", {device: shard for shard, device in enumerate(devices)})
    if ACCOUNT not in {person["account"] for person in run.json("person", "list")}:
        words = ("--name", "Demo", "--kind", "cardiologist", "--facility", ROOT)
        run("person", "add", ACCOUNT, *words)
    wait_until_told(settings)
    return worn


def enrol(run: "Commands", folder: Path, shards: Mapping[str, int]) -> dict[str, str]:
    """Enter all facilities, the devices with their shards, and who wears them; return device to pseudonym."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / "facilities.csv"
    facility_csv.write(tree, henan())
    run("facility", "import", str(tree))
    places = dict(zip(shards, cycle(PLACES)))
    run("device", "import", str(_device_file(folder, shards, places)))
    return {
        device: _wearer(run, device, places[device], bed=1 + i // len(PLACES))
        for i, device in enumerate(shards)
    }


class Commands:
    """Runs ``ecgstream`` commands in this process, on the demo's database."""

    def __init__(self, settings: Settings) -> None:
        self._database = settings.database.get_secret_value()

    def __call__(self, *words: str) -> str:
        """Run a command; return what it prints."""
        from ecgstream.cli import app  # it knows every room, this one too

        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        try:
            with redirect_stdout(out), redirect_stderr(io.StringIO()):
                app([*words, "--database", self._database], result_action="return_value")
        except SystemExit as error:
            raise SeedError(f"`ecgstream {' '.join(words)}`: {error.code}") from error
        out.flush()
        return out.buffer.getvalue().decode()

    def json(self, *words: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self(*words, "--json"))


def _device_file(folder: Path, shards: Mapping[str, int], places: Mapping[str, str]) -> Path:
    file = folder / "devices.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("device", "facility", "kind", "leads", "shard"))
        for device, shard in shards.items():
            writer.writerow((device, places[device], "bedside_monitor", "II", shard))
    return file


def _wearer(run: Commands, device: str, place: str, bed: int) -> str:
    (found,) = run.json("device", "show", device)
    if found["patient"]:
        return str(found["patient"])
    (made,) = run.json("patient", "add", "--facility", place)
    patient = str(made["patient"])
    run("patient", "associate", patient, device, "--place-kind", "bed", "--place", str(bed))
    return patient


def wait_until_told(settings: Settings) -> None:
    """Wait until Kafka has been told all that the registry holds.

    Raises:
        SeedError: it is not.
    """
    deadline = time.monotonic() + PATIENCE_S
    with connect(settings.database.get_secret_value(), autocommit=True, role="ecg_registry") as connection:
        while not is_settled(connection):
            if time.monotonic() > deadline:
                raise SeedError(f"the registry tells nothing; its log is {settings.data}/logs/registry.log")
            time.sleep(0.05)
