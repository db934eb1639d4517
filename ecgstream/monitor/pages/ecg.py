"""A patient's ECG: the page, what is stored of the signal, and a printed strip.

What comes live comes by the wall's socket (``live.frames``); of the store, the page asks here for a minute or
two at a time, in the same frames.
"""

import json
import math
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

import psycopg
from starlette.responses import Response
from starlette.routing import BaseRoute

from ecgstream.monitor.guard import BY_ITSELF, Asked, RefusedError
from ecgstream.monitor.live import frames
from ecgstream.monitor.live.words import words_of
from ecgstream.monitor.printed import SECONDS, printed
from ecgstream.monitor.read import patient, signal
from ecgstream.monitor.read.happened import happened
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.wording import WORDINGS

LONGEST = timedelta(minutes=2)
"""Of what is stored, at once."""
SPEEDS = (12.5, 25, 50)
"""mm/s."""
GAINS = (5, 10, 20)
"""mm/mV."""
_DAY = timedelta(days=1)
"""Of what happened; and by so much a device's clock may be ahead."""
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 4_102_444_800_000  # 2100


class Chosen(NamedTuple):
    """A patient, one of the devices that they wear or wore, and when; None: they never wore any."""

    one: patient.Known
    device: str | None
    stretches: list[signal.Stretch]


class Ecg:
    """The page."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is, and what it fetches; a pseudonym is last in each, since it may be any."""
        guard = self._shell.guard
        return [
            guard.page("/ecg/{patient:path}", self._page, shows="patient"),
            guard.page("/signal/{patient:path}", self._signal, shows="patient"),
            guard.page("/strip/{patient:path}", self._strip, shows="patient"),
        ]

    def _page(self, asked: Asked) -> Response:
        at = _time(asked.query.get("at", ""))
        now = datetime.now(UTC)
        with self._stored.as_person(asked.viewer.account) as connection:
            chosen = _chosen(connection, asked, at or now)
            # What the page fetches by itself is the list of events: how far the store reaches, it knows.
            stretches = [] if BY_ITSELF in asked.request.headers else chosen.stretches
            ends = signal.ends(connection, chosen.device or "", stretches)
            until = now + _DAY if at is None or at > now - _DAY else at + _DAY / 2
            events = happened(connection, chosen.one, min(until, now) - _DAY, until)
        told = words_of(asked.viewer.language, lambda language, code: WORDINGS[language].condition(code))
        return self._shell.draw(
            asked,
            "ecg.html",
            one=chosen.one,
            device=chosen.device,
            devices=sorted({worn.device for worn in chosen.one.worn}),
            at=_ms(at),
            oldest=_ms(ends.oldest),
            newest=_ms(ends.newest),
            events=events,
            told=told,
            told_json=json.dumps(told, ensure_ascii=False),
            speeds=SPEEDS,
            gains=GAINS,
            now=now,
        )

    def _signal(self, asked: Asked) -> Response:
        """Answer ``?device=…&since=…&until=…`` (ms since 1970 by the device's clock) in frames.

        The header ``Stored-Beyond`` is 1 where the store has gone on behind them: no more is waited for.
        """
        since, until = (_time(asked.query.get(name, "")) for name in ("since", "until"))
        if since is None or until is None or not timedelta(0) < until - since <= LONGEST:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "refused.times")
        found: list[bytes] = []
        with self._stored.as_person(asked.viewer.account) as connection:
            chosen = _chosen(connection, asked, since)
            beats: list[list[object]] = []
            for stretch in _within(chosen, since, until):
                for part in signal.parts(connection, chosen.device or "", *stretch):
                    mark = frames.mark_of(part.session)
                    stored = frames.Signal(0, mark, 0.0, part.waves, part.rate_0, part.origin_ms)
                    found.append(frames.of_signal(stored))
                told = signal.beats(connection, chosen.device or "", *stretch)
                beats += [[frames.mark_of(beat.session), beat.sample, beat.code] for beat in told]
            is_beyond = signal.is_beyond(connection, chosen.device or "", until)
        found.append(frames.of_told(frames.Kind.BEATS, {"n": 0, "beats": beats}))
        said = {"Stored-Beyond": "1" if is_beyond else "0"}
        return Response(b"".join(found), media_type="application/octet-stream", headers=said)

    def _strip(self, asked: Asked) -> Response:
        """Answer ``?device=…&at=…`` with ten seconds from then on as a PDF; ``layout=12``: the usual one."""
        at = _time(asked.query.get("at", ""))
        if at is None:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "refused.times")
        until = at + timedelta(seconds=SECONDS)
        with self._stored.as_person(asked.viewer.account) as connection:
            chosen = _chosen(connection, asked, at)
            device = chosen.device or ""
            if signal.is_behind(connection, device, until):
                raise RefusedError(HTTPStatus.CONFLICT, "refused.unstored")
            parts = [
                part
                for stretch in _within(chosen, at, until)
                for part in signal.parts(connection, device, *stretch)
            ]
        if not parts:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unstored")
        pdf = printed(
            parts,
            at,
            patient=chosen.one.patient,
            device=device,
            account=asked.viewer.account,
            zone=asked.viewer.zone,
            twelve=asked.query.get("layout", "") == "12",
        )
        return Response(pdf, media_type="application/pdf")


def _chosen(connection: psycopg.Connection, asked: Asked, at: datetime) -> Chosen:
    """Return whose ECG is asked for, and of which device: as named, or as worn at a time, or the newest."""
    one = patient.known(connection, asked.path["patient"])
    if one is None:
        raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
    named, devices = asked.query.get("device", ""), [worn.device for worn in one.worn]
    if named and named not in devices:
        raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
    then = [w.device for w in one.worn if (w.since or _BEGIN) <= at and (w.until is None or at < w.until)]
    device = named or next(iter([*then, *devices]), None)
    ever = datetime.now(UTC) + _DAY
    return Chosen(one, device, signal.worn(one, device or "", _BEGIN, ever))


def _within(chosen: Chosen, since: datetime, until: datetime) -> list[signal.Stretch]:
    """Return the parts of a time in which the patient wore the device."""
    cut = ((max(begin, since), min(end, until)) for begin, end in chosen.stretches)
    return [(begin, end) for begin, end in cut if begin < end]


def _time(text: str) -> datetime | None:
    """Return a time by its ms since 1970; None: it is none that a device could have."""
    try:
        ms = float(text)
    except ValueError:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC) if math.isfinite(ms) and 0 <= ms < _LATEST_MS else None


def _ms(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)
