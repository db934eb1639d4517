"""The page that the channels' tests send."""

from __future__ import annotations

from alerts.notify import Page, Strip, key_of
from schemas.records import Priority

PICTURE = b"\x89PNG\r\n\x1a\n a picture"
PAPER = b"%PDF-1.4 to print"

PAGE = Page(
    key=key_of("an alert", "RAISED", "ding"),
    what="RAISED",
    alert="an alert",
    device="mon-17",
    patient="P-1",
    condition="ASYSTOLE",
    priority=Priority.HIGH,
    text="!!! Asystole\ndevice mon-17, patient P-1\nsince 2023-11-14T22:13:20.250Z\npause 4.2 s, SpO2 < 80 %",
    onset_ns=1_700_000_000_250_000_000,
    decided_ns=1_700_000_004_250_000_000,
    facility="St. Elsewhere",
    evidence={"pause_s": 4.2},
    link="https://centre.example/alerts/1",
    strip=Strip(PICTURE, PAPER, "ECG of lead II, 10 s"),
)
KEY_LINE = f"key {PAGE.key}"
