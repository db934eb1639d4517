"""An attempt ends in time, and as an error that says nothing of what a library said."""

from __future__ import annotations

import threading
import traceback

import pytest

from alerts.channels.attempt import LEFT_AT_MOST, Attempts
from alerts.notify import NotifyError, Reason


def failure(attempts: Attempts, act: object) -> NotifyError:
    with pytest.raises(NotifyError) as found:
        attempts.run(act)  # type: ignore[arg-type]
    return found.value


def test_whatever_a_library_raises_may_pass_and_is_not_repeated() -> None:
    def act() -> None:
        raise KeyError("secret token")

    error = failure(Attempts(5.0), act)
    assert (error.reason, error.retryable) == (Reason.OTHER, True)
    assert "secret" not in "".join(traceback.format_exception(error))


def test_our_own_errors_come_without_their_cause() -> None:
    def act() -> None:
        try:
            {}["secret token"]
        except KeyError as error:
            raise NotifyError(Reason.REFUSED, retryable=False) from error

    error = failure(Attempts(5.0), act)
    assert (error.reason, error.retryable) == (Reason.REFUSED, False)
    assert "secret" not in "".join(traceback.format_exception(error))


def test_what_does_not_end_is_left_and_tried_again_only_when_some_has_ended() -> None:
    over, begun = threading.Event(), []

    def act() -> None:
        begun.append(threading.current_thread())
        over.wait(30)

    attempts = Attempts(0.05)
    reasons = [failure(attempts, act).reason for _ in range(LEFT_AT_MOST + 3)]
    assert set(reasons) == {Reason.TIMEOUT}
    assert len(begun) == LEFT_AT_MOST
    over.set()
    for thread in begun:
        thread.join(10)
    attempts.run(lambda: None)
