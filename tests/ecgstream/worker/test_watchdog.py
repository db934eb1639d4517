"""The watchdog sees a crash anywhere below the app."""

from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from ecgstream.worker import watchdog


@dataclass
class Service:
    crashed: bool = False
    _children: list["Service"] = field(default_factory=list)
    crash_reason: str = ""


class EndedError(Exception):
    pass


def test_a_crash_below_counts() -> None:
    consumer = Service()
    app = Service(_children=[Service(), Service(_children=[consumer])])
    assert not watchdog.has_crashed(app)
    consumer.crashed = True
    assert watchdog.has_crashed(app)


def test_it_gives_a_crashed_app_some_time_and_then_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    app = Service(crash_reason="No partitions assigned")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        app.crashed = len(slept) >= 3

    def give_up(reason: str) -> NoReturn:
        raise EndedError(reason)

    monkeypatch.setattr(watchdog.time, "sleep", sleep)
    with pytest.raises(EndedError, match="No partitions assigned"):
        watchdog._watch(app, give_up)
    assert slept == [watchdog.INTERVAL_S] * 3 + [watchdog.PATIENCE_S]
