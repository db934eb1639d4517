"""Settings of every service: from flags, the environment, secrets, a file, or the default, in this order.

Environment: ``ECGSTREAM_NAME``. Secrets: a file named like the setting (``database``, ``notify_url``) in the
folder that ``ECGSTREAM_SECRETS`` names, as compose, Kubernetes and systemd hand them over. File:
``ecgstream.toml`` in the working folder, or the one that ``ECGSTREAM_SETTINGS`` names. ``ecgstream settings``
prints each value with its origin.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

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
SHORTEST_KEY = 32
"""Characters of a key that signs."""
Days = Annotated[int, Field(ge=0)]
Minutes = Annotated[int, Field(ge=1, le=43_200)]


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
    mqtt_password: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""), description="a gateway's password at a broker of MQTT; not a flag"
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
    audit_key: Path | None = Field(
        default=None, description="file of the key that signs the audit log: `ecgstream audit key`"
    )
    server_log: Path | None = Field(
        default=None, description="folder of the database server's log, where the witness runs beside it"
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
    contacts: Path | None = Field(
        default=None,
        description="file of the channels that reach people (docs/notifiers.md); none: the webhook alone",
    )
    web_url: str = Field(
        default="",
        description="address of the web as people reach it, https://monitor.example; empty: no links",
    )
    web_host: str = Field(default="127.0.0.1", description="address on which the web listens, without TLS")
    web_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8080, description="port of the web; 0: any that is free"
    )
    link_key: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""),
        description="key that signs links, 32 characters or more; the pager and the web have it; not a flag",
    )
    codes: Path | None = Field(
        default=None, description="file of the personal codes by which people answer pages: `person code`"
    )
    api_keys: Path | None = Field(
        default=None, description="file of the keys of programs that keep the roster by the web, as of codes"
    )
    monitor_url: str = Field(
        default="",
        description="address of the monitor as people reach it, https://ward.example; empty: this machine",
    )
    monitor_host: str = Field(
        default="127.0.0.1", description="address on which the monitor listens, without TLS"
    )
    monitor_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8090, description="port of the monitor; 0: any that is free"
    )
    monitor_database: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL or TimescaleDB URL of the monitor's own login, a member of ecg_web",
    )
    monitor_oidc_issuer: str = Field(
        default="",
        description="OpenID Connect provider of the monitor's login, https://login.example; empty: none",
    )
    monitor_oidc_client: str = Field(default="", description="what the monitor is called at that provider")
    monitor_oidc_secret: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""), description="the monitor's secret at that provider; not a flag"
    )
    monitor_oidc_claim: str = Field(
        default="preferred_username", description="claim of the ID token that names the account"
    )
    grafana_url: str = Field(
        default="",
        description="address of the Grafana that `ecgstream dashboards` keeps, https://grafana.example",
    )
    grafana_token: Annotated[SecretStr, Parameter(parse=False)] = Field(
        default=SecretStr(""),
        description="token of a service account there, with the role Admin in one organisation; not a flag",
    )
    grafana_facilities: Path | None = Field(
        default=None,
        description="file of the facilities that it shows, and of their data sources' logins",
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
    consult_emergency_min: Minutes = Field(default=10, description="minutes to answer an emergency's case in")
    consult_urgent_min: Minutes = Field(default=120, description="minutes to answer an urgent case in")
    consult_routine_min: Minutes = Field(default=1440, description="minutes to answer a routine case in")
    consult_open_days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=7, description="days from its due time, after which a case of consultation closes by itself"
    )
    spool: Path = Field(
        default=Path("var/spool"), description="folder in which a gateway keeps what Kafka has not taken"
    )
    spool_max_gb: Annotated[float, Field(gt=0)] = Field(
        default=10.0,
        description="GB that wait in a gateway's spool at most; above, detail is given up, and ECG last",
    )
    spool_max_days: Annotated[float, Field(ge=1)] = Field(
        default=30.0, description="days of a gateway's running, after which what still waits is dropped"
    )
    # What is deleted, law and contracts decide: nothing is, unless it is said here.
    keep_traces_days: Days = Field(
        default=0, description="days that signals are kept by `ecgstream housekeeping`; 0: for ever"
    )
    keep_beats_days: Days = Field(default=0, description="days that beats are kept; 0: for ever")
    keep_vitals_days: Days = Field(default=0, description="days that vital signs are kept; 0: for ever")
    keep_trends_days: Days = Field(default=0, description="days that trends are kept by minutes; 0: for ever")
    keep_hours_days: Days = Field(default=0, description="days that trends are kept by hours; 0: for ever")
    keep_events_days: Days = Field(
        default=0,
        description="days that alerts, conditions, rhythms and segments are kept; 0: for ever; "
        "what is still open stays",
    )
    keep_unsigned_days: Days = Field(
        default=0, description="days that reports are kept that nobody has signed; 0: for ever"
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

    @field_validator("web_url", "monitor_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        url = urlsplit(value)
        near = url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")
        if value and not ((url.scheme == "https" or near) and url.hostname and url.path in ("", "/")):
            raise ValueError("an https address without a path is wanted, as https://monitor.example")
        return value

    @field_validator("monitor_oidc_issuer")
    @classmethod
    def _is_an_issuer(cls, value: str) -> str:
        url = urlsplit(value)
        near = url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")
        plain = url.hostname and not (url.query or url.fragment or url.username)
        if value and not (plain and (url.scheme == "https" or near)):
            raise ValueError("an https address without query is wanted, as https://login.example/realms/ward")
        return value

    @field_validator("grafana_url")
    @classmethod
    def _keeps_the_token(cls, value: str) -> str:
        url = urlsplit(value)
        # A name without a dot is one of this machine's own network, as compose makes it.
        near = url.scheme == "http" and ("." not in str(url.hostname) or url.hostname == "127.0.0.1")
        plain = url.hostname and not (url.query or url.username)
        if value and not (plain and (url.scheme == "https" or near)):
            raise ValueError("an https address without user and query is wanted, as https://grafana.example")
        return value

    @field_validator("link_key")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"{SHORTEST_KEY} characters or more are wanted: `openssl rand -base64 32`")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _is_nothing(cls, value: object, info: ValidationInfo) -> object:
        """Take an empty variable of what may be unset as unset: as a path it would be the working folder."""
        name = info.field_name
        return None if value == "" and name and cls.model_fields[name].default is None else value

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
