"""A test page in the pager: how far it came stands in it, whatever happens on the way."""

from __future__ import annotations

import pytest

from alerts.notify import NotifyError, Reason
from alerts.trial import LASTS_S
from ecgstream.pager import metrics
from schemas.records import Acknowledgement, Act, Alert, AlertState, Phase
from tests.alerts.timeline import condition
from tests.ecgstream.pager.fake_kafka import SECOND, Process, World, live_through
from tests.ecgstream.pager.stories import world

REFUSED = NotifyError(Reason.REFUSED, retryable=False)
TEST = "9f0c3c7e-0c53-4b2c-8df4-0c2f5b3f7a11"


def asked(*conditions: object) -> World:
    found = world(4, *conditions)
    found.acknowledgement(Acknowledgement("x", TEST, "li", "sent", found.now_ns, Act.TEST, team="centre"))
    return found


def turns(alert: Alert) -> list[tuple[str, str]]:
    return [(turn.what, turn.why) for turn in alert.history]


def test_that_a_channel_has_taken_it_stands_in_it() -> None:
    found = asked()
    Process(found).settle()
    assert found.acts == ["alert ACTIVE", "log DUE", "commit", "page", "log SENT", "alert ACTIVE"]
    assert turns(found.alerts()[TEST])[1:] == [("CALLED", ""), ("TAKEN", "webhook")]
    assert list(found.told().values()) == ["TEST TEST_PAGE centre"]
    assert metrics.OPEN._value.get() == 0  # nobody waits for it


def test_that_a_channel_has_refused_a_page_stands_in_its_alert_whatever_it_is_of() -> None:
    found = asked(condition(4, Phase.ONSET))
    found.answers = [REFUSED, REFUSED]
    Process(found).settle()
    for alert in found.alerts().values():
        assert turns(alert)[-1] == ("FAILED", "webhook, refused")


def test_of_a_page_that_was_taken_nothing_is_written_but_in_the_log() -> None:
    found = world(4, condition(4, Phase.ONSET))
    Process(found).settle()
    (alert,) = found.alerts().values()
    assert [what for what, _ in turns(alert)] == ["ACTIVE", "CALLED"]


def test_what_is_of_a_patient_goes_first() -> None:
    found = asked(condition(4, Phase.ONSET))
    Process(found).settle()
    assert [page.what for page in found.received] == ["RAISED", "TEST"]


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("act", range(6))
def test_a_power_cut_around_any_act_sends_it_once_and_ends_it(act: int, behind: bool) -> None:
    found = asked()
    found.cuts = {act: behind}
    assert live_through(found) == 2
    assert len(found.told()) == 1
    found.now_ns += int(LASTS_S) * SECOND
    live_through(found)
    assert found.alerts()[TEST].state is AlertState.ENDED
    assert len(found.told()) == 1
    assert len(found.received) <= 2
