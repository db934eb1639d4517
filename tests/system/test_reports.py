"""Reports as documents: made, read, signed, amended, withdrawn, in the monitor before a real database."""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import httpx
import psycopg
import pytest
from fhir.resources.bundle import Bundle

from ecgstream.registry.roles import role_of
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, NOW, PASSWORD, PATIENTS, House, csrf_of, log_in, made_house
from tests.system.reported import (
    OF_A,
    RESTING,
    SAID,
    ask,
    entries,
    measure,
    printed,
    report_of,
    sign,
    typed,
    waited,
    words_of,
)
from tests.system.resting import record


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        measure(house.url, DEVICES["A"])
        record(house.url, DEVICES["A"], RESTING, session=2)
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client]) -> httpx.Client:
    made[1].cookies.clear()
    return made[1]


def test_a_report_is_made_read_signed_and_had_as_files(house: House, client: httpx.Client) -> None:
    clinic, doctor = house.account("clinic_a"), house.account("cardiologist")
    log_in(client, clinic)
    where = report_of(client)
    page = client.get(where)
    words = words_of(page)
    assert "Preliminary" in words
    assert re.search(r"Pauses of 2 s and more 1; longest 3\.00 s", words)
    assert "/sign" not in page.text  # a clinic makes reports, and signs none
    document = client.get(f"{where}/json").content
    digest = hashlib.sha256(document).hexdigest()
    assert digest in page.text
    assert json.loads(document)["beats"]["N"] > 3000
    pdf = client.get(f"{where}/pdf")
    assert all("PRELIMINARY" in page for page in printed(pdf))
    assert "preliminary.pdf" in pdf.headers["content-disposition"]

    log_in(client, doctor)
    assert sign(client, where).headers["location"] == f"{where}?done=signed"
    words = words_of(client.get(f"{where}?done=signed"))
    assert "Signed. The entry of it" in words
    assert f"Signed by <u>One</u> ({doctor})" in words
    assert client.get(f"{where}/json").content == document
    for language in ("en", "zh"):
        text = printed(client.get(f"{where}/pdf?language={language}"))
        assert not any("PRELIMINARY" in page or "初步报告" in page for page in text)
        assert all({"en": "FINAL", "zh": "最终报告"}[language] in page for page in text)
        for part in (digest, doctor, where.rpartition("/")[2]):
            assert part in text[-1]
        assert "Sinusrhythmwithonepause." in text[0]
    shared = client.get(f"{where}/fhir")
    assert shared.headers["content-type"] == "application/fhir+json"
    Bundle.model_validate(shared.json())
    head = shared.json()["entry"][0]["resource"]
    assert (head["status"], head["conclusion"]) == ("final", SAID)
    assert PATIENTS["A"] in words_of(client.get(f"/reports/{OF_A}"))

    told = entries(house, where)
    done = [(who, action) for who, action, _ in told if action != "read"]
    assert done == [(clinic, "made"), (doctor, "signed")]
    assert [detail["sha256"] for _, action, detail in told if action != "read"] == [digest, digest]
    (signed,) = [detail for _, action, detail in told if action == "signed"]
    assert signed["conclusion"] == "sha256:" + hashlib.sha256(SAID.encode()).hexdigest()
    assert "Sinus" not in str(told)
    assert {(clinic, "/report/{id}"), (doctor, "/report/{id}/{kind}")} <= {
        (who, detail["page"]) for who, action, detail in told if action == "read"
    }


def test_a_resting_ecg_is_reported_signed_and_amended_likewise(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    asked = ask(client, stretch="resting", at=typed(RESTING))
    where = str(waited(client, asked).headers["location"])
    words = words_of(client.get(where))
    assert "Report of a resting ECG" in words
    assert "Heart rate 75 /min" in words
    assert re.search(r"QT interval \d+ ms", words)
    said = json.loads(client.get(f"{where}/json").content)
    assert said["kind"] == "resting ECG"
    assert said["asked"]["from"] == RESTING.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert sign(client, where).headers["location"] == f"{where}?done=signed"
    pages = printed(client.get(f"{where}/pdf?language=en"))
    assert len(pages) == 2
    assert all("FINAL" in page for page in pages)
    assert "Sinusrhythmwithonepause." in pages[0]
    Bundle.model_validate(client.get(f"{where}/fhir").json())
    assert "Resting ECG" in words_of(client.get(f"/reports/{OF_A}"))
    page = client.get(where)
    newer = waited(client, client.post(f"{where}/anew", data={"csrf": csrf_of(page)})).headers["location"]
    assert "Amends" in words_of(client.get(newer))
    assert "Report of a resting ECG" in words_of(client.get(newer))


def test_what_is_no_resting_ecg_is_not_made(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    of_two_leads = ask(client, stretch="resting", at=typed(NOW - timedelta(minutes=20)))
    told = words_of(waited(client, of_two_leads))
    assert "no ten whole seconds of a resting ECG" in told
    fault = ask(client, stretch="resting", at="soon")
    assert fault.status_code == 422
    assert "Of a resting ECG give when it began." in words_of(fault)


def test_an_amendment_is_another_report_and_both_stay(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    first = report_of(client)
    sign(client, first)
    before = client.get(f"{first}/json").content

    def anew() -> str:
        again = client.post(f"{first}/anew", data={"csrf": csrf_of(client.get(first))})
        return str(waited(client, again).headers["location"])

    second, rival = anew(), anew()
    assert sign(client, second, "Amended.").status_code == 303
    lost = sign(client, rival, "Too late.")
    assert lost.status_code == 409
    assert "another amendment of the same report was signed before" in words_of(lost)
    assert "Too late." in lost.text  # nobody has typed in vain
    words = words_of(client.get(first))
    assert "Amended by a later report" in words
    assert "Sinus rhythm with one pause." in words
    assert client.get(f"{first}/json").content == before
    assert "Final, amends an earlier report" in words_of(client.get(second))
    head = client.get(f"{second}/fhir").json()["entry"][0]["resource"]
    assert (head["status"], head["meta"]["versionId"]) == ("amended", "2")
    assert [action for _, action, _ in entries(house, second) if action not in ("read", "made")] == [
        "amended"
    ]
    late = client.post(f"{first}/anew", data={"csrf": csrf_of(client.get(first))})
    assert waited(client, late).status_code == 303  # a report of its own, which amends nothing
    with (
        connect(house.url, autocommit=True) as owner,
        pytest.raises(psycopg.errors.IntegrityConstraintViolation),
    ):
        owner.execute("UPDATE ecg.report_signature SET conclusion = 'x'")


def test_of_two_who_sign_at_once_one_is_told(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    where = report_of(client)
    (id_, digest) = where.rpartition("/")[2], hashlib.sha256(client.get(f"{where}/json").content).digest()
    found: list[str] = []

    def one() -> None:
        with connect(house.url, role="ecg_web") as web:
            said = (house.account("cardiologist"), id_, digest, "mine")
            row = web.execute("SELECT api.sign_report(%s, %s, %s, %s)", said).fetchone()
            found.append(row[0] if row else "none")

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["", "signed", "signed", "signed"]
    late = sign(client, where)
    assert late.status_code == 409
    assert "somebody else has signed this report before" in words_of(late)
    assert "Sinus rhythm with one pause." in html.unescape(late.text)


def test_who_signs_says_once_more_who_they_are(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    where = report_of(client)
    wrong = sign(client, where, "Kept while I mistype.", "not mine")
    assert wrong.status_code == 403
    assert "This is not your password" in words_of(wrong)
    assert "Kept while I mistype." in wrong.text
    for conclusion in ("", " \n ", "x" * 4001, "a\x00b"):
        assert sign(client, where, conclusion).status_code == 422
    assert "Preliminary" in words_of(client.get(where))
    assert sign(client, where, "字" * 4000).status_code == 303
    with connect(house.url, autocommit=True) as owner:
        query = (
            "UPDATE ecg.person SET password_hash = NULL, changed_by = 'test' WHERE account = %s RETURNING 1"
        )
        with owner.transaction(force_rollback=True):
            assert owner.execute(query, (house.account("cardiologist"),)).fetchone()


def test_who_may_not_see_or_sign_is_refused(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    where = report_of(client)
    csrf = csrf_of(client.get(where))
    digest = hashlib.sha256(client.get(f"{where}/json").content).hexdigest()
    form = {"seen": digest, "conclusion": "mine", "password": PASSWORD}
    assert client.post(f"{where}/sign", data=form | {"csrf": csrf}).status_code == 403
    assert client.post(f"{where}/sign", data=form | {"csrf": "x"}).status_code == 403
    for account in ("clinic_b", "expert", "operator_a"):
        log_in(client, house.account(account))
        assert client.get(where).status_code in (403, 404), account
        assert client.get(f"{where}/pdf").status_code in (403, 404), account
        csrf = csrf_of(client.get("/duty"))
        assert client.post(f"{where}/sign", data=form | {"csrf": csrf}).status_code == 403, account
        assert client.post(f"{where}/anew", data={"csrf": csrf}).status_code in (403, 404), account
    with connect(house.url) as owner:
        assert owner.execute(
            "SELECT count(*) FROM ecg.report_signature WHERE conclusion = 'mine'"
        ).fetchone() == (
            1,  # of the four who signed at once
        )
    person = connect(house.url, role=role_of(house.account("cardiologist")))
    with person, pytest.raises(psycopg.errors.InsufficientPrivilege):
        person.execute("SELECT api.sign_report('x', gen_random_uuid(), '', 'x')")


def test_an_expert_signs_what_is_shared_while_it_is(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    where = report_of(client)
    expert = house.account("expert")
    with connect(house.url, role="ecg_registry") as registry:
        registry.execute(
            "INSERT INTO ecg.share (patient, since, until, account, expires, reason, said_by)"
            " VALUES (%s, %s, %s, %s, now() + interval '1 day', 'advice', 'test')",
            (PATIENTS["A"], NOW - timedelta(hours=2), NOW + timedelta(hours=1), expert),
        )
    log_in(client, expert)
    assert "Preliminary" in words_of(client.get(where))
    form = {"stretch": "between", "since": "2020-01-01T00:00", "until": "2020-01-01T01:00"}
    assert "wore nothing" in words_of(waited(client, ask(client, **form)))
    day = waited(client, ask(client, stretch="day"))
    assert "you do not see all of this stretch" in words_of(day)
    with connect(house.url, role="ecg_registry") as registry:
        registry.execute(
            "UPDATE ecg.share SET revoked_by = 'test', revoked_at = now() WHERE account = %s", (expert,)
        )
    assert client.get(where).status_code == 404
    with connect(house.url, role="ecg_registry") as registry:
        registry.execute(
            "INSERT INTO ecg.share (patient, since, until, facility, expires, reason, said_by)"
            " VALUES (%s, %s, %s, 'A', now() + interval '1 day', 'advice', 'test')",
            (PATIENTS["A"], NOW - timedelta(hours=2), NOW + timedelta(hours=1)),
        )
    assert sign(client, where).status_code == 303
    with connect(house.url, role="ecg_registry") as registry:
        registry.execute("UPDATE ecg.share SET revoked_by = 'test', revoked_at = now() WHERE facility = 'A'")


def test_a_tampered_document_is_shown_as_such_and_given_to_nobody(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    where = report_of(client)
    id_ = where.rpartition("/")[2]
    with connect(house.url, autocommit=True) as owner:  # who owns the tables can do even this
        owner.execute("ALTER TABLE ecg.report DISABLE TRIGGER keep_report")
        owner.execute(
            "UPDATE ecg.report SET document = convert_to("
            "replace(convert_from(document, 'UTF8'), '\"N\"', '\"V\"'), 'UTF8') WHERE report = %s",
            (id_,),
        )
        owner.execute("ALTER TABLE ecg.report ENABLE TRIGGER keep_report")
    page = client.get(where)
    assert "The document that is kept is not the one that was made" in words_of(page)
    assert "/sign" not in page.text
    for kind in ("pdf", "json", "fhir"):
        assert client.get(f"{where}/{kind}").status_code == 409
    with connect(house.url, role="ecg_web") as web:
        query = "SELECT api.sign_report(%s, %s, (SELECT decode(%s, 'hex')), 'x')"
        (digest,) = re.findall(r"<code>([0-9a-f]{64})</code>", page.text)
        assert web.execute(query, (house.account("cardiologist"), id_, digest)).fetchone() == ("altered",)


def test_a_report_in_error_is_marked_and_stays(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    where = report_of(client)
    sign(client, where)
    csrf = csrf_of(client.get(where))
    form = {"csrf": csrf, "password": PASSWORD}
    assert client.post(f"{where}/withdraw", data=form).status_code == 422
    done = client.post(f"{where}/withdraw", data=form | {"reason": "of another patient"})
    assert done.headers["location"] == f"{where}?done=withdrawn"
    words = words_of(client.get(where))
    assert "Entered in error: of another patient" in words
    assert client.get(f"{where}/fhir").json()["entry"][0]["resource"]["status"] == "entered-in-error"
    assert client.post(f"{where}/withdraw", data=form | {"reason": "again"}).status_code == 409
    assert "of another patient" not in str(entries(house, where))
    amend = client.post(f"{where}/anew", data={"csrf": csrf})
    assert amend.status_code == 303  # it amends nothing: what was in error is replaced by a report of its own


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-02T00:00", "2026-01-01T00:00"),
        ("2026-01-01T00:00", "2026-01-16T00:00"),
        ("2026-01-01T00:00", "2026-01-01T00:00"),
        ("2126-01-01T00:00", "2126-01-01T01:00"),
        ("soon", "later"),
        ("", ""),
        ("0001-01-01T00:00", "9999-12-31T23:59"),
    ],
)
def test_what_is_no_stretch_is_said_beside_the_form(
    house: House, client: httpx.Client, since: str, until: str
) -> None:
    log_in(client, house.account("clinic_a"))
    page = ask(client, stretch="between", since=since, until=until)
    assert page.status_code == 422
    assert "one minute to 14 days" in words_of(page)


def test_what_there_is_not_is_told_as_what_one_may_not_see(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    nobody = "00000000-0000-0000-0000-000000000000"
    for path in (f"/report/{nobody}", "/report/x", f"/report/{nobody}/pdf", "/making/x", "/reports/p-b"):
        assert client.get(path).status_code == 404, path
    assert client.get(f"/making/{nobody}").headers["location"] == f"/report/{nobody}"
    where = report_of(client)
    assert client.get(f"{where}/exe").status_code == 404
    assert client.get(f"{where}/pdf?language=xx").status_code == 404


def test_what_was_read_of_an_older_registry_is_not_kept(house: House, client: httpx.Client) -> None:
    """As where who wore the device is corrected while the report is being made."""
    account, since, until = house.account("clinic_a"), NOW - timedelta(hours=1), NOW
    with connect(house.url, role="ecg_web") as web:
        keep = (
            "SELECT api.keep_report(%s, gen_random_uuid(), 'stretch', %s, %s, %s, %s::uuid[], '{}', '1',"
            " '{}', NULL)"
        )
        for read in ([], ["00000000-0000-0000-0000-000000000000"]):
            assert web.execute(keep, (account, PATIENTS["A"], since, until, read)).fetchone() == ("moved",)


def test_a_correction_of_who_wore_the_device_marks_the_report(house: House, client: httpx.Client) -> None:
    """Last: it takes the newest half hour from the patient."""
    log_in(client, house.account("cardiologist"))
    signed, unsigned = report_of(client), report_of(client)
    sign(client, signed)
    page = client.get(unsigned)
    form = {
        "csrf": csrf_of(page),
        "seen": re.findall(r'"seen" value="([^"]+)"', page.text)[0],
        "conclusion": "Seen before the correction.",
        "password": PASSWORD,
    }
    with connect(house.url, role="ecg_registry") as registry:
        query = "SELECT id, since FROM ecg.association WHERE patient = %s AND superseded_at IS NULL"
        old, since = registry.execute(query, (PATIENTS["A"],)).fetchone() or ("", NOW)
        at = NOW - timedelta(minutes=30)
        for whose, begin, end in ((PATIENTS["A"], since, at), (PATIENTS["B"], at, "infinity")):
            registry.execute(
                "INSERT INTO ecg.association (device, patient, since, until, place_kind, replaces, said_by)"
                " VALUES (%s, %s, %s, %s, 'bed', %s, 'test')",
                (DEVICES["A"], whose, begin, end, old),
            )
    lost = client.post(f"{unsigned}/sign", data=form)
    assert lost.status_code == 409
    assert "who wore the device was corrected" in words_of(lost)
    assert "Seen before the correction." in lost.text
    for where in (signed, unsigned):
        page = client.get(where)
        assert "Its stretch was re-associated since" in words_of(page)
        assert "/sign" not in page.text
    pages = printed(client.get(f"{signed}/pdf"))
    assert all("ITSSTRETCHWASRE-ASSOCIATEDSINCE" in page for page in pages)
    again = client.post(f"{unsigned}/anew", data={"csrf": csrf_of(client.get(unsigned))})
    anew = str(waited(client, again).headers["location"])
    assert json.loads(client.get(f"{anew}/json").content)["coverage"]["covered_s"] < 3600
    assert sign(client, anew).status_code == 303
