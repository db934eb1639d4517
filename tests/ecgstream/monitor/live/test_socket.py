"""The live socket on loopback: who is let in, what it takes, who is sent away; nobody slows others."""

from __future__ import annotations

import json
import socket as sockets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from ecgstream.monitor.live import frames
from ecgstream.monitor.live import socket as socket_module
from ecgstream.monitor.live import view as view_module
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.view import Bed
from ecgstream.monitor.viewer import Viewer
from schemas import mdc, topics
from tests.ecgstream.monitor.live.log import Log
from tests.ecgstream.monitor.live.served import Site, World, heard, served, show
from tests.ecgstream.monitor.live.ward import SESSION, bundle, lead, packet

BEDS = {name: Bed("ward-a", "p-1", "root.ward-a") for name in ("dev-1", "dev-2")}


@pytest.fixture
def hub() -> Hub:
    return Hub(Log().reader, 1, lambda: SESSION)


@pytest.fixture
def world() -> World:
    return World(BEDS)


@pytest.fixture
def site(hub: Hub, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name, seconds in {"CHECK_S": 0.05, "ACCESS_S": 0.1, "_BREATH_S": 0.0}.items():
        monkeypatch.setattr(socket_module, name, seconds)
    with served(hub, world) as site:
        yield site


def send(hub: Hub, device: str, second: int) -> None:
    log = Log()
    log.put(topics.INGEST, bundle(packet(device, second)))
    hub.take(log.records[topics.INGEST.name])


def told(name: str, **labels: str) -> float:
    """Return what Prometheus is told."""
    return REGISTRY.get_sample_value(f"ecgstream_monitor_{name}", labels) or 0.0


def ended(screen: ClientConnection, timeout_s: float = 10.0) -> int | None:
    """Return by which code it is closed, whatever comes before."""
    try:
        while True:
            screen.recv(timeout_s)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_a_screen_hears_what_it_shows(hub: Hub, site: Site) -> None:
    send(hub, "dev-1", 0)
    with site.screen() as screen:
        (devices,) = [t for t in heard(screen, frames.Told) if t.kind is frames.Kind.DEVICES]
        assert set(devices.content["devices"]) == set(BEDS)
        show(screen, "dev-1", "somebody-elses")
        (signal,) = heard(screen, frames.Signal)
        assert signal.waves[0].first == 0
        send(hub, "dev-2", 1)
        send(hub, "dev-1", 1)
        (signal,) = heard(screen, frames.Signal)
        assert signal.waves[0].first == 250


def test_a_screen_that_watches_a_device_whole_hears_all_its_leads(hub: Hub, site: Site) -> None:
    log = Log()
    log.put(topics.INGEST, bundle(packet("dev-1", 0, lead("I"), lead("II"))))
    hub.take(log.records[topics.INGEST.name])
    with site.screen() as screen:
        screen.send(json.dumps({"show": [], "whole": ["dev-1", "somebody-elses"]}))
        (signal,) = heard(screen, frames.Signal)
        assert [wave.code for wave in signal.waves] == [mdc.LEADS["I"], mdc.LEADS["II"]]


def test_a_screen_hears_that_the_line_is_there(site: Site) -> None:
    with site.screen() as screen:
        now_ms = [heard(screen, frames.State)[0].now_ms for _ in range(3)]
    assert now_ms == sorted(now_ms)
    assert abs(now_ms[-1] - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("", 1007),
        ("no JSON", 1007),
        ("[" * 10_000, 1008),
        ("[]", 1008),
        ('{"show": "dev-1"}', 1008),
        ('{"show": [1]}', 1008),
        ('{"show": [], "more": 1}', 1008),
        ('{"whole": []}', 1008),
        ('{"show": [], "whole": "dev-1"}', 1008),
        (json.dumps({"show": [], "whole": ["x"] * 5}), 1008),
        (json.dumps({"show": ["x"] * 65}), 1008),
        (b"\x00\xff", 1007),
        ("x" * 20_000, 1009),
    ],
)
def test_garbage_ends_this_screen_and_no_other(hub: Hub, site: Site, said: Any, code: int) -> None:
    with site.screen() as other, site.screen() as screen:
        screen.send(said)
        assert ended(screen) == code
        show(other, "dev-1")
        send(hub, "dev-1", 0)
        assert heard(other, frames.Signal)


def test_what_is_no_utf_8_ends_this_screen(site: Site) -> None:
    with site.screen() as screen:
        screen.send(b"\xff\xfe", text=True)
        assert ended(screen) == 1007


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_a_strangers_page_is_refused(site: Site, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused, site.screen(origin):
        pass
    assert refused.value.response.status_code == 403


def test_nobody_sees_anything_without_login(site: Site, world: World) -> None:
    world.viewer = None
    with site.screen() as screen:
        assert ended(screen) == 4401
    answer = httpx.get(f"{site.url}/wall?at=ward-a", trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=%2Fwall%3Fat%3Dward-a")


@pytest.mark.parametrize("viewer", [None, Viewer("wang")])
def test_a_session_that_ends_in_mid_stream_ends_it(site: Site, world: World, viewer: Viewer | None) -> None:
    with site.screen() as screen:
        heard(screen, frames.State)
        world.viewer = viewer
        assert ended(screen) == 4401


def test_access_that_ends_ends_here_too(hub: Hub, site: Site, world: World) -> None:
    with site.screen() as screen:
        show(screen, "dev-1")
        send(hub, "dev-1", 0)
        assert heard(screen, frames.Signal)
        del world.beds["dev-1"]
        (told,) = heard(screen, frames.Told)
        assert set(told.content["devices"]) == {"dev-2"}
        send(hub, "dev-1", 1)
        found = frames.decode(screen.recv(10.0))  # type: ignore[arg-type]
        assert [type(frame) for frame in found] == [frames.State]


def test_while_the_database_is_away_screens_stay_and_new_ones_are_told(
    hub: Hub, site: Site, world: World
) -> None:
    with site.screen() as screen:
        show(screen, "dev-1")
        heard(screen, frames.State)
        world.is_away = True
        with site.screen() as late:
            assert ended(late) == 1011
        while not heard(screen, frames.State)[0].is_away:
            pass
        send(hub, "dev-1", 0)
        assert heard(screen, frames.Signal)
        world.is_away = False
        while heard(screen, frames.State)[0].is_away:
            pass


def test_one_screen_too_many_is_told_to_come_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "MOST_SCREENS", 1)
    full = told("viewers_dropped_total", reason="full")
    with site.screen() as first:
        heard(first, frames.State)
        assert told("viewers") == 1
        with site.screen() as second:
            assert ended(second) == 1013
    assert told("viewers_dropped_total", reason="full") == full + 1
    with site.screen() as third:
        assert heard(third, frames.State)


def test_one_that_never_reads_loses_its_place_and_slows_nobody(
    hub: Hub, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "STALL_S", 0.5)
    monkeypatch.setattr(view_module, "MOST_BYTES", 100_000)
    with site.screen() as quick:
        show(quick, "dev-1")
        heard(quick, frames.State)
        stuck = asks(site.port)
        heard(quick, frames.State)
        second, begun_s = 0, time.monotonic()
        while len(hub._views) > 1:
            assert time.monotonic() - begun_s < 60
            for _ in range(50):
                send(hub, "dev-1", second)
                second += 1
            assert heard(quick, frames.Signal)
            assert all(view.waiting() <= 100_000 for view in list(hub._views))
        stuck.close()
        send(hub, "dev-1", second)
        assert heard(quick, frames.Signal)


def asks(port: int) -> sockets.socket:
    """Open a screen by hand that says what it wants and reads nothing."""
    stuck = sockets.socket()
    stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", port))
    host = f"127.0.0.1:{port}"
    stuck.sendall(
        f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert stuck.recv(20).startswith(b"HTTP/1.1 101")
    wish = json.dumps({"show": ["dev-1"]}).encode()
    stuck.sendall(bytes([0x81, 0x80 | len(wish), 0, 0, 0, 0]) + wish)  # masked by nothing
    return stuck


def test_the_page_holds_its_words_and_no_script_of_its_own(site: Site, world: World) -> None:
    page = httpx.get(f"{site.url}/wall?sectors=64&at=%3Cscript%3E", trust_env=False)
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert 'data-sectors="64"' in page.text
    world.viewer = Viewer("li", "zh")
    page = httpx.get(f"{site.url}/wall?sectors=63", trust_env=False)
    assert 'lang="zh-Hans"' in page.text
    assert 'data-sectors="16"' in page.text


def test_what_a_screen_shows_is_noted_once_and_before_it_is_shown(hub: Hub, world: World, site: Site) -> None:
    send(hub, "dev-1", 0)
    send(hub, "dev-2", 0)
    with site.screen() as screen:
        show(screen, "dev-1", "somebody-elses")
        heard(screen, frames.Signal)
        assert world.noted == [("li", "read", "screen", "", {"devices": ["dev-1"], "whole": []})]
        show(screen, "dev-1")
        show(screen, "dev-1", "dev-2")
        send(hub, "dev-2", 1)
        heard(screen, frames.Signal)
        assert [entry[4] for entry in world.noted[1:]] == [{"devices": ["dev-2"], "whole": []}]
