"""What bounds requests: size, time, pace, and how many at once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from devices.http.bodies import gunzip
from devices.http.problems import RefusedError
from schemas.records import Packet, Vital
from tests.devices.http.intake import JSON, KEY, Clock, Kept, app_of, ask
from tests.devices.http.made import FIXTURES

PACKETS = (FIXTURES / "http" / "packets.json").read_bytes()
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/v1/packets",
    "raw_path": b"/v1/packets",
    "query_string": b"",
    "headers": [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", JSON.encode())],
}


def status_of(receive: Callable[[], Awaitable[Message]], **limits: float) -> tuple[int, Kept]:
    """The status of a request whose body comes from ``receive``."""
    intake, said = Kept(), list[Message]()

    async def send(message: Message) -> None:
        said.append(message)

    anyio.run(app_of(intake, **limits), dict(SCOPE), receive, send)
    return said[0]["status"], intake


@pytest.mark.parametrize("declared", ["4194305", "1000000000000", "9" * 5000])
def test_a_body_that_is_declared_too_long_is_refused_before_it_is_read(declared: str) -> None:
    answer = ask(app_of(Kept()), "/v1/packets", PACKETS, Content_Length=declared)
    assert answer.status_code == 413


def test_a_length_that_is_none_is_refused() -> None:
    assert ask(app_of(Kept()), "/v1/packets", PACKETS, Content_Length="-1").status_code == 400


def test_a_body_without_an_end_is_read_up_to_the_limit() -> None:
    parts = 0

    async def receive() -> Message:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    status, _ = status_of(receive, body_bytes=10_000)
    assert (status, parts) == (413, 11)


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    status, intake = status_of(lambda: anyio.sleep_forever(), body_s=0)  # type: ignore[arg-type,return-value]
    assert (status, intake.items) == (408, [])


def test_a_body_that_breaks_off_takes_nothing() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": PACKETS[:500], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    status, intake = status_of(receive)
    assert (status, intake.items) == (400, [])


def test_a_packed_body_is_unpacked() -> None:
    intake = Kept()
    answer = ask(app_of(intake), "/v1/packets", gzip.compress(PACKETS), Content_Encoding="gzip")
    assert answer.status_code == 200
    assert len(intake.items) == 2


def test_a_bomb_is_refused() -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < 10_000
    assert ask(app_of(Kept()), "/v1/packets", bomb, Content_Encoding="gzip").status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"", PACKETS, gzip.compress(PACKETS)[:-1], gzip.compress(PACKETS) * 2, zlib.compress(PACKETS)],
    ids=range(5),
)
def test_what_is_not_whole_is_refused(body: bytes) -> None:
    assert ask(app_of(Kept()), "/v1/packets", body, Content_Encoding="gzip").status_code == 400


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 400), st.binary(max_size=10))
def test_any_bytes_are_unpacked_or_refused(content: bytes, most: int, at: int, put: bytes) -> None:
    packed = gzip.compress(content)
    try:
        assert gunzip(packed, most) == content
        assert len(content) <= most
    except RefusedError:
        assert len(content) > most
    with suppress(RefusedError):
        assert len(gunzip(packed[:at] + put + packed[at:], most)) <= most


def test_a_device_that_asks_too_often_is_told_when_to_come_back() -> None:
    clock, intake = Clock(), Kept()
    app = app_of(intake, clock, per_s=0.5, burst=2)
    statuses = [ask(app, "/v1/packets", PACKETS).status_code for _ in range(2)]
    answer = ask(app, "/v1/packets", PACKETS)
    assert (statuses, answer.status_code, answer.headers["retry-after"]) == ([200, 200], 429, "2")
    clock.now_s += 2
    assert ask(app, "/v1/packets", PACKETS).status_code == 200


def test_wrong_keys_use_up_nobodys_pace() -> None:
    app = app_of(Kept(), per_s=1, burst=1)
    assert [ask(app, "/v1/packets", PACKETS, key=f"guess-{i}").status_code for i in range(3)] == [401] * 3
    assert ask(app, "/v1/packets", PACKETS).status_code == 200


class Slow(Kept):
    """Takes when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = anyio.Event(), anyio.Event()

    async def take(self, device: str, items: Sequence[Packet | Vital]) -> None:
        self.begun.set()
        await self.let.wait()
        await super().take(device, items)


def test_only_so_many_requests_are_worked_on_at_once() -> None:
    statuses: list[int] = []

    async def both() -> None:
        intake = Slow()
        transport = httpx.ASGITransport(app=app_of(intake, at_once=1))
        headers: dict[str, Any] = {"Authorization": f"Bearer {KEY}", "Content-Type": JSON}
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://gw", trust_env=False) as client,
            anyio.create_task_group() as tasks,
        ):

            async def send() -> None:
                answer = await client.post("/v1/packets", content=PACKETS, headers=headers)
                statuses.append(answer.status_code)

            tasks.start_soon(send)
            await intake.begun.wait()
            await send()
            intake.let.set()
        assert len(intake.items) == 2

    anyio.run(both)
    assert statuses == [503, 200]


def test_a_request_that_fails_gives_its_place_back() -> None:
    intake = Kept()
    app = app_of(intake, at_once=1)
    intake.error = RuntimeError()
    assert ask(app, "/v1/packets", PACKETS).status_code == 500
    intake.error = None
    assert ask(app, "/v1/packets", PACKETS).status_code == 200
