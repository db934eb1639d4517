"""The last stage: what went through is the state from now on."""

from collections.abc import Sequence

from alerts.state import Event, State


def record(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:  # noqa: ARG001
    """Take each event's alert into the state."""
    for event in events:
        if event.alert is None:
            continue
        event.alert = state.put(event.alert)
        if event.condition is not None:
            known = state.newest_sample.get(event.alert.id, event.condition.sample)
            state.newest_sample[event.alert.id] = max(known, event.condition.sample)
    return list(events)
