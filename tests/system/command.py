"""Commands of the registry as tests call them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclopts import App


class Command:
    """One command of the registry on one database, in this process."""

    def __init__(self, app: App, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self._app = app
        self._capsys = capsys

    def __call__(self, *words: object, status: int = 0) -> tuple[str, str]:
        """Run it; return what it said on stdout and on stderr."""
        self._capsys.readouterr()
        why: object = 0
        try:
            database = () if words[0] == "generate" else ("--database", self.url)
            self._app([*map(str, words), *database], exit_on_error=False, result_action="return_value")
        except SystemExit as end:
            why = end.code
        out, err = self._capsys.readouterr()
        said = why if isinstance(why, str) else err
        assert (1 if isinstance(why, str) else why) == status, said
        return out, said

    def json(self, *words: object) -> Any:
        return json.loads(self(*words, "--json")[0])

    def refused(self, *words: object) -> str:
        _, said = self(*words, status=1)
        assert said.startswith("ecgstream: ")
        assert "Traceback" not in said
        return said
