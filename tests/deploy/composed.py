"""deploy/compose.yaml as Docker Compose would read it: variables filled in, anchors merged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ecgstream.cli import DEVICES, SERVICES, app

TOP = Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
GATEWAYS = {"gateway", "receive", "import"}
"""They stand where devices are, and have the same rights at Kafka."""
ONCE = {"kafka-users", "migrate", "logins", "desk"}
"""What ends by itself."""
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services_of_the_cli() -> set[str]:
    """The commands that run for ever: one a service."""
    return {name for name in app if {SERVICES, DEVICES} & set(app[name].group)}


def interpolated(text: str, **variables: str) -> str:
    """Fill in variables as Compose does; what has no value and no default is refused."""

    def value(found: re.Match[str]) -> str:
        name, sign, rest = found.groups()
        if variables.get(name):
            return variables[name]
        if sign != "-":
            raise KeyError(f"{name}: {rest or 'not set'}")
        return str(rest)

    return VARIABLE.sub(value, text)


def compose(secrets: str = "/secrets", **variables: str) -> dict[str, Any]:
    """The whole file."""
    text = interpolated(COMPOSE.read_text("utf-8"), SECRETS=secrets, **variables)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def secret_targets(service: dict[str, Any]) -> dict[str, str]:
    """Where a service finds its secrets, by their path in it: the secret's name."""
    found = {}
    for secret in service.get("secrets", ()):
        source, target = (
            (secret["source"], secret["target"]) if isinstance(secret, dict) else (secret, secret)
        )
        found[target if target.startswith("/") else f"/run/secrets/{target}"] = source
    return found
