"""``ecgstream dashboards``: dashboards, folders, teams and data sources in a Grafana, from code."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App

from ecgstream.commands.common import (
    DryRun,
    Json,
    SettingsFlags,
    Yes,
    clear_errors,
    confirm,
    registry_connection,
    say,
    say_counts,
    show,
)
from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.grafana import Grafana
from ecgstream.dashboards.plan import Act, Step, plan
from ecgstream.dashboards.shown import Shown, read_shown
from ecgstream.dashboards.things import Thing
from ecgstream.dashboards.wanted import wanted
from ecgstream.registry import facility_store, people
from ecgstream.settings import PREFIX, Settings

app = App(
    name="dashboards",
    help="Dashboards in Grafana: what differs, bring it there, take it away.",
)

_COLUMNS = ("change", "kind", "title", "differs")


@app.command
def diff(*, json: Json = False, settings: SettingsFlags = None) -> None:
    """List what `apply` would create, update and delete; the exit status is 1 if that is anything.

    A password that has changed is not seen: Grafana tells nobody the one it has.

    For instance:

        ecgstream dashboards diff --json
    """
    with _grafana(settings) as grafana:
        steps = _steps(grafana, _wanted(settings, grafana))
    show(_listed(steps), json=json, columns=_COLUMNS)
    if steps:
        sys.exit(1)


@app.command
def apply(
    *,
    passwords: bool = False,
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
    settings: SettingsFlags = None,
) -> None:
    """Bring Grafana to what the code, the file and the registry say.

    For each facility that the file names: dashboards of patient trends, clinic, region, device health and
    alarm statistics, in English and Chinese, in a folder; a team of those who care for patients there, which
    sees the folder, as those of facilities above do; and a data source that logs in to the database as an
    account of that facility, so that the database decides what it shows. For the centre: operations, by its
    metrics. docs/dashboards.md says how to begin.

    Only what this command has made is changed or deleted. Run it again whenever people or facilities have
    changed: where nothing has, it changes nothing. Facilities that the file no longer names lose what they
    have there.

    For instance:

        ecgstream dashboards apply --yes

    Args:
        passwords: also send the data sources' passwords anew, after they have been changed.
        dry_run: only list what would change.
        json: print JSON instead of a table.
        yes: do not ask before something is deleted.
        settings: see `ecgstream settings`; grafana_url, grafana_token, grafana_facilities and database.
    """
    with _grafana(settings) as grafana:
        things = _wanted(settings, grafana)
        steps = _steps(grafana, things, passwords=passwords)
        if dry_run:
            show(_listed(steps), json=json, columns=_COLUMNS)
        else:
            _do(grafana, steps, yes=yes)
    changed = {act: sum(step.act is act for step in steps) for act in Act}
    kept = len(things) - changed[Act.CREATE] - changed[Act.UPDATE]
    counts = {"created": changed[Act.CREATE], "updated": changed[Act.UPDATE], "deleted": changed[Act.DELETE]}
    say_counts({**counts, "unchanged": kept}, json=json, dry_run=dry_run)


@app.command
def delete(*, yes: Yes = False, settings: SettingsFlags = None) -> None:
    """Delete everything that this command has made in the organisation, and nothing else.

    To take one facility away, take it out of the file and `apply`.

    For instance:

        ecgstream dashboards delete --yes
    """
    with _grafana(settings) as grafana:
        steps = _steps(grafana, [])
        _do(grafana, steps, yes=yes)
    say(f"{len(steps):,} deleted")


@contextmanager
def _grafana(settings: Settings | None) -> Iterator[Grafana]:
    found = settings or Settings()
    with clear_errors():
        if not found.grafana_url:
            raise DashboardsError(f"no address of a Grafana. Set {PREFIX}GRAFANA_URL or --grafana_url")
        token = found.grafana_token.get_secret_value()
        if not token:
            raise DashboardsError(
                f"no token for Grafana. Set {PREFIX}GRAFANA_TOKEN, or the secret grafana_token"
            )
        with Grafana(found.grafana_url, token) as grafana:
            yield grafana


def _wanted(settings: Settings | None, grafana: Grafana) -> list[Thing]:
    shown = _shown(settings or Settings())
    if shown.prometheus and not grafana.has_source(shown.prometheus):
        raise DashboardsError(
            f"Grafana has no data source {shown.prometheus}, which the file names for metrics"
        )
    with registry_connection(settings) as connection:
        tree, everybody = facility_store.load(connection), people.load(connection)
    return wanted(shown, tree, everybody, grafana.users, apart=grafana.apart)


def _shown(settings: Settings) -> Shown:
    if settings.grafana_facilities is None:
        raise DashboardsError(f"no file of facilities. Set {PREFIX}GRAFANA_FACILITIES (docs/dashboards.md)")
    return read_shown(settings.grafana_facilities)


def _steps(grafana: Grafana, things: Sequence[Thing], *, passwords: bool = False) -> list[Step]:
    return plan(things, grafana.read(things), passwords=passwords)


def _do(grafana: Grafana, steps: Sequence[Step], *, yes: bool) -> None:
    gone = [step.thing for step in steps if step.act is Act.DELETE]
    if gone:
        confirm(f"Delete {len(gone):,}, as {gone[0].kind.words} {gone[0].title}?", yes)
    for step in steps:
        grafana.do(step)


def _listed(steps: Sequence[Step]) -> list[dict[str, object]]:
    rows = [(step.act, step.thing.kind.words, step.thing.title, ", ".join(step.differs)) for step in steps]
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
