"""Records of other schema versions: old ones are read by new code, new ones by old code."""

import copy
import io
import json
from pathlib import Path

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas import codec, columns, registry, topics
from schemas.batches import Trends
from schemas.errors import BadRecordError
from schemas.records import (
    Association,
    Category,
    Change,
    Condition,
    Control,
    Enrolled,
    GatewayStatus,
    Lane,
    Limit,
    Limits,
    LinkDown,
    News2,
    Phase,
    Settings,
    Snapshot,
    SnapshotKind,
    Vital,
)
from schemas.registry import Schema, newest

FOLDER = Path(registry.__file__).parent / "avro"


def older(name: str) -> Schema:
    """A version 0 of a schema, as it would have been before its last field came (with a default)."""
    source = copy.deepcopy(newest(name).source)
    del source["fields"][-1]
    crc = fingerprint(to_parsing_canonical_form(source), "CRC-64-AVRO")
    return Schema(name, 0, source, parse_schema(source), registry.MARKER + bytes.fromhex(crc))


def with_default(name: str, default: object) -> Schema:
    schema = newest(name)
    source = copy.deepcopy(schema.source)
    source["fields"][-1]["default"] = default
    return Schema(name, schema.version, source, parse_schema(source), schema.header)


def test_the_fingerprint_is_avros_rabin_crc_little_endian() -> None:
    # Avro specification 1.11, "Schema Fingerprints": the CRC-64-AVRO of "null" is 63dd24e7cc258f8a.
    assert bytes.fromhex(fingerprint('"null"', "CRC-64-AVRO"))[::-1].hex() == "63dd24e7cc258f8a"


def test_old_rows_are_read_with_the_new_schema_and_new_ones_with_the_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = older("Vital")
    new = with_default("Vital", 0.0)
    row = {"device": "d", "session": 1, "time_ns": 2, "code": 3}
    out = io.BytesIO()
    schemaless_writer(out, old.parsed, row)
    monkeypatch.setattr(codec, "writer_of", lambda _: old)
    monkeypatch.setattr(codec, "newest", lambda _: new)
    assert codec.decode(old.header + out.getvalue()) == Vital("d", 1, 2, 3, 0.0)

    out = io.BytesIO()
    schemaless_writer(out, new.parsed, row | {"value": 5.0})
    out.seek(0)
    assert schemaless_reader(out, new.parsed, old.parsed) == row


def test_an_old_columnar_record_is_read_with_the_new_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = older("Rhythms"), with_default("Rhythms", "")
    values = {f["name"]: b"" for f in new.source["fields"]}
    values |= {"partition": 4, "generation": 1, "version": "v"}
    out = io.BytesIO()
    schemaless_writer(out, old.parsed, {k: v for k, v in values.items() if k != "offset"})
    monkeypatch.setattr(columns, "newest", lambda _: new)
    assert columns.decode(old, old.header + out.getvalue())["partition"] == 4


def version(name: str, number: int) -> Schema:
    (found,) = [s for s in registry._versions() if (s.name, s.version) == (name, number)]
    return found


def control(change: Change) -> Control:
    return Control("c-1", "dev-1", 7, 250, 5, "ward", change)


OLD_CHANGES = {
    "association": (Association("P-1"), {"patient": "P-1"}),
    "limits": (
        Limits((Limit(147842, None, 120.0),)),
        {"limits": [{"code": 147842, "low": None, "high": 120.0}]},
    ),
}


@pytest.mark.parametrize(("change", "row"), OLD_CHANGES.values(), ids=OLD_CHANGES.keys())
def test_controls_of_version_1_are_read_as_they_were_meant(change: Change, row: dict[str, object]) -> None:
    old = version("Control", 1)
    out = io.BytesIO()
    head = {"id": "c-1", "device": "dev-1", "session": 7, "from_sample": 250, "issued_ns": 5}
    schemaless_writer(out, old.parsed, head | {"issued_by": "ward", "change": row})
    assert codec.decode(old.header + out.getvalue()) == control(change)


@pytest.mark.parametrize("change", [old for old, _ in OLD_CHANGES.values()], ids=OLD_CHANGES.keys())
def test_changes_that_version_1_knows_are_read_by_a_reader_of_version_1(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = codec.encode(control(change))
    assert raw.startswith(newest("Control").header)
    monkeypatch.setattr(codec, "newest", lambda name: version(name, 1))
    assert codec.decode(raw) == control(change)


@pytest.mark.parametrize(
    "change", [Settings(Category.NEONATE, paced=True), Enrolled("cn.henan", (131330,), disabled=False)]
)
def test_a_change_that_a_reader_of_version_1_does_not_know_is_the_one_error(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = codec.encode(control(change))
    with monkeypatch.context() as knows_the_writer:
        knows_the_writer.setattr(codec, "newest", lambda name: version(name, 1))
        with pytest.raises(BadRecordError, match="Control"):
            codec.decode(raw)
    known = {s.header: s for s in registry._versions() if (s.name, s.version) != ("Control", 5)}
    monkeypatch.setattr(registry, "_by_header", lambda: known)
    with pytest.raises(BadRecordError, match="a newer ecgstream"):
        codec.decode(raw)


@pytest.mark.parametrize("number", [2, 3])
def test_settings_without_news2_are_read_as_off(number: int) -> None:
    old = version("Control", number)
    out = io.BytesIO()
    head = {"id": "c-1", "device": "dev-1", "session": 7, "from_sample": 250, "issued_ns": 5}
    row = ("ecgstream.Settings", {"category": "NEONATE", "paced": True})
    schemaless_writer(out, old.parsed, head | {"issued_by": "ward", "change": row})
    assert codec.decode(old.header + out.getvalue()) == control(Settings(Category.NEONATE, paced=True))


@pytest.mark.parametrize("news2", News2)
def test_settings_with_news2_are_read_by_a_reader_of_version_3_without_it(news2: News2) -> None:
    settings = Settings(Category.ADULT, paced=True, news2=news2)
    raw = codec.encode(control(settings))
    assert codec.decode(raw) == control(settings)
    body = io.BytesIO(raw[registry.HEADER_BYTES :])
    read = schemaless_reader(
        body, newest("Control").parsed, version("Control", 3).parsed, return_record_name=True
    )
    assert read["change"] == ("ecgstream.Settings", {"category": "ADULT", "paced": True})


def test_a_link_that_is_down_is_the_one_error_to_a_reader_of_version_4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = codec.encode(control(LinkDown()))
    assert codec.decode(raw) == control(LinkDown())
    monkeypatch.setattr(codec, "newest", lambda name: version(name, 4))
    with pytest.raises(BadRecordError, match="Control"):
        codec.decode(raw)


def test_a_gateway_of_before_has_said_nothing_of_losses() -> None:
    old = version("GatewayStatus", 1)
    said = GatewayStatus("gw", 5, 3, 2, 100, None, 0, 1, 10**9, "0.1.0")
    row = {name: getattr(said, name) for name in (f["name"] for f in old.source["fields"])}
    out = io.BytesIO()
    schemaless_writer(out, old.parsed, row)
    assert codec.decode(old.header + out.getvalue()) == said


def test_no_published_schema_file_ever_changes() -> None:
    # Not part of the fingerprint, yet part of the wire: the layout of the columns.
    known = json.loads((Path(__file__).parent / "published.json").read_text())
    now = {}
    for path in sorted(FOLDER.glob("*.avsc")):
        fields = json.loads(path.read_text())["fields"]
        now[path.stem] = [[f["name"], f.get("dtype", ""), f.get("rows", "")] for f in fields]
    assert now == known, "write a new version beside a published schema; add new files to published.json"


def test_every_topic_carries_schemas_that_exist() -> None:
    for topic in topics.ALL:
        for name in topic.carries:
            assert newest(name).version >= 1


def test_a_position_of_version_1_is_told_by_its_empty_device() -> None:
    old = version("Snapshot", 1)
    for device, kind in (("", SnapshotKind.POSITION), ("dev-1", SnapshotKind.DEVICE)):
        out = io.BytesIO()
        row = {"device": device, "offset": 9, "generation": 2, "version": "1", "state": b"s"}
        schemaless_writer(out, old.parsed, row)
        read = codec.decode_as(Snapshot, old.header + out.getvalue())
        assert read == Snapshot(kind, Lane.LIVE, device, 0, 0, 9, 2, "1", b"s")


def test_conditions_and_trends_of_version_1_are_of_the_live_lane() -> None:
    old = version("Trends", 1)
    values = {f["name"]: b"" for f in old.source["fields"]} | {
        "partition": 4,
        "generation": 1,
        "version": "v",
    }
    out = io.BytesIO()
    schemaless_writer(out, old.parsed, values)
    assert codec.decode_as(Trends, old.header + out.getvalue()).lane == Lane.LIVE
    broken = io.BytesIO()
    schemaless_writer(broken, old.parsed, values | {"minute_ns": b"half a row"})
    with pytest.raises(BadRecordError, match="minute_ns is no whole number of rows"):
        codec.decode(old.header + broken.getvalue())
    phase = Condition("i", "d", "", 1, "ASYSTOLE", Phase.ONSET, 1, 2, 3, 4, 0.5, {}, 5, 0, 6, 7, "v")
    out = io.BytesIO()
    schemaless_writer(out, version("Condition", 1).parsed, codec._shallow(phase))
    assert codec.decode(version("Condition", 1).header + out.getvalue()) == phase
