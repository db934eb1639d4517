"""Which broker a gateway is asked to come in at, and as whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.mqtt.topics import Share
from ecgstream.mqtt import Asked
from tests.certificates import Authority


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtts://broker.example", ("broker.example", 8883, True)),
        ("mqtts://broker.example:9883", ("broker.example", 9883, True)),
        ("mqtt://127.0.0.1", ("127.0.0.1", 1883, False)),
        ("mqtts://[::1]:8883", ("::1", 8883, True)),
    ],
)
def test_an_address_says_where_and_whether_others_may_read(url: str, found: tuple[str, int, bool]) -> None:
    asked = Asked.of(url, "gateway", "2/3", plain=True)
    assert (asked.host, asked.port, asked.is_secure) == found
    assert (asked.user, asked.share) == ("gateway", Share(2, 3))


@pytest.mark.parametrize(
    "url",
    [
        "broker.example:8883",
        "https://broker.example",
        "mqtts://",
        "mqtts://broker.example:99999",
        "mqtts://broker.example:port",
        "mqtts://broker.example/topic",
        "mqtts://gateway:secret-word@broker.example",
        "mqtts://[broker.example",
    ],
)
def test_what_is_no_address_is_one_line_that_shows_nothing_of_it(url: str) -> None:
    with pytest.raises(SystemExit, match="give mqtts://host:port") as said:
        Asked.of(url, "", "1/1", plain=True)
    assert "secret-word" not in str(said.value)


def test_without_tls_somebody_must_have_said_so() -> None:
    with pytest.raises(SystemExit, match="--plain"):
        Asked.of("mqtt://broker.example", "", "1/1", plain=False)


def test_a_share_that_is_none_is_said() -> None:
    with pytest.raises(SystemExit, match="--shards: a share is K/N"):
        Asked.of("mqtts://broker.example", "", "3/2", plain=False)


def test_the_gateway_s_name_is_its_session_s() -> None:
    asked = Asked.of("mqtt://broker.example", "gateway", "1/1", plain=True)
    found = asked.resolved("ward-3", "secret-word", None, None, None)
    assert (found.client, found.user, found.password, found.tls) == (
        "ecgstream-ward-3",
        "gateway",
        "secret-word",
        None,
    )


def test_certificates_are_used_or_it_is_said_why_not(tmp_path: Path) -> None:
    authority = Authority.make("ours")
    own, trusted = authority.issue("gateway", tmp_path / "own.pem"), authority.write(tmp_path / "ours.pem")
    asked = Asked.of("mqtts://broker.example", "", "1/1", plain=False)
    found = asked.resolved("ward-3", "", own, own, trusted)
    assert found.tls is not None
    assert found.tls.check_hostname
    assert len(found.tls.get_ca_certs()) == 1
    for certificate, authorities in ((own, own.with_name("nowhere.pem")), (trusted, trusted)):
        with pytest.raises(SystemExit, match="cannot be used"):
            asked.resolved("ward-3", "", certificate, certificate, authorities)
