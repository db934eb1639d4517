"""The fixtures are what they are said to be."""

from __future__ import annotations

import pytest

from tests.devices.http.made import FIXTURES, fixtures


@pytest.mark.parametrize("path", fixtures())
def test_a_fixture_is_made_as_its_readme_says(path: str) -> None:
    assert (FIXTURES / path).read_bytes() == fixtures()[path]
