"""Who sees a patient's data in the monitor stands in the audit log, before they see it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from ecgstream.store.connection import connect
from tests.system.monitor_house import PATIENTS, House, log_in, made_house, served
from tests.system.test_monitor import ECG_OF_A, OF_A


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        yield house, client


def test_who_sees_a_patient_s_data_is_in_the_audit_log_before_they_see_it(
    made: tuple[House, httpx.Client],
) -> None:
    house, client = made
    account = house.account("clinic_a")
    alert = house.open_alert("A")
    log_in(client, account)
    own = {"X-By-Itself": "1"}
    pages = (OF_A, f"{ECG_OF_A}?at=1000", "/alarms", f"/alarms/{alert.id}", "/clinic")
    for page in pages:
        assert client.get(page).status_code == 200
        assert client.get(page, headers=own).status_code == 200  # once an hour
        assert client.get(page, headers=own).status_code == 200
    assert client.get(OF_A.replace("p-a", "p-b")).status_code == 404
    assert client.get("/overview").status_code == 200  # counts, of nobody
    with connect(house.url) as owner:
        rows = owner.execute(
            "SELECT action, kind, object, path::text, detail FROM ecg.audit_inbox WHERE who = %s ORDER BY id",
            (account,),
        ).fetchall()
    assert rows[0][:3] == ("login", "person", account)
    seen = [row[1:4] for row in rows if row[0] == "read"]
    once = [
        ("patient", PATIENTS["A"], "R.A"),
        ("patient", PATIENTS["A"], "R.A"),
        ("list", "", None),
        ("alert", alert.id, None),  # which the database does not know yet
        ("list", "", None),
    ]
    assert seen == [one for one in once for _ in range(2)]
    assert rows[3][4]["at"] == "1000"
    assert [row[1] for row in rows if row[0] == "refused"] == ["patient"]
