"""The ECG page's stored signal and its prints: each sample once, of who wore the device, for who may see."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from ecgstream.monitor.live import frames
from ecgstream.store.connection import connect
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, MISSING, Channel, Packet
from schemas.units import MILLIVOLT
from tests.ecgstream.web.served import served
from tests.system.access_world import insert
from tests.system.monitor_house import DEVICES, NOW, PATIENTS, House, log_in, made_house

RATE, RATE_V1 = 250, 125
SECONDS = 180
BEGIN = NOW - timedelta(minutes=10)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
SESSION = BEGIN_MS * 10**6 + 7
LOST = range(60, 63)
"""Packets that never came."""
OFF = range(30, 34)
"""Packets while V1 was off."""
MOD = 20_000
CUT = (65.3, 100.1)
"""From when to when somebody wore the second device, s."""
II, V1 = mdc.LEADS["II"], mdc.LEADS["V1"]
A, B = (quote(PATIENTS[site], safe="") for site in ("A", "B"))
OF_A, OF_B = f"/ecg/{A}", f"/ecg/{B}"


def packet(device: str, second: int, gain: float = 200.0) -> Packet:
    """A second whose samples tell their own index."""
    at = np.arange(second * RATE, (second + 1) * RATE) % MOD
    at_v1 = np.arange(second * RATE_V1, (second + 1) * RATE_V1) % MOD
    lead = Channel(II, ECG_KIND, MILLIVOLT, RATE, gain, at.astype(np.int16), high_pass=0.05, low_pass=150.0)
    v1 = Channel(V1, ECG_KIND, MILLIVOLT, RATE_V1, gain, at_v1.astype(np.int16), lead_off=second in OFF)
    begin_ns = (BEGIN_MS + 1000 * second) * 10**6
    return Packet(device, SESSION, second, second * RATE, begin_ns, begin_ns, [lead, v1])


def store(house: House, device: str) -> None:
    builder = TraceBuilder()
    kept = [packet(device, second) for second in range(SECONDS) if second not in LOST]
    for offset, one in enumerate(kept):
        builder.add(Bundle.of("g", 0, 1, [one], []), ("ecg.ingest", 0), offset)
    writer = Writer(connect(house.url, role="ecg_sink"))
    writer.write([], builder.drain())
    writer.close()


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        with connect(house.url, role="ecg_registry") as registry:
            key = secrets.token_bytes(32)
            what = {"kind": "monitor", "shard": 1, "key_digest": key, "changed_by": "test"}
            insert(registry, "enrolment", device="d-cut", facility="B", **what)
            insert(registry, "patient", patient="p-cut", facility="B", changed_by="test")
            since, until = (BEGIN + timedelta(seconds=s) for s in CUT)
            worn = {"device": "d-cut", "patient": "p-cut", "place_kind": "bed", "place": ""}
            insert(registry, "association", **worn, since=since, until=until, said_by="test")
            end = BEGIN + timedelta(seconds=60)
            insert(
                registry,
                "share",
                patient=PATIENTS["B"],
                account=house.account("expert"),
                since=BEGIN,
                until=end,
                expires=NOW + timedelta(days=1),
                reason="test",
                said_by="test",
            )
        for device in (DEVICES["B"], "d-cut"):
            store(house, device)
        with connect(house.url, role="ecg_sink") as sink:
            for n, sample in enumerate((250, 500, 40_000)):
                at = {"time_ns": SESSION, "time": BEGIN + timedelta(seconds=sample / RATE), "code": "NVS"[n]}
                by = {"generation": 1, "source_offset": 1, "version": "1"}
                insert(sink, "beat", device=DEVICES["B"], session=SESSION, sample=sample, **at, **by)
            by = {"device": DEVICES["B"], "session": SESSION, "code": "PAUSE", "phase": "END"}
            ns = {
                "onset_ns": SESSION,
                "decided_ns": SESSION,
                "end_ns": SESSION,
                "published_ns": SESSION,
                "onset": BEGIN,
            }
            more = {
                "onset_sample": 0,
                "sample": 0,
                "time_ns": SESSION,
                "decided_sample": 0,
                "delay_s": 0,
                "evidence": "{}",
                "lane": "LIVE",
            }
            insert(
                sink, "condition", id=uuid.uuid4(), patient="", **by, **ns, **more,
                generation=1, source_offset=1, version="1",
            )  # fmt: skip
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client], house: House) -> httpx.Client:
    return log_in(made[1], house.account("cardiologist"))


def asked(
    client: httpx.Client, since_s: float, until_s: float, of: str = B, device: str = DEVICES["B"]
) -> httpx.Response:
    since, until = (round(BEGIN_MS + 1000 * s) for s in (since_s, until_s))
    return client.get(f"/signal/{of}", params={"device": device, "since": since, "until": until})


def waves(answer: httpx.Response) -> list[frames.Wave]:
    assert answer.status_code == 200
    found = [f for f in frames.decode(answer.content) if isinstance(f, frames.Signal)]
    assert {f.session for f in found} <= {frames.mark_of(SESSION)}
    return [wave for f in found for wave in f.waves]


def indices(found: list[frames.Wave], code: int = II) -> Counter[int]:
    """How often each sample is there, each where it says that it belongs."""
    counted: Counter[int] = Counter()
    for wave in found:
        if wave.code == code:
            at = np.arange(wave.first, wave.first + wave.samples.size)
            known = wave.samples != MISSING
            assert (wave.samples[known] == at[known] % MOD).all()
            counted.update(at[known].tolist())
    return counted


def present(*seconds: range, rate: int = RATE) -> set[int]:
    return {at for span in seconds for at in range(span.start * rate, span.stop * rate)}


def test_windows_beside_each_other_give_each_sample_once(client: httpx.Client) -> None:
    edges = [0, 37.003, 60.1, 61.7, 119.999, 180]
    found = [wave for a, b in pairwise(edges) for wave in waves(asked(client, a, b))]
    for code, rate in ((II, RATE), (V1, RATE_V1)):
        counted = indices(found, code)
        assert set(counted) == present(range(60), range(63, SECONDS), rate=rate)
        assert set(counted.values()) == {1}


def test_a_frame_has_what_the_live_one_has(client: httpx.Client) -> None:
    (stored,) = [f for f in frames.decode(asked(client, 20, 20.5).content) if isinstance(f, frames.Signal)][
        :1
    ]
    assert (stored.rate_0, stored.origin_ms) == (RATE, BEGIN_MS)
    (lead,) = stored.waves
    assert (lead.first, lead.gain, lead.channel) == (20 * RATE, 200, 0)
    assert lead.high_pass == pytest.approx(0.05)
    assert np.isnan(lead.notch)


def test_an_electrode_that_was_off_is_said_packet_by_packet(client: httpx.Client) -> None:
    found = [wave for wave in waves(asked(client, 25, 40)) if wave.code == V1]
    off = [(w.first // RATE_V1, (w.first + w.samples.size) // RATE_V1) for w in found if w.is_off]
    assert off == [(30, 34)]
    assert set(indices(found, V1)) == present(range(25, 40), rate=RATE_V1)


def test_beats_come_with_it(client: httpx.Client) -> None:
    (told,) = [f for f in frames.decode(asked(client, 0, 60).content) if isinstance(f, frames.Told)]
    assert told.content["beats"] == [[frames.mark_of(SESSION), 250, "N"], [frames.mark_of(SESSION), 500, "V"]]


def test_of_a_device_that_others_wore_too_only_this_patients_samples(client: httpx.Client) -> None:
    found = waves(asked(client, 60, 120, "p-cut", "d-cut"))
    counted = indices(found)
    assert min(counted) == round(CUT[0] * RATE)
    assert max(counted) == round(CUT[1] * RATE) - 1
    assert waves(asked(client, 110, 120, "p-cut", "d-cut")) == []


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"since": "0"},
        {"since": "x", "until": "y"},
        {"since": "nan", "until": "nan"},
        {"since": "-1", "until": "10"},
        {"since": "1e400", "until": "1e401"},
        {"since": "2000", "until": "1000"},
        {"since": "1000", "until": "1000"},
        {"since": "0", "until": "120001"},
        {"since": str(BEGIN_MS - 365 * 86_400_000), "until": str(BEGIN_MS)},
        {"since": "1" * 5000, "until": "1" * 5000},
    ],
)
def test_times_that_are_none_or_too_far_apart_are_refused(
    client: httpx.Client, times: dict[str, str]
) -> None:
    assert client.get(f"/signal/{B}", params={"device": DEVICES["B"], **times}).status_code == 422


def test_where_nothing_is_stored_nothing_comes(client: httpx.Client) -> None:
    assert waves(asked(client, -100_000, -99_950)) == []
    assert client.get(f"{OF_B}?at=99999999999999999999").status_code == 200
    assert client.get(f"{OF_B}?at=%00&device=").status_code == 200
    assert client.get("/ecg/p-empty").status_code == 200
    # A pseudonym may be any: these are other patients, of whom there is none.
    assert [client.get(f"{OF_B}/{end}").status_code for end in ("signal", "strip")] == [404, 404]


def test_who_may_not_see_the_patient_is_told_that_there_is_none(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    at = BEGIN_MS + 1000
    stretch = f"?device={DEVICES['B']}&since={at}&until={at + 9}"
    assert [client.get(path).status_code for path in (OF_B, f"/signal/{B}{stretch}")] == [404, 404]
    assert client.get(f"/strip/{B}?device={DEVICES['B']}&at={at}").status_code == 404
    # One's own patient, and a device of somebody else.
    assert [client.get(path).status_code for path in (OF_A, f"/signal/{A}{stretch}")] == [200, 404]
    assert client.get(f"/strip/{A}?device={DEVICES['B']}&at={at}").status_code == 404
    log_in(client, house.account("operator_a"))
    assert client.get(OF_A).status_code in (403, 404)
    client.cookies.clear()
    assert client.get(OF_B).status_code == 303
    assert client.get(f"/signal/{B}", headers={"X-By-Itself": "1"}).status_code == 401


def test_a_share_opens_its_time_only(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("expert"))
    assert client.get(OF_B).status_code == 200
    counted = indices([wave for s in (0, 50) for wave in waves(asked(client, s, s + 50))])
    assert set(counted) == present(range(60))
    assert waves(asked(client, 60, 120)) == []


def test_the_page_lists_what_happened_newest_first_each_with_its_time(client: httpx.Client) -> None:
    page = client.get(OF_B).text
    times = [int(ms) for ms in re.findall(r'data-at="(\d+)" data-device', page)]
    assert times == sorted(times, reverse=True)
    assert BEGIN_MS in times
    for words in ("Ventricular tachycardia", "Ventricular couplet", "Pause", "AF"):
        assert words in page
    assert 'data-oldest="' + str(BEGIN_MS) in page
    assert f'data-newest="{BEGIN_MS + 1000 * SECONDS}' in page


def test_an_alarm_and_the_patient_lead_to_the_ecg(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("B")
    house.board.found[alert.id] = replace(alert, onset_ns=BEGIN_MS * 10**6)
    page = client.get(f"/alarms/{alert.id}").text
    (link,) = re.findall(r'href="(/ecg/[^"]+)"', page)
    assert f"at={BEGIN_MS}" in link
    assert client.get(link.replace("&amp;", "&")).status_code == 200
    assert f'href="{OF_B}"' in client.get(OF_B.replace("/ecg/", "/patient/")).text


def test_a_strip_is_a_pdf_of_a4_with_who_printed_it(house: House, client: httpx.Client) -> None:
    for layout in ("12", "all"):
        asked_for = {"device": DEVICES["B"], "at": BEGIN_MS + 20_000, "layout": layout}
        answer = client.get(f"/strip/{B}", params=asked_for)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        (box,) = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", answer.content)
        np.testing.assert_allclose([float(side) / 72 * 25.4 for side in box], [297, 210], atol=0.02)
    refused = client.get(f"/strip/{B}", params={"device": DEVICES["B"], "at": "x"})
    assert refused.status_code == 422
    nothing = client.get(f"/strip/{B}", params={"device": DEVICES["B"], "at": BEGIN_MS - 10**8})
    assert nothing.status_code == 404


def test_what_is_not_stored_yet_of_a_device_that_sends_is_not_printed(
    house: House, client: httpx.Client
) -> None:
    newest = {"device": DEVICES["B"], "at": BEGIN_MS + 1000 * (SECONDS - 5)}
    with connect(house.url, role="ecg_sink") as sink:
        before = sink.execute("SELECT last_seen_ns FROM ecg.device WHERE device = 'd-b'").fetchone()
        seen = "UPDATE ecg.device SET last_seen_ns = %s WHERE device = 'd-b'"
        sink.execute(seen, (time.time_ns(),))
        sink.commit()
        assert client.get(f"/strip/{B}", params=newest).status_code == 409
        newest["at"] -= 5000
        assert client.get(f"/strip/{B}", params=newest).status_code == 200
        sink.execute(seen, before)
