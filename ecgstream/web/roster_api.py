"""The duty roster for other programs: read it, ask it, publish another (docs/web.md).

By HTTP Basic (RFC 7617) with an account and its key, from a file of the form of personal codes. Answers are
JSON; what is refused has ``problems``, each one line for a person.
"""

import json
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread
from kafka.errors import KafkaError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.notify import iso
from alerts.roster.check import problems
from alerts.roster.civil import DAY_NS
from alerts.roster.duty import holes
from alerts.roster.model import Roster
from alerts.roster.read import RosterError, from_json, parse, tables_of
from alerts.roster.steps import Where, steps
from ecgstream.body import body_of
from ecgstream.web.codes import Doorkeeper, Outcome
from schemas.records import Priority
from schemas.records import Roster as Told

Newest = Callable[[], Told | None]
Publish = Callable[[Roster, str], Told]

LONGEST = 5_000_000
MOST_DAYS = 366
_AT_ONCE = 2
"""Requests that are worked on: each key takes 64 MiB to look at."""
_NOT_LET_IN = {
    Outcome.WRONG: (HTTPStatus.UNAUTHORIZED, "account and key do not go together"),
    Outcome.NOT_LOOKED_AT: (HTTPStatus.TOO_MANY_REQUESTS, "too many wrong keys: wait up to 15 minutes"),
    Outcome.UNUSABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "keys cannot be read now"),
}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="ecgstream", charset="UTF-8"'}

log = structlog.get_logger()


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, *problems: str) -> None:
        super().__init__(*problems)
        self.status = status


class RosterApi:
    """The addresses below ``/api/``.

    Args:
        doorkeeper: knows the keys of accounts.
        newest: gives the roster that holds.
        publish: makes another one hold, in the name of an account.
    """

    def __init__(self, doorkeeper: Doorkeeper, newest: Newest, publish: Publish) -> None:
        self._doorkeeper = doorkeeper
        self._newest = newest
        self._publish = publish
        self._limit = CapacityLimiter(_AT_ONCE)

    @property
    def routes(self) -> list[Route]:
        """What is served."""
        return [
            Route("/api/roster", self._answering(self._roster), methods=["GET"]),
            Route("/api/roster", self._answering(self._put), methods=["PUT"]),
            Route("/api/duty", self._answering(self._duty), methods=["GET"]),
            Route("/api/holes", self._answering(self._holes), methods=["GET"]),
        ]

    def _answering(self, act: Callable[[Request, str, bytes], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                body = _bounded(await body_of(request, LONGEST))
                return await to_thread.run_sync(self._known, act, request, body, limiter=self._limit)
            except _RefusedError as refusal:
                headers = _CHALLENGE if refusal.status is HTTPStatus.UNAUTHORIZED else None
                return JSONResponse({"problems": list(refusal.args)}, refusal.status, headers)

        return answer

    def _known(
        self, act: Callable[[Request, str, bytes], Response], request: Request, body: bytes
    ) -> Response:
        try:
            return act(request, self._account(request), body)
        except KafkaError as error:
            log.warning("roster_unreachable", error=type(error).__name__)
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Kafka cannot be reached now") from None

    def _account(self, request: Request) -> str:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            account, _, key = b64decode(given, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            account = key = ""
        if kind.lower() != "basic" or not account or not key:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "an account and its key are wanted, by HTTP Basic")
        outcome = self._doorkeeper.ask(account, key)
        if outcome is not Outcome.RIGHT:
            raise _RefusedError(*_NOT_LET_IN[outcome])
        return account

    def _told(self) -> Told:
        found = self._newest()
        if found is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no roster is published")
        return found

    def _held(self) -> Roster:
        try:
            return from_json(self._told().content)
        except RosterError as error:  # of a newer version than we are
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, *error.problems) from None

    def _roster(self, _request: Request, _account: str, _body: bytes) -> Response:
        told = self._told()
        said = {
            "version": told.version,
            "published_by": told.published_by,
            "published_at": iso(told.published_ns),
            "roster": json.loads(told.content),
        }
        return JSONResponse(said, headers={"ETag": f'"{told.version}"'})

    def _put(self, request: Request, account: str, body: bytes) -> Response:
        wanted = request.headers.get("if-match", "").strip('"')
        if wanted and wanted != self._told().version:
            raise _RefusedError(HTTPStatus.PRECONDITION_FAILED, "another roster was published meanwhile")
        roster = _parsed(request.headers.get("content-type", ""), body)
        if wrong := problems(roster, time.time_ns()):
            raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, *wrong)
        told = self._publish(roster, account)
        return JSONResponse({"version": told.version}, headers={"ETag": f'"{told.version}"'})

    def _duty(self, request: Request, _account: str, _body: bytes) -> Response:
        asked = request.query_params
        roster = self._held()
        at_ns = _moment_ns(asked.get("at", ""))
        try:
            priority = Priority(asked.get("priority", Priority.HIGH))
        except ValueError:
            raise _bad(f"priority is one of {', '.join(Priority)}") from None
        path = tuple(code for code in asked.get("facility", "").split("/") if code)
        if not path:
            raise _bad("facility is wanted, with what it lies in: henan/zhengzhou/h1")
        is_green = asked.get("green") == "true" or roster.is_green(asked.get("patient", ""), at_ns)
        found = steps(roster, Where(path, asked.get("skill", ""), is_green), priority, at_ns)
        told = [
            {"after_s": s.after_s, "accounts": list(s.accounts), "team": s.team, "why": s.why} for s in found
        ]
        return JSONResponse({"at": iso(at_ns), "steps": told})

    def _holes(self, request: Request, _account: str, _body: bytes) -> Response:
        days = request.query_params.get("days", "7")
        if not days.isdecimal() or not 1 <= int(days) <= MOST_DAYS:
            raise _bad(f"days is a whole number from 1 to {MOST_DAYS}")
        roster, now_ns = self._held(), time.time_ns()
        found = holes(roster, now_ns, now_ns + int(days) * DAY_NS)
        told = [{"team": h.team, "from": iso(h.from_ns), "to": iso(h.until_ns)} for h in found]
        return JSONResponse({"holes": told})


def _bounded(body: bytes | None) -> bytes:
    if body is None:
        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "more than 5 MB: is it the right file?")
    return body


def _bad(words: str) -> _RefusedError:
    return _RefusedError(HTTPStatus.BAD_REQUEST, words)


def _moment_ns(text: str) -> int:
    if not text:
        return time.time_ns()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _bad("at is a moment with its offset, as 2026-10-01T02:00:00+08:00 (+ is %2B in an address)")
    return round(moment.timestamp()) * 1_000_000_000


def _parsed(content_type: str, body: bytes) -> Roster:
    kind = content_type.partition(";")[0].strip()
    try:
        if kind == "application/json":
            return from_json(body)
        if kind == "application/toml":
            return parse(tables_of(body.decode()))
    except UnicodeDecodeError:
        raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "this is no UTF-8") from None
    except RosterError as error:
        raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, *error.problems) from None
    raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "application/toml or application/json is wanted")
