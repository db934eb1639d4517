"""``ecgstream facility``: the tree of facilities, from the international centre to the village clinic."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.text import Text
from rich.tree import Tree

from ecgstream.commands.common import (
    OPERATOR,
    By,
    DryRun,
    Json,
    SettingsFlags,
    Yes,
    acting,
    clear_errors,
    confirm,
    print_json,
    print_tree,
    progress,
    registry_connection,
    say,
    say_counts,
    show,
)
from ecgstream.registry import facility_csv, facility_store
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.facilities import Facility, Kind, Level, Plan, as_texts, parse, plan, without
from ecgstream.registry.henan import henan
from ecgstream.settings import Settings

app = App(
    name="facility",
    help="The tree of facilities, from the international centre to the village clinic. Where a person stands"
    " in it decides what the person may see.",
)

File = Annotated[
    Path, Parameter(help="CSV file; columns code, parent, level, kind, name_en, name_zh, time_zone, contact.")
]
Code = Annotated[str, Parameter(help="the facility's code.")]
Under = Annotated[str | None, Parameter(help="only this facility and what is below it.")]
Depth = Annotated[int | None, Parameter(help="rungs that are drawn below the topmost; otherwise all.")]

_PARENT = Parameter(help="code of the facility above it; only the root has none.")
_LEVEL = Parameter(help="below its parent's.")
_KIND = Parameter(help="what it is.", name_transform=str.lower)
_NAME_EN = Parameter(help="name in English.")
_NAME_ZH = Parameter(help="name in Chinese.")
_TIME_ZONE = Parameter(help="IANA's name, as Asia/Shanghai.")
_CONTACT = Parameter(help="whom to call.")


@app.command(name="import")
def import_(
    file: File,
    /,
    *,
    remove: Annotated[
        bool, Parameter(negative="", help="also remove the facilities that the file does not name.")
    ] = False,
    encoding: Annotated[Encoding, Parameter(help="GB 2312 and GBK are parts of gb18030.")] = "utf-8",
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Bring the tree to what a CSV file says: all of it or, if anything is wrong, nothing.

    Lines may come in any order. A facility whose parent differs moves with all that is below it. What the
    file does not name stays as it is.

    For instance:

        ecgstream facility import henan.csv --dry-run

        ecgstream facility import gbk.csv --encoding gb18030 --by li_ops
    """
    with clear_errors():
        rows = facility_csv.rows(file, encoding=encoding)
        wanted, lines = facility_csv.gather(progress(rows, f"Reading {file.name}"))

    def planned(current: list[Facility]) -> Plan:
        return plan(current, wanted, remove=remove, where=lines)

    _change(settings, by, planned, yes=yes, json=json, dry_run=dry_run)


@app.command
def export(file: File, /, *, settings: SettingsFlags = None) -> None:
    """Write the whole tree to a CSV file, which `import` reads again. An existing file is replaced.

    For instance:

        ecgstream facility export tree.csv
    """
    with registry_connection(settings) as connection:
        n = facility_csv.write(file, facility_store.load(connection))
    say(f"{n:,} facilities written to {file}")


@app.command(name="list")
def list_(
    *,
    under: Under = None,
    level: Annotated[Level | None, Parameter(help="only facilities of this level.")] = None,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List facilities, parents before children.

    For instance:

        ecgstream facility list --under 410100 --level county --json
    """
    found = [as_texts(facility) for facility in _loaded(settings, under, level)]
    show(found, json=json, columns=("code", "parent", "level", "kind", "name_en", "name_zh"))


@app.command
def tree(*, under: Under = None, depth: Depth = None, settings: SettingsFlags = None) -> None:
    """Draw the tree.

    For instance:

        ecgstream facility tree --under 410000 --depth 2
    """
    drawn: dict[str, tuple[Tree, int]] = {}
    top: Tree | None = None
    for facility in _loaded(settings, under):
        label = Text(f"{facility.name} ({facility.code})")
        if top is None:
            top = Tree(label)
            drawn[facility.code] = top, 0
            continue
        branch, rung = drawn.get(facility.parent or "", (None, 0))
        if branch is not None and (depth is None or rung < depth):
            drawn[facility.code] = branch.add(label), rung + 1
    if top is not None:
        print_tree(top)


@app.command(name="show")
def show_(code: Code, /, *, json: Json = False, settings: SettingsFlags = None) -> None:
    """Show one facility, its way from the root, and what is at and below it.

    For instance:

        ecgstream facility show 410100-H1
    """
    with registry_connection(settings) as connection:
        way = facility_store.path(connection, code)
        facility = facility_store.load(connection, code)[0]
        below = facility_store.counts(connection, code)
    found: dict[str, object] = {**as_texts(facility), "path": way, **below}
    if json:
        print_json([found])
    else:
        show([{"field": name, "value": value} for name, value in found.items()], json=False)


@app.command
def add(
    code: Code,
    /,
    *,
    parent: Annotated[str, _PARENT] = "",
    level: Annotated[Level, _LEVEL],
    kind: Annotated[Kind, _KIND],
    name_en: Annotated[str, _NAME_EN] = "",
    name_zh: Annotated[str, _NAME_ZH] = "",
    time_zone: Annotated[str, _TIME_ZONE],
    contact: Annotated[str, _CONTACT] = "",
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Add one facility. One of the two names is enough.

    Its code is 1 to 32 letters, digits, hyphens and underscores, and stays for ever: devices and people are
    placed by it. Its level is below its parent's; some may be left out.

    For instance:

        ecgstream facility add 410100-H3 --parent 410100 --level county --kind hospital
        --name-zh 郑州市医院3 --time-zone Asia/Shanghai
    """

    def planned(current: list[Facility]) -> Plan:
        if any(facility.code == code for facility in current):
            raise RegistryError(f"facility {code} is there already: `ecgstream facility set` changes it")
        names = {"name_en": name_en, "name_zh": name_zh, "time_zone": time_zone, "contact": contact}
        place = {"code": code, "parent": parent, "level": level.name, "kind": kind.value}
        return plan(current, [parse({**place, **names})])

    _change(settings, by, planned)


@app.command(name="set")
def set_(
    code: Code,
    /,
    *,
    parent: Annotated[str | None, _PARENT] = None,
    level: Annotated[Level | None, _LEVEL] = None,
    kind: Annotated[Kind | None, _KIND] = None,
    name_en: Annotated[str | None, _NAME_EN] = None,
    name_zh: Annotated[str | None, _NAME_ZH] = None,
    time_zone: Annotated[str | None, _TIME_ZONE] = None,
    contact: Annotated[str | None, _CONTACT] = None,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Change what is given of one facility. A new parent moves it with all that is below it.

    For instance:

        ecgstream facility set 410100-H1 --name-en "Hospital 1" --contact "+86 371 6591"

        ecgstream facility set 410100-03 --parent 410200
    """
    texts = {
        "parent": parent,
        "name_en": name_en,
        "name_zh": name_zh,
        "time_zone": time_zone,
        "contact": contact,
    }
    given = {name: value for name, value in texts.items() if value is not None}

    def planned(current: list[Facility]) -> Plan:
        for facility in current:
            if facility.code == code:
                changed = replace(facility, level=level or facility.level, kind=kind or facility.kind)
                return plan(current, [parse({**as_texts(changed), **given})])
        raise RegistryError(f"there is no facility {code}")

    _change(settings, by, planned)


@app.command
def remove(code: Code, /, *, yes: Yes = False, by: By = OPERATOR, settings: SettingsFlags = None) -> None:
    """Remove one facility. Refused while facilities, devices, patients or people belong to it.

    For instance:

        ecgstream facility remove 410100-H3 --yes
    """
    _change(settings, by, lambda current: without(current, code), yes=yes)


@app.command
def generate(
    file: File, /, *, institutions: Annotated[int, Parameter(help="how many facilities.")] = 1300
) -> None:
    """Write a made tree of the shape of Henan's to a CSV file, for demonstrations and measurements.

    Names and codes of the province and its 18 divisions are real. Every county, township, village and
    institution below them is made up.

    For instance:

        ecgstream facility generate henan.csv && ecgstream facility import henan.csv
    """
    with clear_errors():
        if not 1 <= institutions <= 1_000_000:
            raise RegistryError("--institutions is 1 to 1,000,000")
        n = facility_csv.write(file, henan(institutions))
    say(f"{n:,} facilities written to {file}")


def _loaded(settings: Settings | None, under: str | None, level: Level | None = None) -> list[Facility]:
    with registry_connection(settings) as connection:
        if under is not None:
            facility_store.path(connection, under)  # or say that there is none
        return facility_store.load(connection, under, level)


def _change(
    settings: Settings | None,
    by: str,
    planned: Callable[[list[Facility]], Plan],
    *,
    yes: bool = False,
    json: bool = False,
    dry_run: bool = False,
) -> None:
    """Plan, check and apply in one transaction, which is alone in changing the tree; print what changed."""
    with registry_connection(settings) as connection:
        account = acting(by)
        if dry_run:
            found = planned(facility_store.load(connection))
            facility_store.check(connection, found, account)
        else:
            agreed = None if yes else _agreed(planned(facility_store.load(connection)))
            facility_store.lock(connection)  # not before: nobody shall wait for an answer
            found = planned(facility_store.load(connection))
            if agreed is not None and found.removed != agreed:
                raise RegistryError("the tree has changed meanwhile: nothing was changed, try again")
            facility_store.check(connection, found, account)
            facility_store.apply(connection, found, account)
    if dry_run:
        show(_listed(found), json=json, columns=("change", "code", "field", "before", "after"))
    counts = {
        "added": len(found.added),
        "changed": len({change.code for change in found.changed}),
        "moved": len(found.moved),
        "removed": len(found.removed),
        "unchanged": found.unchanged,
    }
    say_counts(counts, json=json, dry_run=dry_run)


def _agreed(found: Plan) -> tuple[Facility, ...]:
    """Ask before facilities are removed; return which."""
    if found.removed:
        first = found.removed[0]
        what = (
            f"facility {first.code}, {first.name}"
            if len(found.removed) == 1
            else f"{len(found.removed):,} facilities"
        )
        confirm(f"Remove {what}?", yes=False)
    return found.removed


def _listed(found: Plan) -> list[dict[str, object]]:
    """Return a row for each facility that comes or goes and each field that changes."""
    rows = [("added", f.code, "", "", f.name) for f in found.added]
    rows += [("changed", c.code, c.field, c.before, c.after) for c in found.changed]
    rows += [("moved", c.code, c.field, c.before, c.after) for c in found.moved]
    rows += [("removed", f.code, "", f.name, "") for f in found.removed]
    return [dict(zip(("change", "code", "field", "before", "after"), row, strict=True)) for row in rows]
