"""The evidence of one alert: what was measured, found, told and seen, as plain files for a signed archive.

Each file is text that any program reads: tables are CSV (RFC 4180, UTF-8), times are ISO 8601 in UTC or ns
since 1970. No name of a patient is in it, but what people have typed as reasons stands as they typed it.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ecgstream.audit import read
from ecgstream.audit.errors import AuditError
from ecgstream.store.trace_codec import TraceError, decode_block
from schemas import mdc
from schemas.records import MISSING

ROLE = "ecg_evidence"
KIND = "evidence of an alert"
BEFORE_S, AFTER_S, LONGEST_S = 60.0, 60.0, 3600.0
SHORTEST_PREFIX = 4
_BLOCK = timedelta(seconds=30)
_DRIFT = timedelta(seconds=130)
"""By so much the nominal time of a block may be off in a long session (``api.trace``)."""
_WHOLE = "00000000-0000-0000-0000-000000000000"

_FIND: LiteralString = "SELECT * FROM ecg.alert WHERE id BETWEEN %s AND %s ORDER BY id LIMIT 2"
_BLOCKS: LiteralString = """
SELECT * FROM ecg.trace WHERE device = %(device)s AND time > %(early)s AND time < %(until)s
ORDER BY session, channel, first_sample
"""
_TABLES: dict[str, LiteralString] = {
    "beats.csv": """
        SELECT session, sample, time, time_ns, code, rr_s, hr_bpm, version FROM ecg.beat
        WHERE device = %(device)s AND time >= %(since)s AND time < %(until)s
        ORDER BY time, session, sample""",
    "rhythms.csv": """
        SELECT session, sample, time, time_ns, rhythm, version FROM ecg.rhythm
        WHERE device = %(device)s AND time >= %(since)s AND time < %(until)s
        ORDER BY time, session, sample""",
    "vitals.csv": """
        SELECT session, code, time, time_ns, value FROM ecg.vital
        WHERE device = %(device)s AND time >= %(since)s AND time < %(until)s ORDER BY time, code""",
    "conditions.csv": """
        SELECT id, patient, session, code, phase, onset, onset_sample, onset_ns, decided_sample, decided_ns,
            delay_s, end_ns, evidence, lane, version FROM ecg.condition
        WHERE id = %(alert)s OR (device = %(device)s AND onset >= %(since)s AND onset < %(until)s)
        ORDER BY onset, code""",
    "segments.csv": """
        SELECT session, lane, from_sample, from_ns, to_sample, to_ns, start, settings, version
        FROM ecg.segment
        WHERE device = %(device)s AND session = %(session)s AND from_ns <= %(until_ns)s
            AND coalesce(to_ns, %(since_ns)s) >= %(since_ns)s ORDER BY from_ns, lane""",
    "worn-by.csv": """
        SELECT patient, nullif(since, '-infinity') AS since, nullif(until, 'infinity') AS until, place_kind,
            replaces, said_by, said_at, superseded_at FROM ecg.association
        WHERE device = %(device)s AND since < %(until)s AND until > %(since)s ORDER BY said_at""",
    "limits.csv": """
        SELECT patient, code, low, high, is_default, said_by, said_at FROM ecg.limit_change
        WHERE patient = %(patient)s AND said_at < %(until)s ORDER BY id""",
    "judgements.csv": """
        SELECT verdict, said_by, said_at FROM ecg.judgement WHERE alert = %(alert)s ORDER BY id""",
}
_ENTRIES: LiteralString = """
SELECT e.seq, coalesce((SELECT b.hash FROM ecg.audit AS b WHERE b.seq = e.seq - 1),
                       decode(repeat('00', 32), 'hex')), e.content, e.hash
FROM ecg.audit AS e
WHERE (kind = 'alert' AND object = %(alert)s::text)
    OR (at >= %(since)s AND action IN ('read', 'refused', 'answer')
        AND ((kind = 'patient' AND object = %(patient)s) OR (kind = 'device' AND object = %(device)s)
             OR (kind = 'screen' AND content::jsonb #> '{detail,devices}' ? %(device)s)
             OR (kind = 'list' AND content::jsonb #> '{detail,patients}' ? %(patient)s)))
    OR seq IN (SELECT DISTINCT ON (object) seq FROM ecg.audit
               WHERE kind = 'service' AND action = 'start' AND at < %(until)s ORDER BY object, seq DESC)
    OR (kind = 'migration' AND at < %(until)s)
ORDER BY seq
"""


class Evidence(NamedTuple):
    """What an archive is made of."""

    alert: str
    about: dict[str, Any]
    files: dict[str, bytes]


def gather(
    connection: psycopg.Connection, prefix: str, before_s: float = BEFORE_S, after_s: float = AFTER_S
) -> Evidence:
    """Return the evidence of the alert whose id begins so.

    Args:
        connection: in role ``ecg_evidence``.
        prefix: of the id.
        before_s: seconds of signal before the onset.
        after_s: seconds behind the end, or behind the onset where it has none.

    Raises:
        AuditError: there is no such alert, or several.
    """
    alert = _found(connection, prefix)
    since = alert["onset"] - timedelta(seconds=before_s)
    end = alert["onset"] if alert["end_ns"] is None else datetime.fromtimestamp(alert["end_ns"] / 1e9, UTC)
    until = min(end + timedelta(seconds=after_s), since + timedelta(seconds=LONGEST_S))
    about = {
        "alert": str(alert["id"]),
        "condition": alert["condition"],
        "priority": alert["priority"],
        "device": alert["device"],
        "patient": alert["patient"],
        "onset": alert["onset"].isoformat(),
        "since": since.isoformat(),
        "until": until.isoformat(),
    }
    asked = about | {
        "alert": alert["id"],
        "session": alert["session"],
        "since": since,
        "until": until,
        "since_ns": _ns(since),
        "until_ns": _ns(until),
    }
    files = {"alert.json": _json(alert)}
    for name, query in _TABLES.items():
        files[name] = _table(connection.execute(query, asked))
    files |= _signal(connection, alert["device"], since, until)
    entries = connection.execute(_ENTRIES, asked).fetchall()
    files["audit.jsonl"] = b"".join(
        _json_line({"seq": seq, "before": before.hex(), "content": content, "hash": hash_.hex()})
        for seq, before, content, hash_ in entries
    )
    files["audit-heads.json"] = _json(_head(connection))
    files["README.txt"] = _words(about, len(entries)).encode()
    return Evidence(str(alert["id"]), about, files)


def _found(connection: psycopg.Connection, prefix: str) -> dict[str, Any]:
    wanted = prefix.strip().lower()
    try:
        low = UUID(wanted + _WHOLE[len(wanted) :])
        high = UUID(wanted + _WHOLE.replace("0", "f")[len(wanted) :])
    except ValueError:
        low = high = UUID(int=0)
        wanted = ""
    if len(wanted) < SHORTEST_PREFIX:
        raise AuditError(f"an alert's id is wanted, or {SHORTEST_PREFIX} or more characters of its beginning")
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_FIND, (low, high)).fetchall()
    if not found:
        raise AuditError(f"no alert that is stored begins with {wanted}")
    if len(found) > 1:
        raise AuditError(f"several alerts begin with {wanted}: give more of the id")
    return found[0]


def _signal(
    connection: psycopg.Connection, device: str, since: datetime, until: datetime
) -> dict[str, bytes]:
    """Return a table of samples for each channel, and what they are of; blocks are given whole."""
    asked = {"device": device, "early": since - _BLOCK - _DRIFT, "until": until + _DRIFT}
    with connection.cursor(row_factory=dict_row) as cursor:
        blocks = cursor.execute(_BLOCKS, asked).fetchall()
    tables: dict[str, io.StringIO] = {}
    channels: list[list[object]] = []
    packets: list[list[object]] = []
    for block in blocks:
        if block["time"] + timedelta(seconds=block["n"] / block["rate"]) + _DRIFT < since:
            continue
        lead = mdc.lead_name(block["code"])
        name = f"samples/{block['session']}-{block['channel']}-{lead}.csv"
        if name not in tables:
            tables[name] = io.StringIO("sample,time_ns,digital,value\r\n")
            tables[name].seek(0, io.SEEK_END)
            about = (
                "session",
                "channel",
                "code",
                "unit",
                "rate",
                "gain",
                "offset",
                "high_pass",
                "low_pass",
                "notch",
            )
            channels.append([name, lead, *(block[key] for key in about)])
        tables[name].write(_samples(block))
        packets += (
            [block["session"], block["channel"], *packet]
            for packet in zip(
                *(block[f"packet_{key}"] for key in ("seq", "first", "ns", "lead_off")), strict=True
            )
        )
    head = ["file", "lead", "session", "channel", "mdc", "unit", "rate_hz", "gain", "offset"]
    files = {name: table.getvalue().encode() for name, table in tables.items()}
    files["channels.csv"] = _csv([*head, "high_pass_hz", "low_pass_hz", "notch_hz"], channels)
    files["packets.csv"] = _csv(
        ["session", "channel", "seq", "first_sample", "start_ns", "lead_off"], packets
    )
    return files


def _samples(block: dict[str, Any]) -> str:
    try:
        samples = decode_block(block["codec"], bytes(block["data"]), block["n"]).tolist()
    except TraceError as error:
        raise AuditError(f"a stored block of the signal cannot be read: {error}") from None
    first, rate, gain, offset = block["first_sample"], block["rate"], block["gain"], block["offset"]
    begin_ns = _ns(block["time"])
    return "".join(
        f"{first + i},{begin_ns + round(i / rate * 1e9)},{'' if s == MISSING else s},"
        f"{'' if s == MISSING else f'{(s - offset) / gain:.6g}'}\r\n"
        for i, s in enumerate(samples)
    )


def _head(connection: psycopg.Connection) -> dict[str, object]:
    heads = read.heads(connection)
    if not heads:
        return {}
    head = heads[-1]
    return {
        "chain": head.chain.hex(),
        "seq": head.seq,
        "hash": head.hash.hex(),
        "at_ns": head.at_ns,
        "key": head.key.hex(),
        "signature": head.signature.hex(),
    }


def _table(cursor: psycopg.Cursor[Any]) -> bytes:
    return _csv([column.name for column in cursor.description or ()], cursor.fetchall())


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    to = io.StringIO()
    writer = csv.writer(to)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return to.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=_plain).encode() + b"\n"


def _json_line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _ns(time: datetime) -> int:
    return round((time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def _words(about: dict[str, Any], entries: int) -> str:
    return f"""\
Evidence of alert {about["alert"]}: {about["condition"]}, priority {about["priority"]},
on device {about["device"]}, patient {about["patient"] or "unassigned"}, {about["onset"]}.
Signal from {about["since"]} to {about["until"]}.

alert.json        the alert as it is stored: its states, who was called, who said what and when (history)
conditions.csv    alarm conditions of the device in that time, their evidence, and which version found them
beats.csv, rhythms.csv, vitals.csv   what was found and measured
channels.csv, samples/*.csv          the signal: value in the channel's unit = (digital - offset) / gain;
                  empty: missing
packets.csv       the device's packets: time of each one's first sample by the device's own clock, lead off
segments.csv      which stretch was analysed how: version of the detectors, limits and settings that held
worn-by.csv, limits.csv              who wore the device, which limits were set, who said so when
judgements.csv    whether people have called the alert true or false
audit.jsonl       {entries} entries of the audit log: steps of the alert, pages, answers, who has looked,
                  versions and settings of services
audit-heads.json  the newest signed head of that log
manifest.json     the SHA-256 of every file and the public key; manifest.sig signs it (Ed25519, RFC 8032: the
                  text "ecgstream archive 1", then the bytes of manifest.json)

`ecgstream evidence verify FILE --key FINGERPRINT` checks it without the centre. Times ending in _ns are ns
since 1970, UTC.
"""
