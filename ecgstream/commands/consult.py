"""``ecgstream consult``: a clinic asks for an opinion on a stretch of ECG; those above answer."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

import psycopg
from cyclopts import App, Parameter
from kafka.errors import KafkaError

from alerts.roster.model import Roster
from alerts.roster.read import from_json
from ecgstream import duty_roster
from ecgstream.commands.common import (
    OPERATOR,
    By,
    Json,
    SettingsFlags,
    Yes,
    acting,
    confirm,
    noted,
    print_json,
    registry_connection,
    show,
)
from ecgstream.commands.flags import addressed
from ecgstream.commands.report import stretch
from ecgstream.consulting import store
from ecgstream.consulting.case import CARE, Act
from ecgstream.consulting.level import above
from ecgstream.consulting.store import Asking, Kept, Terms, Urgency
from ecgstream.registry import facility_store, identity, people, text
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import Settings

app = App(
    name="consult",
    help="""Consultation: a clinic asks for an opinion on a stretch of ECG; those above answer with a report.

    Who writes does so as an account (--by), which is held to its positions. Asking and passing up read the
    published duty roster, for which they need Kafka. The monitor has all of it, too: docs/consultation.md.
    """,
)

Id = Annotated[UUID, Parameter(help="id of the case.")]
Words = Annotated[str, Parameter(help="for those who read the case; never a name.")]
_COLUMNS = ("consultation", "state", "urgency", "due_at", "overdue", "patient", "facility", "at", "taken_by")


@app.command
def ask(
    patient: Annotated[str, Parameter(help="pseudonym.")],
    question: Annotated[str, Parameter(help="what is asked; never a name.")],
    /,
    *,
    begin: Annotated[str, Parameter(name="--from", help="as 2026-11-27T08:00:00+08:00.")],
    end: Annotated[str, Parameter(name="--to", help="as --from.")],
    urgency: Annotated[Urgency, Parameter(help="sets by when an answer is wanted (`ecgstream settings`).")],
    facility: Annotated[str, Parameter(help="that asks; not needed where you stand at one alone.")] = "",
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Ask the level above for an opinion; print the case's id.

    For instance:

        ecgstream consult ask P-ABCDE23456 "pauses at night: pacemaker?" --urgency urgent --by li
        --from 2026-11-27T01:00+08:00 --to 2026-11-27T03:00+08:00
    """
    found = addressed(settings, "kafka", "database")
    since, until = stretch(begin, end)
    who, id_ = acting(by), uuid4()
    words = text.clean(question, "question", longest=store.LONGEST_WORDS, secret=True)
    with registry_connection(found) as connection:
        place = facility or _place(connection, who)
        asked = _above(connection, found, place)
        whose = identity.pseudonym(patient)
        asking = Asking(id_, who, whose, since, until, place, asked, urgency, words)
        _done(store.ask(connection, asking, Terms.of(found)))
    if json:
        print_json([{"id": id_, "asked": asked}])
    else:
        print(id_)  # noqa: T201


@app.command(name="list")
def list_(
    *,
    facility: Annotated[str | None, Parameter(help="only cases that it asks, or that it is asked.")] = None,
    all: Annotated[bool, Parameter(negative="", help="also those that are over.")] = False,  # noqa: A002
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List the cases that are not over, the first that is due first.

    For instance:

        ecgstream consult list --facility 410200-H1
    """
    with registry_connection(settings) as connection:
        found = store.load(connection, facility=facility, all=all)
        patients = sorted({one.patient for one in found})
        noted(connection, "list", facility or "", "consult list", patients=patients)
    now = datetime.now(UTC)
    rows = [one._asdict() | {"overdue": one.case.is_overdue(one.due_at, now)} for one in found]
    show([{name: row[name] for name in _COLUMNS} for row in rows], json=json, columns=_COLUMNS)


@app.command(name="show")
def show_(id: Id, /, *, json: Json = False, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Show a case: what is asked, and what was done with it.

    For instance:

        ecgstream consult show 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11
    """
    with registry_connection(settings) as connection:
        one = _one(connection, id)
        found = [step._asdict() for step in store.steps(connection, id)]
        noted(connection, "consultation", str(id), "consult show", patient=one.patient)
    if json:
        print_json(one._asdict() | {"steps": found})
        return
    show([{name: value for name, value in one._asdict().items() if name in _COLUMNS}], json=False)
    show(found, json=False)


@app.command
def take(
    id: Id,  # noqa: A002
    /,
    *,
    over: Annotated[bool, Parameter(negative="", help="from the account that has taken it.")] = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Take a case that your facility is asked.

    For instance:

        ecgstream consult take 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 --by wang
    """
    with registry_connection(settings) as connection:
        one = _one(connection, id)
        if one.taken_by is not None and not over:
            raise RegistryError(f"{one.taken_by} has taken the case: with --over you take it over")
        _go_on(connection, one, by, Act.TAKEN)


@app.command
def answer(
    id: Id,  # noqa: A002
    report: Annotated[UUID, Parameter(help="id of the report that you have signed.")],
    /,
    *,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Answer a case that you have taken: with a report of its patient and stretch that you have signed.

    For instance:

        ecgstream consult answer 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 0e1d5a88-6c1d-4c0e-9d4b-0e6a1b8a7a11
        --by wang
    """
    with registry_connection(settings) as connection:
        _go_on(connection, _one(connection, id), by, Act.ANSWERED, report=report)


@app.command
def up(id: Id, words: Words = "", /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Pass a case that you have taken up to the next level that has a duty roster.

    For instance:

        ecgstream consult up 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 "wide complexes: please look" --by wang
    """
    found = addressed(settings, "kafka", "database")
    with registry_connection(found) as connection:
        one = _one(connection, id)
        _go_on(connection, one, by, Act.PASSED_UP, words, up_to=_above(connection, found, one.at))


@app.command
def back(id: Id, words: Words, /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Send a case that you have taken back to who has asked, and say what is missing.

    For instance:

        ecgstream consult back 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 "which drugs?" --by wang
    """
    with registry_connection(settings) as connection:
        _go_on(connection, _one(connection, id), by, Act.SENT_BACK, words)


@app.command
def again(id: Id, words: Words, /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Ask a case again that was sent back, and add what was missing. Its due time stays.

    For instance:

        ecgstream consult again 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 "digoxin 0.25 mg" --by li
    """
    with registry_connection(settings) as connection:
        _go_on(connection, _one(connection, id), by, Act.ASKED, words)


@app.command
def withdraw(id: Id, words: Words = "", /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Withdraw a case that is not answered; what it has opened is closed at once.

    For instance:

        ecgstream consult withdraw 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 --by li
    """
    with registry_connection(settings) as connection:
        _go_on(connection, _one(connection, id), by, Act.WITHDRAWN, words)


@app.command
def close(id: Id, /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:  # noqa: A002
    """Close a case whose answer you have read; what it has opened is closed at once.

    For instance:

        ecgstream consult close 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 --by li
    """
    with registry_connection(settings) as connection:
        _go_on(connection, _one(connection, id), by, Act.CLOSED)


@app.command
def forget(
    teaching: Annotated[UUID, Parameter(help="id of the teaching case.")],
    /,
    *,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Take a teaching case out of the collection: somebody could be told from it. Copies elsewhere stay.

    For instance:

        ecgstream consult forget 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 --by li --yes
    """
    with registry_connection(settings) as connection:
        confirm(f"Take teaching case {teaching} out for good?", yes)
        if not store.forget(connection, teaching, acting(by)):
            raise RegistryError(f"there is no teaching case {teaching}")


def _one(connection: psycopg.Connection, id_: UUID) -> Kept:
    found = store.load(connection, id=id_, all=True)
    if not found:
        raise RegistryError(f"there is no case {id_}")
    return found[0]


def _go_on(
    connection: psycopg.Connection,
    one: Kept,
    by: str,
    act: Act,
    words: str = "",
    up_to: str | None = None,
    report: UUID | None = None,
) -> None:
    said = text.clean(words, "words", longest=store.LONGEST_WORDS, empty=True, secret=True)
    who = acting(by)
    _done(store.go_on(connection, one.consultation, who, one.newest, act, said, up_to=up_to, report=report))


def _done(refused: str) -> None:
    if refused:
        raise RegistryError(store.REFUSED[refused])


def _place(connection: psycopg.Connection, who: str) -> str:
    """Return the facility for which an account asks, where that is clear."""
    places = {p.facility for p in people.get(connection, who).positions if p.kind in CARE}
    if len(places) != 1:
        where = ", ".join(sorted(places)) or "no facility"
        raise RegistryError(f"{who} cares for patients at {where}: say by --facility which one asks")
    return places.pop()


def _above(connection: psycopg.Connection, settings: Settings, place: str) -> str:
    """Return the facility that is asked: the nearest above a place that has a duty roster."""
    way = above(_roster(settings), tuple(facility_store.path(connection, place).split(".")))
    if not way:
        raise RegistryError(
            f"nobody above {place} has a duty roster: publish one with a team for a facility above it"
            " (`ecgstream roster publish`, docs/roster.md), or share the stretch (`ecgstream share grant`)"
        )
    return way[-1]


def _roster(settings: Settings) -> Roster | None:
    try:
        told = duty_roster.newest(settings)
    except KafkaError as error:
        raise RegistryError(
            f"the duty roster cannot be read: Kafka is away ({type(error).__name__})"
        ) from None
    return None if told is None else from_json(told.content)
