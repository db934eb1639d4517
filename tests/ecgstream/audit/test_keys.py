"""The file of the key that signs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ecgstream.audit import keys
from ecgstream.audit.errors import AuditError


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    made = keys.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key.public for key in keys.load(path)] == [made.public]
    with pytest.raises(AuditError, match="is there already and stays"):
        keys.create(path)
    assert [key.public for key in keys.load(path)] == [made.public]


def test_a_new_key_stands_behind_the_one_before_it_and_the_older_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    first, second, third = keys.create(path), keys.rotate(path), keys.rotate(path)
    assert [key.public for key in keys.load(path)] == [second.public, third.public]
    assert first.public not in (second.public, third.public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"secret words", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff" * 99],
)
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(content)
    with pytest.raises(AuditError, match="holds no Ed25519 keys") as found:
        keys.load(path)
    assert "secret" not in str(found.value)
    with pytest.raises(AuditError, match="No such file"):
        keys.load(tmp_path / "none")
    with pytest.raises(AuditError, match="no key to sign with"):
        keys.load(None)


def test_a_key_is_not_shown_where_it_is_printed(tmp_path: Path) -> None:
    made = keys.create(tmp_path / "audit.key")
    assert made.private.private_bytes_raw().hex() not in repr(made)


def test_a_fingerprint_may_be_written_in_any_way(tmp_path: Path) -> None:
    made = keys.create(tmp_path / "audit.key")
    said = keys.fingerprint(made.public)
    for written in (said, said.upper(), said.replace("-", ""), said.replace("-", " ")):
        assert keys.is_called(made.public, written)
    assert not keys.is_called(made.public, said[:-1])
    assert not keys.is_called(made.public, "")
