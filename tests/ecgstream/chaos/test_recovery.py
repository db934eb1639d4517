"""When is what was struck live again?"""

from kafka import TopicPartition

from ecgstream.chaos import load
from ecgstream.chaos.recovery import LIVE_S, Seen, caught_up, is_live

CONDITIONS = TopicPartition("ecg.conditions", 0)
OLD, NEW = frozenset({"old"}), frozenset({"new"})


def seen(at_s: float, end: int, done: int, members: frozenset[str] = NEW) -> Seen:
    return Seen(at_s, {CONDITIONS: end}, {"pager": {CONDITIONS: done}}, {"pager": members})


def test_a_group_has_caught_up_with_what_was_there_a_second_ago() -> None:
    assert caught_up("pager", [seen(10.0, 5, 0), seen(11.0, 9, 5)], since_s=10.0)
    assert not caught_up("pager", [seen(10.0, 5, 0), seen(11.0, 9, 4)], since_s=10.0)


def test_what_was_seen_before_the_end_of_a_fault_says_nothing() -> None:
    assert not caught_up("pager", [seen(9.9, 5, 5), seen(11.0, 5, 5)], since_s=10.0)
    assert not caught_up("pager", [seen(10.0, 5, 5), seen(10.5, 5, 5)], since_s=10.0)
    assert not caught_up("pager", [], since_s=10.0)


def test_a_group_is_at_work_only_with_members_who_live() -> None:
    for members, live in ((NEW, True), (OLD, False), (OLD | NEW, False), (frozenset(), False)):
        history = [seen(10.0, 5, 5), seen(11.0, 5, 5, members)]
        assert caught_up("pager", history, since_s=10.0, gone=OLD) is live


def test_a_worker_is_live_where_every_partition_tells_of_new_samples() -> None:
    newest = dict.fromkeys(load.DEVICES, 100.0)
    assert is_live("worker", newest, 100.0 + LIVE_S)
    assert not is_live("worker", newest, 100.1 + LIVE_S)
    of_one = {d: 0.0 if shard == 3 else 100.0 for d, shard in load.DEVICES.items()}
    assert not is_live("worker", of_one, 100.0)


def test_the_end_of_the_play_is_no_silence() -> None:
    assert is_live("worker", dict.fromkeys(load.DEVICES, load.SIGNAL_S), load.SIGNAL_S + 1000.0)
