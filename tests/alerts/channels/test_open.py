"""Which channel an address asks for, and that no other one is loaded for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from alerts.channels.open import open_channel


@pytest.mark.parametrize(
    ("address", "name", "pictures"),
    [
        ("https://hook.example/token", "Webhook", True),
        ("mailtos://user:word@smtp.example?from=a@b.example&to=c@d.example", "Mail", True),
        ("smpp://user:word@127.0.0.1:2775/10000000000/20000000000", "Sms", False),
        ("mllp://127.0.0.1:2575/APP/FACILITY", "Acm", False),
        ("fhir://127.0.0.1/base?to=PractitionerRole/icu", "Macm", True),
        ("feishu://token", "Service", False),
        ("dingtalk://token", "Service", False),
        ("wecombot://key", "Service", False),
        ("ntfy://topic", "Service", True),
    ],
)
def test_an_address_asks_for_its_channel_which_shows_pictures_or_not(
    address: str, name: str, pictures: bool
) -> None:
    channel = open_channel(address)
    try:
        assert (type(channel).__name__, channel.takes_pictures) == (name, pictures)
    finally:
        channel.close()


def test_a_pager_with_a_webhook_alone_loads_no_apprise_and_no_matplotlib() -> None:
    code = (
        "import sys, ecgstream.pager.service; from alerts.channels.open import open_channel;"
        "open_channel('https://hook.example/token');"
        "sys.exit(', '.join({'apprise', 'matplotlib', 'smpplib', 'hl7'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
