"""``ecgstream patient``: who is a patient, under which pseudonym, with which settings."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ecgstream.commands import patient_keys, patient_limits, patient_worn
from ecgstream.commands.common import (
    OPERATOR,
    By,
    DryRun,
    Json,
    SettingsFlags,
    acting,
    clear_errors,
    noted,
    progress,
    registry_connection,
    say,
    show,
)
from ecgstream.commands.patient_words import (
    Name,
    NationalId,
    Pseudonym,
    RecordNumber,
    Telephone,
    at,
    facts,
    identifiers,
    ring,
    without_words,
)
from ecgstream.registry import (
    associations,
    csv_file,
    facility_store,
    identity,
    limits,
    patient_csv,
    patients,
    rights,
    text,
)
from ecgstream.registry import identifiers as kept
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.patients import NewPatient, Patient
from schemas.records import Category, News2, Settings

app = App(
    name="patient",
    help="""Patients: who wears what, alarm limits, identifiers.

    A patient is known by a pseudonym; names and numbers are kept encrypted and can be found and shown here
    only. docs/identifiers.md says how they are protected.
    """,
    error_formatter=without_words,
)
for _command in (
    *(patient_worn.associate, patient_worn.end, patient_worn.correct, patient_worn.history),
    *(patient_limits.limits, patient_limits.limit),
    patient_keys.rekey,
):
    app.command(_command)
app.command(patient_keys.app)

Facility = Annotated[str, Parameter(help="code of the facility that answers for the patient.")]
Paced = Annotated[bool, Parameter(help="has a pacemaker.")]
Score = Annotated[
    News2,
    Parameter(
        help="keep the National Early Warning Score 2 and tell what it asks for, by scale 1 or 2 of SpO2. Off"
        " until a clinician says that the patient is 16 or older and not pregnant; scale 2 only where a"
        " clinician has decided for it, in hypercapnic respiratory failure (88 to 92 %)."
    ),
]
File = Annotated[
    Path,
    Parameter(
        help="CSV file; columns facility and, if wanted, category, paced (yes or no), news2 (off, scale-1,"
        " scale-2), name, national_id, record_number, telephone."
    ),
]
_CATEGORY = Parameter(help="sets the default alarm limits.", name_transform=str.lower)
_CHUNK = 1000
_COLUMNS = ("patient", "facility", "category", "paced", "news2", "devices")


@app.command
def add(
    *,
    facility: Facility,
    category: Annotated[Category, _CATEGORY] = Category.ADULT,
    paced: Paced = False,
    news2: Score = News2.OFF,
    name: Name = None,
    national_id: NationalId = None,
    record_number: RecordNumber = None,
    telephone: Telephone = None,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Register a patient and print the new pseudonym. Identifiers need keys: see `patient keys new`.

    For instance:

        ecgstream patient add --facility 410100-H1 --name - --national-id -
    """
    with registry_connection(settings) as connection:
        given = identifiers(name, national_id, record_number, telephone)
        keys = ring(settings) if given else None
        new = NewPatient(patients.facility_code(facility), Settings(category, paced, news2), given)
        made = patients.add(connection, keys, new, acting(by))
        found = patients.load(connection, [made])
    _print(found, json=json)


@app.command(name="import")
def import_(
    file: File,
    /,
    *,
    encoding: Annotated[Encoding, Parameter(help="GB 2312 and GBK are parts of gb18030.")] = "utf-8",
    dry_run: DryRun = False,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Register the patients of a CSV file and print the new pseudonyms: all or, if anything is wrong, none.

    The same number of an identity card or record may not come twice at one facility. Remove the file
    afterwards: it tells who they are.

    For instance:

        ecgstream patient import patients.csv --dry-run
    """
    with clear_errors():
        rows = progress(patient_csv.rows(file, encoding=encoding), f"Reading {file.name}")
        new = csv_file.gather(rows, patient_csv.parse)
    with registry_connection(settings) as connection:
        keys = ring(settings) if any(one.identifiers for one in new) else None
        patients.check(connection, keys, new, acting(by))
        if dry_run:
            say(f"Would be: {len(new):,} patients registered")
            return
        made: list[dict[str, object]] = []
        starts = progress(range(0, len(new), _CHUNK), "Registering")
        for chunk in (new[start : start + _CHUNK] for start in starts):
            given = patients.register(connection, keys, chunk, acting(by))
            made += [
                {"line": one.line, "patient": patient, "facility": one.facility}
                for one, patient in zip(chunk, given, strict=True)
            ]
    show(made, json=json, columns=("line", "patient", "facility"))
    say(f"{len(made):,} patients registered")


@app.command(name="list")
def list_(
    *,
    under: Annotated[str, Parameter(help="code of the facility: its patients, and those below it.")],
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List patients by the facility that answers for them, with the devices that they wear now.

    For instance:

        ecgstream patient list --under 410100
    """
    with registry_connection(settings) as connection:
        top = text.code(under, "--under")
        facility_store.path(connection, top)  # or say that there is none
        found = patients.under(connection, top)
        noted(connection, "facility", top, "patient list")
    _print(found, json=json)


@app.command
def find(
    *,
    name: Name = None,
    national_id: NationalId = None,
    record_number: RecordNumber = None,
    telephone: Telephone = None,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """Find the pseudonyms of all patients who have exactly these identifiers.

    Upper and lower case, full and half width, and blanks in numbers do not count.

    For instance:

        ecgstream patient find --name -
    """
    with registry_connection(settings) as connection:
        wanted = identifiers(name, national_id, record_number, telephone)
        if not wanted:
            raise RegistryError("say what to look for, as --name -")
        found = patients.load(connection, kept.find(connection, ring(settings), wanted))
        for one in found:
            noted(connection, "patient", one.patient, "patient find", by=sorted(map(str, wanted)))
    _print(found, json=json)
    if not found:
        say("nobody is found")


@app.command(name="show")
def show_(
    patient: Pseudonym,
    /,
    *,
    identifiers: Annotated[bool, Parameter(negative="", help="also show who it is.")] = False,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Show a patient: settings, what is worn now, which identifiers are kept.

    For instance:

        ecgstream patient show P-ABCDEFGHIJ --identifiers
    """
    with registry_connection(settings) as connection:
        pseudonym = identity.pseudonym(patient)
        facility = patients.facility_of(connection, pseudonym)
        (found,) = patients.load(connection, [pseudonym])
        worn = associations.worn_by(connection, pseudonym)
        zones = associations.time_zones(connection, [row.device for row in worn])
        row = _row(found, json=json)
        noted(connection, "patient", pseudonym, "patient show")
        if identifiers:
            reader = acting(by)
            rights.require(connection, reader, rights.CARE, facility)
            opened = kept.opened(connection, ring(settings), pseudonym, reader)
            row |= {str(kind): value for kind, value in opened.items()}
        else:
            kinds = [str(kind) for kind in kept.kinds(connection, pseudonym)]
            row["identifiers"] = kinds if json else ", ".join(kinds)
    if json:
        show([row], json=True)
        return
    del row["devices"]
    lines = facts(row)
    for one in worn:
        zone = zones[one.device]
        lines += facts(
            {
                "wears": f"{one.device}, {one.where}",
                "since": at(one.since, zone),
                "until": at(one.until, zone),
            }
        )
    show(lines, json=False)


@app.command(name="set")
def set_(
    patient: Pseudonym,
    /,
    *,
    category: Annotated[Category | None, _CATEGORY] = None,
    paced: Paced | None = None,
    news2: Score | None = None,
    name: Name = None,
    national_id: NationalId = None,
    record_number: RecordNumber = None,
    telephone: Telephone = None,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Change what is given of a patient. A new category brings its default limits; limits set by hand stay.

    A score that is kept (--news2) ends where the category becomes another than adult.

    For instance:

        ecgstream patient set P-ABCDEFGHIJ --category neonate --no-paced

        ecgstream patient set P-ABCDEFGHIJ --name -
    """
    with registry_connection(settings) as connection:
        pseudonym, account = identity.pseudonym(patient), acting(by)
        given = identifiers(name, national_id, record_number, telephone)
        before = patients.load(connection, [pseudonym])
        if category is not None or paced is not None or news2 is not None:
            patients.change(connection, pseudonym, account, category=category, paced=paced, news2=news2)
        if given:
            patients.identify(connection, ring(settings), pseudonym, given, account)
        found = patients.load(connection, [pseudonym])
        by_hand = [s.number for s in limits.standing(connection, pseudonym) if not s.is_default]
    _print(found, json=json)
    if news2 is None and [one.settings.news2 for one in before] != [one.settings.news2 for one in found]:
        say("NEWS2 is off now: it is kept of adults only")
    if category is not None and by_hand:
        kept_by_hand = ", ".join(by_hand)
        say(f"Limits set by hand stay, of {kept_by_hand}: see `ecgstream patient limits {pseudonym}`")


def _print(found: list[Patient], *, json: bool) -> None:
    show([_row(patient, json=json) for patient in found], json=json, columns=_COLUMNS)


def _row(patient: Patient, *, json: bool) -> dict[str, object]:
    category, paced, news2 = patient.settings.category, patient.settings.paced, patient.settings.news2
    return {
        "patient": patient.patient,
        "facility": patient.facility,
        "category": str(category) if json else category.lower(),
        "paced": paced if json else ("yes" if paced else "no"),
        "news2": str(news2) if json else news2.lower().replace("_", "-"),
        "devices": list(patient.devices) if json else ", ".join(patient.devices),
    }
