"""The file that says which facilities a Grafana shows, and by which login of the database.

A secret: it holds passwords. It is TOML (docs/dashboards.md)::

    database = "timescaledb:5432/ecgstream"   # as Grafana reaches it
    tls = "verify-full"

    [facilities.410100-H1]
    account = "grafana_h1"
    password = "…"

What is wrong with it is said by names of facilities and entries, never by what they hold.
"""

import os
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.wording import Language

_ADDRESS = r"^([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}/[\w-]+$"

_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Login(BaseModel):
    """By which account a facility's data source reads the database."""

    model_config = _STRICT

    account: Annotated[str, Field(min_length=1)]
    password: Annotated[SecretStr, Field(min_length=1)]


class Shown(BaseModel):
    """What the file says.

    Attributes:
        database: host:port/name, as Grafana reaches it.
        tls: how Grafana trusts it: PostgreSQL's ``sslmode``.
        languages: of the dashboards; each is made in all of them.
        prometheus: uid of Grafana's data source for metrics; empty: no dashboard of operations.
        one_audience: everybody in this organisation of Grafana may see all of these facilities.
        facilities: code to login.
    """

    model_config = _STRICT

    database: Annotated[str, Field(pattern=_ADDRESS)]
    tls: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = tuple(Language)
    prometheus: str = ""
    one_audience: bool = False
    facilities: dict[str, Login] = Field(default_factory=dict)

    @property
    def server(self) -> str:
        """The database's host and port."""
        return self.database.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The database's name."""
        return self.database.rpartition("/")[2]


def read_shown(path: Path) -> Shown:
    """Read the file.

    Raises:
        DashboardsError: it is not there, is not its owner's alone, or is wrong somewhere.
    """
    try:
        with path.open("rb") as file:
            _check_owner(os.fstat(file.fileno()), path)
            return Shown.model_validate(tomllib.load(file))
    except OSError as error:
        raise DashboardsError(f"the file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # whose words may repeat a line
        raise DashboardsError(f"the file {path} is no TOML: see docs/dashboards.md") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DashboardsError(f"the file {path}: {where}: {first['msg']}") from None


def _check_owner(status: os.stat_result, path: Path) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DashboardsError(f"the file {path} can be read by others: chmod 600 it")
