"""``ecgstream conform``: does a gateway do what devices rely on?"""

import json as json_module
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from cyclopts import App

from ecgstream.commands.common import say
from ecgstream.commands.speaking import Speaker, one_line
from ecgstream.conform.checks import Check, Finding, Verdict, findings
from ecgstream.conform.http import HttpChecks
from ecgstream.conform.mllp import MllpChecks
from ecgstream.conform.mqtt import MqttChecks
from ecgstream.speaking.http import client
from ecgstream.speaking.ways import http_url, mllp_lines, mqtt_lines

app = App(
    name="conform",
    help=(
        "Try a gateway as a device would: does it do what devices rely on?\n\n"
        "It sends some seconds of made ECG as the device that is named. Let that be one that is enrolled for "
        "trying, which nobody wears: what is sent is stored, and judged, as all that devices send. "
        "The exit status is 1 if something does not hold."
    ),
)


@app.command
def mllp(address: str, /, *, speaker: Speaker, json: Path | None = None) -> None:
    """Try a gateway by HL7 v2 over MLLP.

    For instance:

        ecgstream conform mllp 127.0.0.1:2575 --device try-1 --plain

    Args:
        address: host:port.
        speaker: see the flags.
        json: also write what was found to this file.
    """
    with one_line("conform"):
        checks = MllpChecks(mllp_lines(address, speaker.access(), plain=speaker.plain), speaker.device)
    _tell(checks.checks(), json)


@app.command
def http(address: str, /, *, speaker: Speaker, json: Path | None = None) -> None:
    """Try a gateway by HTTP and FHIR.

    For instance:

        ecgstream conform http http://127.0.0.1:8095 --device try-1 --device-key try-1.key

    Args:
        address: as https://gateway.example:8095.
        speaker: see the flags.
        json: also write what was found to this file.
    """
    with one_line("conform"):
        made = client(http_url(address), speaker.access())
    with closing(made):
        _tell(HttpChecks(made, speaker.device).checks(), json)


@app.command
def mqtt(address: str, /, *, speaker: Speaker, json: Path | None = None) -> None:
    """Try a broker of MQTT 5, and whether a gateway takes devices' messages from it.

    For instance:

        ecgstream conform mqtt mqtts://broker.example --device try-1 --shard 7 --device-key try-1.key

    Args:
        address: as mqtts://broker.example:8883.
        speaker: see the flags.
        json: also write what was found to this file.
    """
    with one_line("conform"):
        access = speaker.access()
        checks = MqttChecks(mqtt_lines(address, speaker.shard), access, speaker.shard or 0)
    _tell(checks.checks(), json)


def _tell(checks: Sequence[Check], json: Path | None) -> None:
    """Ask, tell each finding as it comes, and end the program."""
    found: list[Finding] = []
    for finding in findings(checks):
        found.append(finding)
        say(f"{finding.verdict:>9}  {finding.what}{f': {finding.why}' if finding.why else ''}")
    if json is not None:
        json.write_text(json_module.dumps([asdict(one) for one in found], indent=2) + "\n")
    failed = sum(one.verdict is Verdict.FAILS for one in found)
    say(f"{len(found)} checks, {failed} of them do not hold" if failed else f"{len(found)} checks, all hold")
    sys.exit(1 if failed else 0)
