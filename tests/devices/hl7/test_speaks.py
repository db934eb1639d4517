"""Whom a connection of MLLP may speak for: by its certificate, and without one where that is allowed."""

from __future__ import annotations

import pytest

from devices.enrolment import Enrolments
from devices.errors import NotAdmittedError
from devices.hl7.speaks import Speaks
from schemas.records import Enrolment

KNOWN = Enrolments().changed(
    (name, Enrolment(name, kind, facility, 0, (), b"", subject, disabled, 1))
    for name, kind, facility, subject, disabled in (
        ("mon-1", "monitor", "cn.a", "CN=mon-1", False),
        ("mon-2", "monitor", "cn.a.icu", "", False),
        ("mon-3", "monitor", "cn.ab", "", False),
        ("off", "monitor", "cn.a", "", True),
        ("station", "central-station", "cn.a", "CN=station", False),
        ("gone", "central-station", "cn.a", "CN=gone", True),
    )
)


@pytest.mark.parametrize(
    ("device", "subject", "plain", "may"),
    [
        ("mon-1", "CN=mon-1", False, True),
        ("mon-1", "CN=station", False, False),  # it has a certificate of its own
        ("mon-1", "", True, False),
        ("mon-2", "CN=station", False, True),
        ("mon-2", "CN=mon-1", False, False),
        ("mon-2", "CN=stranger", False, False),
        ("mon-2", "CN=gone", False, False),
        ("mon-2", "", True, True),
        ("mon-2", "", False, False),
        ("mon-3", "CN=station", False, False),  # another facility, whose code begins alike
        ("off", "", True, False),
        ("nobody", "", True, False),
    ],
)
def test_a_connection_speaks_for_whom_it_may(device: str, subject: str, plain: bool, may: bool) -> None:
    speaks = Speaks(lambda: KNOWN, plain=plain)
    if may:
        speaks.decide(device, subject)
        return
    with pytest.raises(NotAdmittedError):
        speaks.decide(device, subject)
