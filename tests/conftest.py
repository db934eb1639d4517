"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# No test is timed: machines differ, and are shared.
settings.register_profile("ecgstream", deadline=None)
settings.load_profile("ecgstream")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that a test calls sets logging up for its process; the next test begins anew."""
    yield
    structlog.reset_defaults()
