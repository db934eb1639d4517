"""Settings of every service: from flags, the environment, secrets, a file, or the default, in this order.

Environment: ``ECGSTREAM_NAME``. Secrets: a file named like the setting (``database``, ``notify_url``) in the
folder that ``ECGSTREAM_SECRETS`` names, as compose, Kubernetes and systemd hand them over. File:
``ecgstream.toml`` in the working folder, or the one that ``ECGSTREAM_SETTINGS`` names. ``ecgstream settings``
prints each value with its origin.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import Field, SecretStr, TypeAdapter, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

PREFIX = "ECGSTREAM_"


def settings_file() -> Path:
    """Return the path of the settings file, which need not exist."""
    return Path(os.environ.get(f"{PREFIX}SETTINGS", "ecgstream.toml"))


def secrets_folder() -> Path | None:
    """Return the folder of secrets, ``None`` where none is named."""
    named = os.environ.get(f"{PREFIX}SECRETS")
    return Path(named) if named else None


class SecretsSource(PydanticBaseSettingsSource):
    """Reads those settings that are secret, one a file, from the folder of secrets; others never."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return what a secret's file holds, without the line's end; ``None``: there is no such file."""
        folder = secrets_folder()
        if folder is None or field.annotation is not SecretStr:
            return None, field_name, False
        path = folder / field_name
        try:
            return path.read_text("utf-8").rstrip("\r\n"), field_name, False
        except FileNotFoundError:
            return None, field_name, False
        except (OSError, UnicodeDecodeError) as error:
            why = type(error).__name__  # and nothing of what was read
            raise SettingsError(f"the secret {path} ({PREFIX}SECRETS) cannot be read: {why}") from None

    def __call__(self) -> dict[str, Any]:
        """Return the secrets that have a file."""
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What a service needs to know; every service takes the same."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True, validate_default=True
    )

    kafka: str = Field(default="", description="bootstrap address host:port; empty: an embedded broker")
    kafka_security: Literal["PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="SASL_SSL: a closed broker, entered over TLS with a password; PLAINTEXT: an open one",
    )
    kafka_user: str = Field(default="", description="our name at a closed broker: `ecgstream kafka grant`")
    # No flag: every process of a machine may read the arguments of all others.
    kafka_password: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""), description="our password at a closed broker; not a flag"
    )
    kafka_password_file: Path | None = Field(
        default=None, description="file that holds this password instead"
    )
    kafka_ca: Path | None = Field(
        default=None,
        description="file of the authorities (PEM) whose certificates a closed broker may show; "
        "none: those that this machine trusts",
    )
    database: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL or TimescaleDB URL; empty: an embedded one"
    )
    keys: Path | None = Field(
        default=None, description="file of the keys to patients' identifiers: `ecgstream patient keys new`"
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
    rebuild_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0,
        description="s of the log that a device is rebuilt from where another version's snapshot is refused",
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
    clock_offset_ns: int | None = Field(
        default=None,
        description="ns that make wall clock x clock_rate the time of the signals in a play; none: no play",
    )
    late_s: Annotated[float, Field(gt=0)] = Field(
        default=120.0,
        description="s after which a condition that is over is a late finding, no longer a page",
    )
    # Addresses of hooks hold tokens: no flags.
    notify_url: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""), description="webhook that pages are posted to; empty: none; not a flag"
    )
    heartbeat_url: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""),
        description="dead man's switch that the watch calls while all is well; empty: none; not a flag",
    )
    heartbeat_s: Annotated[float, Field(ge=1)] = Field(
        default=30.0, description="s between two calls of the dead man's switch"
    )
    stall_s: Annotated[float, Field(ge=12)] = Field(
        default=15.0,
        description="s without progress after which the watch alarms; a planned hand-over takes up to 10",
    )
    away_s: Annotated[float, Field(ge=3)] = Field(
        default=10.0, description="s within which the watch tells that Kafka or the database is away"
    )
    disks: str = Field(
        default="", description="folders whose disks the watch looks at besides its own, separated by :"
    )
    disk_free_percent: Annotated[float, Field(ge=0, lt=100)] = Field(
        default=15.0, description="share of a disk, below which what is free is told as too little"
    )
    database_volume_gb: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="size of the database's disk, which it cannot tell itself; 0: not looked at"
    )
    spool: Path = Field(
        default=Path("var/spool"), description="folder in which a gateway keeps what Kafka has not taken"
    )
    # What is deleted, law and contracts decide: nothing is, unless it is said here.
    keep_traces_days: Annotated[int, Field(ge=0)] = Field(
        default=0, description="days that signals are kept by `ecgstream housekeeping`; 0: for ever"
    )
    keep_beats_days: Annotated[int, Field(ge=0)] = Field(
        default=0, description="days that beats are kept; 0: for ever"
    )
    keep_vitals_days: Annotated[int, Field(ge=0)] = Field(
        default=0, description="days that vital signs are kept; 0: for ever"
    )
    keep_trends_days: Annotated[int, Field(ge=0)] = Field(
        default=0, description="days that trends are kept by minutes; 0: for ever"
    )
    keep_hours_days: Annotated[int, Field(ge=0)] = Field(
        default=0, description="days that trends are kept by hours; 0: for ever"
    )
    keep_events_days: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="days that alerts, conditions, rhythms and segments are kept; 0: for ever; "
        "what is still open stays",
    )
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=0, description="port of /metrics, /health and /ready; 0: none"
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="address on which that port listens; 0.0.0.0 in a container with a network of its own",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_json: bool = Field(default=False, description="log lines as JSON objects")

    @field_validator("kafka_security")
    @classmethod
    def _is_of_a_named_broker(cls, value: str, info: ValidationInfo) -> str:
        if value == "SASL_SSL" and not info.data.get("kafka"):
            raise ValueError(f"the embedded broker is open: name the closed one with {PREFIX}KAFKA")
        return value

    @field_validator("kafka_user", "kafka_password", "kafka_password_file", "kafka_ca")
    @classmethod
    def _is_of_use(cls, value: object, info: ValidationInfo) -> object:
        """Refuse credentials that an open connection would leave unused: it was meant to be closed."""
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        if given and info.data.get("kafka_security") == "PLAINTEXT":
            raise ValueError(f"of no use with kafka_security PLAINTEXT: set {PREFIX}KAFKA_SECURITY=SASL_SSL")
        return value

    @field_validator("kafka_user")
    @classmethod
    def _names_somebody(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("kafka_security") == "SASL_SSL" and not value:
            raise ValueError("a closed broker wants a user")
        return value

    @field_validator("kafka_password_file")
    @classmethod
    def _is_the_password(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        password = info.data.get("kafka_password")
        if info.data.get("kafka_security") != "SASL_SSL" or password is None:
            return value
        if value is None and not password.get_secret_value():
            raise ValueError(f"a closed broker wants a password: set this, or {PREFIX}KAFKA_PASSWORD")
        if value is not None and password.get_secret_value():
            raise ValueError(f"one password too many: {PREFIX}KAFKA_PASSWORD is set too")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, secrets, file."""
        file = TomlConfigSettingsSource(settings_cls, settings_file())
        return init_settings, env_settings, SecretsSource(settings_cls), file

    def environment(self) -> dict[str, str]:
        """Return the settings as environment variables for a child process, secrets in the clear."""
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.model_dump().items()
        }
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in plain.items() if value is not None}


def origin(settings: Settings, name: str) -> str:
    """Return where a value came from: ``flag``, ``environment``, ``secrets``, the file's name, ``default``.

    >>> origin(Settings(partitions=2), "partitions")
    'flag'
    """
    if name not in settings.model_fields_set:
        return "default"
    environment = EnvSettingsSource(Settings)()
    secrets = SecretsSource(Settings)()
    file = TomlConfigSettingsSource(Settings, settings_file())()
    annotation: Any = Settings.model_fields[name].annotation
    for where, values in (("environment", environment), ("secrets", secrets), (str(settings_file()), file)):
        if name in values:
            without_flags = TypeAdapter(annotation).validate_python(values[name])
            return where if without_flags == getattr(settings, name) else "flag"
    return "flag"
