"""A signed archive is as it was signed, or it is said what was changed; nothing in a bad one does harm."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from ecgstream.audit import archive
from ecgstream.audit.archive import MANIFEST, SIGNATURE
from ecgstream.audit.errors import AuditError
from ecgstream.audit.keys import SigningKey, fingerprint
from tests.ecgstream.audit.chains import new_key

FILES = {"alert.json": b'{"by": "\xe7\x8e\x8b"}', "samples/1-0-II.csv": b"sample\r\n1\r\n" * 1000}
ABOUT = {"alert": "f7cccd15", "patient": "P-王伟-🏥-مريض"}
KIND = "evidence of an alert"


@pytest.fixture
def key() -> SigningKey:
    return new_key()


@pytest.fixture
def made(tmp_path: Path, key: SigningKey) -> Path:
    path = tmp_path / "证据 🏥.zip"
    archive.write(path, KIND, ABOUT, FILES, key)
    return path


def remade(path: Path, **changes: bytes | None) -> Path:
    """The archive with other files; None: without it."""
    with zipfile.ZipFile(path) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    to = path.with_name("other.zip")
    with zipfile.ZipFile(to, "w") as whole:
        for name, content in (files | changes).items():
            if content is not None:
                whole.writestr(name, content)
    return to


def test_it_is_as_it_was_signed(made: Path, key: SigningKey) -> None:
    found = archive.check(made, KIND, fingerprint(key.public).upper())
    assert found.about["patient"] == ABOUT["patient"]
    assert found.is_trusted
    assert found.key == key.public
    assert set(found.files) == set(FILES)
    assert not archive.check(made, KIND).is_trusted
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert not made.with_name(f"{made.name}.part").exists()


def test_large_files_are_taken_from_where_they_lie(tmp_path: Path, key: SigningKey) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 3_000_000)
    archive.write(tmp_path / "a.zip", KIND, {}, {"large": large}, key)
    assert set(archive.check(tmp_path / "a.zip", KIND).files) == {"large"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alert.json": b"{}"}, "alert.json: was changed"),
        ({"alert.json": None}, "alert.json: was removed"),
        ({"more.csv": b""}, "more.csv: was added"),
        ({"\x1b[31m.csv": b""}, r"\?\[31m.csv: was added"),
        ({SIGNATURE: bytes(64)}, "signature does not hold"),
        ({SIGNATURE: b""}, "signature was changed"),
        ({SIGNATURE: None}, "no signed archive"),
        ({MANIFEST: None}, "no signed archive"),
        ({MANIFEST: b"[]"}, "cannot be read"),
        ({MANIFEST: b"[" * 100_000}, "cannot be read"),
        ({MANIFEST: b"\xff\xfe"}, "cannot be read"),
    ],
)
def test_what_was_changed_is_said(made: Path, change: dict[str, bytes | None], said: str) -> None:
    with pytest.raises(AuditError, match=said):
        archive.check(remade(made, **change), KIND)


def test_a_list_of_files_that_was_changed_is_told(made: Path) -> None:
    with zipfile.ZipFile(made) as whole:
        manifest = json.loads(whole.read(MANIFEST))
    for change in (
        {"about": {"patient": "P-other"}},
        {"made": "yesterday"},
        {"key": new_key().public.hex()},
        {"files": {}},
    ):
        text = json.dumps(manifest | change).encode()
        with pytest.raises(AuditError, match="signature does not hold"):
            archive.check(remade(made, **{MANIFEST: text}), KIND)


def test_signed_anew_by_somebody_else_it_is_not_the_named_keys(
    tmp_path: Path, made: Path, key: SigningKey
) -> None:
    forged = tmp_path / "forged.zip"
    archive.write(forged, KIND, ABOUT, FILES, new_key())
    archive.check(forged, KIND)  # of itself it is whole: only the key tells
    with pytest.raises(AuditError, match="not the key that was named"):
        archive.check(forged, KIND, fingerprint(key.public))


def test_an_archive_of_another_kind_is_not_taken_for_it(made: Path) -> None:
    with pytest.raises(AuditError, match="not what is wanted"):
        archive.check(made, "audit log")


def test_every_byte_counts(made: Path) -> None:
    whole = made.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 300)):
        bad = made.with_name("bad.zip")
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            found = archive.check(bad, KIND)
        except AuditError:
            continue
        # What a zip says of itself (times, rights) is nobody's evidence: the files are as they were.
        for name, content in FILES.items():
            with archive.opened(bad, name) as file:
                assert file.read() == content
        assert found.about["alert"] == ABOUT["alert"]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"no zip at all" * 100])
def test_what_is_no_archive_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(AuditError, match=r"no archive|no signed archive"):
        archive.check(path, KIND)
    with pytest.raises(AuditError, match="No such file"):
        archive.check(tmp_path / "none.zip", KIND)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for n in range(3):
            info = zipfile.ZipInfo(f"{n}")
            whole.writestr(info, b"x")
    text = bytearray(out.getvalue())
    for n in range(3):  # each says that it is as large as a zip can say
        at = -1
        for _ in range(n + 1):
            at = text.index(b"PK\x01\x02", at + 1)
        text[at + 24 : at + 28] = b"\xfe\xff\xff\xff"
    path = tmp_path / "bomb.zip"
    path.write_bytes(bytes(text))
    with pytest.raises(AuditError, match="too large"):
        archive.check(path, KIND)


def test_what_is_there_is_not_overwritten(made: Path, key: SigningKey) -> None:
    before = made.read_bytes()
    with pytest.raises(AuditError, match="there already"):
        archive.write(made, KIND, {}, {}, key)
    assert made.read_bytes() == before
    with pytest.raises(AuditError, match="No such file"):
        archive.write(made.parent / "nowhere" / "x.zip", KIND, {}, {}, key)
