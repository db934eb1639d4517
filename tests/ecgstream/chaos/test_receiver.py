"""The webhook that fails at times: the same for the same seed, and never for good."""

from collections import Counter

import httpx

from ecgstream.chaos.receiver import Answer, Post, Receiver, answer_to

PAGE = {"alert": "1", "what": "RAISED", "device": "d", "condition": "ASYSTOLE"}


def post(url: str, key: str) -> int | None:
    """Return the status, or None where the receiver hung up without one."""
    try:
        return httpx.post(url, json=PAGE, headers={"Idempotency-Key": key}, timeout=10).status_code
    except httpx.RemoteProtocolError:
        return None


def test_it_keeps_what_came_with_how_it_answered() -> None:
    statuses = {Answer.TAKEN: 204, Answer.REFUSED: 503, Answer.UNHEARD: None}
    with Receiver(3) as receiver:
        found = [post(receiver.url, f"key-{i}") for i in range(40)]
        posts = receiver.posts()
    assert [p.key for p in posts] == [f"key-{i}" for i in range(40)]
    assert [statuses[p.answer] for p in posts] == found
    assert posts[0] == Post("key-0", PAGE, posts[0].answer)
    assert set(found) == {204, 503, None}


def test_how_it_answers_follows_from_seed_key_and_try() -> None:
    drawn = [answer_to(5, f"key-{i}", 0) for i in range(4000)]
    assert drawn == [answer_to(5, f"key-{i}", 0) for i in range(4000)]
    assert drawn != [answer_to(6, f"key-{i}", 0) for i in range(4000)]
    shares = Counter(drawn)
    assert 0.1 < shares[Answer.REFUSED] / 4000 < 0.2
    assert 0.1 < shares[Answer.UNHEARD] / 4000 < 0.2


def test_no_page_fails_more_than_twice() -> None:
    assert {answer_to(seed, "key", 2) for seed in range(200)} == {Answer.TAKEN}
