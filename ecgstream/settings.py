"""Settings of every service: from flags, the environment, a file, or the default, in this order.

Environment: ``ECGSTREAM_NAME``. File: ``ecgstream.toml`` in the working folder, or the one that
``ECGSTREAM_SETTINGS`` names. ``ecgstream settings`` prints each value with its origin.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "ECGSTREAM_"


def settings_file() -> Path:
    """Return the path of the settings file, which need not exist."""
    return Path(os.environ.get(f"{PREFIX}SETTINGS", "ecgstream.toml"))


class Settings(BaseSettings):
    """What a service needs to know; every service takes the same."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kafka: str = Field(default="", description="bootstrap address host:port; empty: an embedded broker")
    database: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL or TimescaleDB URL; empty: an embedded one"
    )
    keys: Path | None = Field(
        default=None, description="file of the keys that seal patients' identifiers: `ecgstream patient keys new`"
    )
    key_command: str = Field(
        default="", description="command that prints such a file instead, as a key management service has one"
    )
    data: Path = Field(default=Path("var/data"), description="folder of the embedded services' data")
    recordings: Path | None = Field(
        default=None, description="folder of WFDB or EDF recordings that the demo plays"
    )
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=8, description="partitions of every topic, fixed when the topics are created"
    )
    replication: Annotated[int, Field(ge=1, le=5)] = Field(default=1, description="replicas of every topic")
    worker: str = Field(
        default="",
        description="static name of this worker: started again under it, it has its partitions back at once",
    )
    checkpoint_s: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="s between two checkpoints of a worker"
    )
    snapshot_spread_s: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="s over which the snapshots of all devices are spread"
    )
    session_timeout_s: Annotated[float, Field(ge=6)] = Field(
        default=10.0, description="s of silence after which the broker gives a worker's partitions away"
    )
    lost_link_s: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="s without a packet after which a device's link counts as lost"
    )
    clock_rate: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="speed of wall-clock timers; above 1 only where signals run faster than life"
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_json: bool = Field(default=False, description="log lines as JSON objects")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


def origin(settings: Settings, name: str) -> str:
    """Return where a setting's value came from: ``flag``, ``environment``, the file's name, or ``default``.

    >>> origin(Settings(partitions=2), "partitions")
    'flag'
    """
    if name not in settings.model_fields_set:
        return "default"
    in_environment = f"{PREFIX}{name.upper()}" in os.environ
    in_file = name in TomlConfigSettingsSource(Settings, settings_file())()
    without_flags = getattr(Settings(), name) if in_environment or in_file else None
    if without_flags != getattr(settings, name):
        return "flag"
    return "environment" if in_environment else str(settings_file())
