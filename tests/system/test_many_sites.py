"""A command room's overview: a tile for each of 150 hospitals, the worst first, on a laptop and in 4K."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.access_world import insert
from tests.system.monitor_house import NOW, SECOND_NS, ZONE, House, made_house
from tests.system.test_monitor_browser import faults, log_in

SITES, BEDS = 150, 3
SCREENS = {"laptop": (1366, 768), "4k": (3840, 2160)}


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, app), served(app) as client:
        build(house)
        yield house, str(client.base_url).rstrip("/")


def build(house: House) -> None:
    """Add hospitals, in each thirtieth an alarm of high priority, in each twentieth one of medium."""
    with connect(house.url, role="ecg_registry") as registry:
        for n in range(SITES):
            code = f"H{n:03}"
            where = {"code": code, "parent": "R", "path": f"R.{code}", "level": 4, "time_zone": ZONE}
            names = {"name_en": f"County hospital {n:03}", "name_zh": f"第{n}县人民医院"}
            insert(registry, "facility", **where, **names, kind="hospital", changed_by="test")
            for bed in range(BEDS):
                device, patient = f"{code}-{bed}", f"P-{code}-{bed}"
                what = {"kind": "monitor", "shard": 1, "key_digest": secrets.token_bytes(32)}
                insert(registry, "enrolment", device=device, facility=code, **what, changed_by="test")
                insert(registry, "patient", patient=patient, facility=code, changed_by="test")
                worn = {"device": device, "patient": patient, "place_kind": "bed", "place": str(bed + 1)}
                insert(registry, "association", **worn, since=NOW - timedelta(days=1), said_by="test")
    seen_ns = int((NOW + timedelta(minutes=30)).timestamp()) * SECOND_NS
    with connect(house.url, role="ecg_sink") as sink:
        for n in range(SITES):
            for bed in range(BEDS):
                row = {"device": f"H{n:03}-{bed}", "gateway": f"g{n}", "session": 1, "first_seen_ns": 1}
                insert(sink, "device", **row, last_seen_ns=seen_ns)
            if n % 30 == 29:
                alert(sink, f"H{n:03}-0", "HIGH", "VENTRICULAR_FIBRILLATION")
            elif n % 20 == 19:
                alert(sink, f"H{n:03}-0", "MEDIUM", "HEART_RATE_LOW")


def alert(sink: object, device: str, priority: str, condition: str) -> None:
    ns = int(NOW.timestamp()) * SECOND_NS
    onset = {"onset_sample": 1, "onset_ns": ns, "onset": NOW, "decided_sample": 1, "decided_ns": ns}
    told = {"priority": priority, "state": "ACTIVE", "raised_ns": ns, "updated_ns": ns, "published_ns": ns}
    row = {"id": uuid.uuid4(), "device": device, "patient": "", "session": 1, "condition": condition}
    insert(sink, "alert", **row, **onset, **told, delay_s=4, evidence="{}", source_offset=1)


@pytest.mark.parametrize("screen", SCREENS)
def test_each_site_has_a_tile_and_the_worst_come_first(
    made: tuple[House, str], chromium: Browser, screen: str
) -> None:
    house, address = made
    width, height = SCREENS[screen]
    context = chromium.new_context(
        base_url=address, viewport={"width": width, "height": height}, locale="en-GB"
    )
    context.set_default_timeout(60_000)
    page = log_in(context, house.account("cardiologist"), "/overview")
    tiles = [tile.inner_text() for tile in page.locator(".site").all()]
    assert len([tile for tile in tiles if tile.startswith("County hospital")]) == SITES
    worst = page.locator(".site.high").count()
    assert worst == SITES // 30 + 2  # and the house's two
    assert page.locator(".site").nth(worst - 1).get_attribute("class") == "site high"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page) == []
    if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"sites-{screen}.png")
    context.close()
