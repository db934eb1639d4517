"""The settings as flags of every command; `ecgstream settings` explains them, so no other help has to."""

from typing import Annotated

from cyclopts import Parameter

from ecgstream.settings import Settings

SettingsFlags = Annotated[Settings | None, Parameter(name="*", show=False)]
