"""Whose a topic is, and how gateways divide topics among themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from devices.errors import MessageError
from devices.mqtt.topics import ROOT, Kind, Share, Topic, topic_of
from schemas.checks import SHARDS

DEVICES = st.from_regex(r"[!-~]{1,64}", fullmatch=True).filter(lambda name: not set("/+#") & set(name))
TOPICS = st.builds(Topic, st.integers(0, SHARDS - 1), DEVICES, st.sampled_from(Kind))


def text_of(topic: Topic) -> str:
    return f"{ROOT}/{topic.shard}/{topic.device}/{topic.kind}"


@given(TOPICS)
def test_a_topic_says_its_shard_its_device_and_what_it_is_of(topic: Topic) -> None:
    assert topic_of(text_of(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dev-1/packets",
        "devices/dev-1/packets",
        "ecgstream/v2/7/dev-1/packets",
        "ecgstream/v1/7/dev-1",
        "ecgstream/v1/7/dev-1/packets/more",
        "ecgstream/v1/7/dev-1/Packets",
        "ecgstream/v1/07/dev-1/packets",
        "ecgstream/v1/-7/dev-1/packets",
        "ecgstream/v1/\u0667/dev-1/packets",
        "ecgstream/v1/4096/dev-1/packets",
        "ecgstream/v1/7//packets",
        "ecgstream/v1/7/Jane Doe/packets",
        "ecgstream/v1/7/dev+1/packets",
        "ecgstream/v1/7/#/packets",
        f"ecgstream/v1/7/{'d' * 65}/packets",
    ],
)
def test_any_other_topic_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(MessageError) as refused:
        topic_of(text)
    assert "Jane" not in str(refused.value)


@given(st.text(max_size=200) | st.lists(st.text(max_size=8)).map("/".join))
def test_whatever_a_topic_is_it_is_one_or_refused(text: str) -> None:
    try:
        found = topic_of(text)
    except MessageError:
        return
    assert text_of(found) == text


@given(TOPICS, st.integers(1, SHARDS))
def test_of_all_gateways_exactly_one_takes_a_device(topic: Topic, shares: int) -> None:
    taking = topic.shard % shares + 1
    for number in {1, shares, taking, max(1, taking - 1)}:
        near = [one for one in Share(number, shares).wanted() if one.split("/")[2] in ("+", str(topic.shard))]
        assert sum(topic_matches_sub(one, text_of(topic)) for one in near) == (number == taking)


@given(st.integers(1, SHARDS), st.integers(1, SHARDS))
def test_what_another_division_has_subscribed_is_given_up(shares: int, before: int) -> None:
    share = Share(1, shares)
    assert not {*share.wanted()} & {*share.unwanted()}
    assert {*Share(1, before).wanted()} <= {*share.wanted(), *share.unwanted()}


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "1/4097", "-1/2", "a/b", "1/2/3", " 1/2"])
def test_a_share_that_is_none_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="K/N"):
        Share.of(text)
