"""Whether everybody was told what they had to be told, once.

A page repeats what was told before where its idempotency key is the same: the receiver removes such repeats.
What is left is one page an alert and occasion, in the undisturbed run and in any other. That an alert is over
is told when it has not come back for a time (``alerts.clear``), for which a run may be too short: it may be
told of whatever people were called for, once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.history import CLEARED
from ecgstream.chaos.receiver import Answer, Post

COMPARED = (
    *("key", "what", "alert", "device", "patient", "condition", "priority", "onset_ns", "decided_ns"),
    "facility",
)
"""Fields of a page. Its text and evidence tell of the alert as it stands when the page is sent."""


@dataclass(slots=True)
class Judgement:
    """``lost`` and ``duplicated``: words on each page; ``changed``: the same page with other content."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    raw_repeats: int = 0


def told(posts: Iterable[Post]) -> dict[str, dict[str, Any]]:
    """Return what the receiver has been told, by idempotency key: repeats are removed."""
    return {post.key: _content(post) for post in posts if post.answer is not Answer.REFUSED}


def called(posts: Iterable[Post]) -> dict[str, dict[str, Any]]:
    """Return what the receiver was called for, by key: all that it was told, but that it is over."""
    return {key: content for key, content in told(posts).items() if content["what"] != CLEARED}


def _content(post: Post) -> dict[str, Any]:
    return {name: post.body.get(name) for name in COMPARED}


def without_page(posts: Iterable[Post], alerts: Mapping[str, str]) -> list[str]:
    """Return words on those of the alerts (id to words) that nobody was told of."""
    paged = {content["alert"] for content in called(posts).values()}
    return [words for alert, words in alerts.items() if alert not in paged]


def judge(undisturbed: Iterable[Post], found: Iterable[Post], but: Collection[str] = ()) -> Judgement:
    """Compare what a receiver was told with what it was told in the undisturbed run.

    Args:
        undisturbed: what came there.
        found: what came.
        but: conditions that are judged elsewhere, and devices.
    """
    expected, came = _wanted(undisturbed, but), _wanted(found, but)
    was, now = told(expected), told(came)
    judgement = Judgement(raw_repeats=sum(Counter(p.key for p in came if _was_taken(p)).values()) - len(now))
    judgement.lost = [_words(was[key]) for key in called(expected).keys() - now.keys()]
    judgement.changed = [_words(now[key]) for key in was.keys() & now.keys() if was[key] != now[key]]
    occasions = Counter(map(_occasion, now.values()))
    may_be_over = {content["alert"] for content in called(came).values()}
    for key, content in now.items():
        if occasions[_occasion(content)] > 1:
            judgement.duplicated.append(_words(content))
        elif key not in was and not (content["what"] == CLEARED and content["alert"] in may_be_over):
            judgement.extra.append(_words(content))
    return judgement


def _wanted(posts: Iterable[Post], but: Collection[str]) -> list[Post]:
    return [p for p in posts if p.body["condition"] not in but and p.body["device"] not in but]


def _was_taken(post: Post) -> bool:
    return post.answer is not Answer.REFUSED


def _occasion(content: Mapping[str, Any]) -> tuple[Any, Any]:
    return content["alert"], content["what"]


def _words(content: Mapping[str, Any]) -> str:
    return f"page {content['what']} of {content['device']} {content['condition']} ({content['alert']})"
