"""An hour and more of beats and of signal, for reports of monitor_house; and what people do with reports."""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import numpy as np
from pypdf import PdfReader

from ecgstream.store.connection import connect
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.records import Channel, Packet
from tests.system.access_world import insert
from tests.system.monitor_house import NOW, PASSWORD, PATIENTS, ZONE, House, csrf_of

OF_A = quote(PATIENTS["A"])
SAID = "Sinus rhythm with one pause.\n窦性心律，نظم جيبي 🫀"
MINUTES = 75
NS = 10**9
RATE_HZ = 250.0
RESTING = NOW - timedelta(hours=3) + timedelta(seconds=20, milliseconds=400)
"""When ten seconds of a resting ECG begin, where a test has them recorded."""
BY = {"generation": 1, "source_offset": 1, "version": "7"}


def typed(at: datetime) -> str:
    """Return a time as whoever asks types it, by the second."""
    return at.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%dT%H:%M:%S")


HOUR = {"stretch": "between", "since": typed(NOW - timedelta(hours=1))[:16], "until": typed(NOW)[:16]}
"""The last one that was measured, as a form says it: the last one of the clock has begun later."""


def measure(url: str, device: str, lost: Collection[int] = ()) -> None:
    """A beat a second until now, with a pause of 3 s and a ventricular beat; two leads, less lost seconds."""
    begin = NOW - timedelta(minutes=MINUTES)
    begin_ns = int(begin.timestamp()) * NS
    seconds = [s for s in range(MINUTES * 60) if s not in (1901, 1902)]
    with connect(url, role="ecg_sink") as sink:
        known = {"device": device, "session": 1}
        lane = {"lane": "LIVE", "from_sample": 0, "start": "COLD", "settings": "{}"}
        ends = {"to_ns": begin_ns + MINUTES * 60 * NS, "to_sample": int(MINUTES * 60 * RATE_HZ)}
        insert(sink, "segment", **known, **lane, **ends, from_ns=begin_ns, time=begin, **BY)
        with sink.cursor().copy(
            "COPY ecg.beat (device, session, sample, time, time_ns, code, rr_s, hr_bpm, generation,"
            " source_offset, version) FROM STDIN"
        ) as copy:
            for n, second in enumerate(seconds):
                rr_s = second - seconds[n - 1] if n else None
                at = begin + timedelta(seconds=second)
                beat = (device, 1, int(second * RATE_HZ), at, begin_ns + second * NS)
                copy.write_row((*beat, "V" if second == 1850 else "N", rr_s, 60, 1, 1, "7"))
    t = np.arange(int(RATE_HZ)) / RATE_HZ
    wave = np.exp(-((t - 0.2) ** 2) / 0.0003) + 0.2 * np.exp(-((t - 0.45) ** 2) / 0.002)
    one = np.round(200 * wave).astype(np.int16)
    builder = TraceBuilder()
    for s in range(MINUTES * 60):
        if s in lost:
            continue
        leads = [
            Channel(mdc.LEADS[lead], 0, 0, RATE_HZ, 200.0, one, high_pass=0.05, low_pass=40.0)
            for lead in ("II", "V1")
        ]
        at_ns = begin_ns + s * NS
        packet = Packet(device, 1, s, int(s * RATE_HZ), at_ns, at_ns, leads)
        builder.add(Bundle.of("g", 0, at_ns, [packet], []), (topics.INGEST.name, 0), s)
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write((), builder.drain())
    writer.close()


def words_of(page: httpx.Response) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split()))


def ask(client: httpx.Client, **form: str) -> httpx.Response:
    page = client.get(f"/reports/{OF_A}")
    return client.post(f"/reports/{OF_A}", data={"csrf": csrf_of(page), **HOUR, **form})


def waited(client: httpx.Client, asked: httpx.Response) -> httpx.Response:
    """Follow a report that is asked for, as its page does, until there is something to say of it."""
    assert asked.status_code == 303, asked.text
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        page = client.get(asked.headers["location"])
        if page.status_code == 303 or 'class="words" role="alert"' in page.text:
            return page
    raise TimeoutError


def report_of(client: httpx.Client) -> str:
    """Have the hour that was measured reported; return the address of the page."""
    return str(waited(client, ask(client)).headers["location"])


def sign(
    client: httpx.Client, where: str, conclusion: str = SAID, password: str = PASSWORD
) -> httpx.Response:
    page = client.get(where)
    (seen,) = re.findall(r'"seen" value="([^"]+)"', page.text) or ("00",)
    form = {"csrf": csrf_of(page), "seen": seen, "conclusion": conclusion, "password": password}
    return client.post(f"{where}/sign", data=form)


def printed(answer: httpx.Response) -> list[str]:
    """Return the pages of a PDF, without blanks."""
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return [page.extract_text().translate({0: None, 32: None}) for page in pages]


def entries(house: House, where: str) -> list[tuple[str, str, dict[str, str]]]:
    with connect(house.url) as owner:
        query = (
            "SELECT who, action, detail FROM ecg.audit_inbox"
            " WHERE kind = 'report' AND object = %s ORDER BY id"
        )
        return owner.execute(query, (where.rpartition("/")[2],)).fetchall()
