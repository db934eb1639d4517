"""What seals and finds identifiers, and where its keys come from."""

from __future__ import annotations

import base64
import os
import shlex
import stat
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry import key_source
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.keys import KeyRing, new_key, parse

SECRET = bytes(range(100, 132))
NAME = "王小明"
words = st.text(max_size=40)
pseudonyms = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
kinds = st.sampled_from(["name", "national_id", "record_number", "telephone"])


def ring(*names: str) -> KeyRing:
    return KeyRing({name: base64.b64decode(new_key()[1].split()[1]) for name in names})


def line(name: str, key: bytes = SECRET) -> str:
    return f"{name} {base64.b64encode(key).decode()}\n"


def leaks(said: BaseException) -> list[str]:
    """What of the secret can be read in an exception with all that it carries."""
    shown = "".join(traceback.format_exception(said)) + repr(said) + repr(said.__context__ and vars(said))
    needles = [
        base64.b64encode(SECRET).decode()[:16],
        base64.b64encode(SECRET).decode()[-16:],
        SECRET.hex(),
        repr(SECRET),
        NAME,
    ]
    return [needle for needle in needles if needle in shown]


@given(pseudonyms, kinds, words)
def test_what_is_sealed_opens_for_the_same_patient_and_kind(patient: str, kind: str, text: str) -> None:
    keyring = ring("old", "new")
    row = keyring.seal(patient, kind, text, normalised=text)
    assert row.key == "new"
    assert keyring.open(patient, kind, row.key, row.sealed) == text
    assert row.search in keyring.searches(kind, text)
    assert len(row.search) == 32
    assert len(row.sealed) == len(text.encode()) + 12 + 16


def test_the_same_text_is_never_sealed_to_the_same_bytes() -> None:
    keyring = ring("a")
    rows = [keyring.seal("P-1", "name", NAME, normalised=NAME) for _ in range(100)]
    assert len({row.sealed[:12] for row in rows}) == 100
    assert len({row.sealed[12:] for row in rows}) == 100
    assert len({row.search for row in rows}) == 1


@given(st.integers(0), st.integers(1, 255))
def test_any_change_of_the_bytes_is_noticed(where: int, change: int) -> None:
    keyring = ring("a")
    row = keyring.seal("P-1", "name", NAME, normalised=NAME)
    altered = bytearray(row.sealed)
    altered[where % len(altered)] ^= change
    with pytest.raises(
        RegistryError, match="name of P-1 does not open with key 'a': it was altered"
    ) as refused:
        keyring.open("P-1", "name", "a", bytes(altered))
    assert leaks(refused.value) == []


@pytest.mark.parametrize(
    ("patient", "kind", "sealed"),
    [("P-2", "name", None), ("P-1", "telephone", None), ("P-1", "name", b""), ("P-1", "name", bytes(28))],
)
def test_what_is_sealed_opens_in_no_other_place(patient: str, kind: str, sealed: bytes | None) -> None:
    keyring = ring("a")
    row = keyring.seal("P-1", "name", NAME, normalised=NAME)
    with pytest.raises(RegistryError, match="does not open"):
        keyring.open(patient, kind, "a", row.sealed if sealed is None else sealed)


def test_the_name_of_the_key_is_bound_too() -> None:
    first = KeyRing({"a": SECRET})
    row = first.seal("P-1", "name", NAME, normalised=NAME)
    with pytest.raises(RegistryError, match="another key goes by this name"):
        KeyRing({"b": SECRET}).open("P-1", "name", "b", row.sealed)
    with pytest.raises(RegistryError, match="sealed with key 'a', which is not among the keys set here"):
        KeyRing({"b": SECRET}).open("P-1", "name", "a", row.sealed)


def test_old_keys_open_and_find_and_the_newest_seals() -> None:
    old = KeyRing({"a": SECRET})
    row = old.seal("P-1", "name", NAME, normalised=NAME)
    both = KeyRing({"a": SECRET, "b": SECRET[::-1]})
    assert both.open("P-1", "name", "a", row.sealed) == NAME
    assert row.search in both.searches("name", NAME)
    anew = both.seal("P-1", "name", NAME, normalised=NAME)
    assert anew.key == "b"
    assert anew.search != row.search


def test_the_hash_depends_on_kind_text_and_key() -> None:
    keyring = ring("a")
    found = {keyring.searches(kind, text)[0] for kind in ("name", "telephone") for text in ("1", "2")}
    assert len(found) == 4
    assert not found & {ring("a").searches("name", "1")[0]}


def test_derived_keys_are_stable_between_versions() -> None:
    # Keys and hash are those of `openssl kdf` and `openssl mac`. Were they others, no identifier would open.
    keyring = KeyRing({"a": bytes(range(32))})
    assert (
        keyring.searches("name", "wang wei")[0].hex()
        == "b69f5152b18e2deabe6f327a5b26ef51479b69537c21dae5c9adf1a828132ad6"
    )
    sealed = bytes.fromhex("000102030405060708090a0b95ee1d4299e3afd0bcf17272f7250d7b68847ced5a89dd19")
    assert keyring.open("P-1", "name", "a", sealed) == "Wang Wei"


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True))
def test_a_ring_is_read_back_from_its_lines(names: list[str]) -> None:
    text = "# a comment\n\n" + "".join(f"{name} {new_key()[1].split()[1]}\r\n" for name in names)
    assert parse(text, "FILE").newest == names[-1]


def test_a_new_keys_name_tells_its_day() -> None:
    before = time.strftime("%Y%m%d", time.gmtime())
    name, text = new_key()
    assert before <= name[:8] <= time.strftime("%Y%m%d", time.gmtime())
    assert parse(text, "FILE").newest == name
    assert len({new_key()[0] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no key. `ecgstream patient keys new"),
        ("# nothing\n\n", "holds no key"),
        (line("a b"), "line 1 is no key"),
        (line("schlüssel"), "line 1 is no key"),
        (line("x" * 33), "line 1 is no key"),
        (line("a", SECRET[:31]), "line 1 is no key"),
        (line("a", SECRET + b"x"), "line 1 is no key"),
        (line("a").replace("=", ""), "line 1 is no key"),
        (line("a").replace("Z", "%"), "line 1 is no key"),
        (line("a").split()[1], "line 1 is no key"),
        (line("a") + "\n" + line("a", SECRET[::-1]), "line 3: this key, or another of its name"),
        (line("a") + line("b"), "line 2: this key, or another of its name"),
        ("[keys]\na = '" + line("a"), "line 1 is no key"),
    ],
)
def test_what_is_no_ring_is_refused_without_being_repeated(text: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why) as refused:
        parse(text, "FILE")
    assert str(refused.value).startswith("FILE: ")
    assert leaks(refused.value) == []


def test_a_ring_shows_no_key() -> None:
    keyring = KeyRing({"a": SECRET})
    assert f"{keyring!r} {keyring}" == "KeyRing of 1 key, newest a KeyRing of 1 key, newest a"
    with pytest.raises(TypeError):
        vars(keyring)


# Where keys come from.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    key_source.create(tmp_path / "keys")
    return tmp_path / "keys"


def test_a_key_file_is_made_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        name = key_source.create(tmp_path / "keys")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    assert key_source.load(tmp_path / "keys", "").newest == name


def test_a_key_file_is_never_overwritten(file: Path) -> None:
    before = file.read_text()
    with pytest.raises(RegistryError, match="is there already and stays"):
        key_source.create(file)
    assert file.read_text() == before


def test_a_key_is_added_and_seals_from_then_on(file: Path) -> None:
    row = key_source.load(file, "").seal("P-1", "name", NAME, normalised=NAME)
    file.write_text(file.read_text().rstrip("\n"))  # as some editors leave it
    name = key_source.add(file)
    both = key_source.load(file, "")
    assert both.newest == name
    assert both.open("P-1", "name", row.key, row.sealed) == NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_added_to_what_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("dear diary\n")
    (tmp_path / "notes").chmod(0o600)
    with pytest.raises(RegistryError, match="line 1 is no key"):
        key_source.add(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "dear diary\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    for use in (lambda: key_source.load(file, ""), lambda: key_source.add(file)):
        with pytest.raises(RegistryError, match="others than its owner may read or write it: chmod 600"):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(file, 4321, 4321)
    with pytest.raises(RegistryError, match="belongs to another user"):
        key_source.load(file, "")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "No such file"),
        (_pipe, "is no regular file"),
        (_folder, "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe" * 10), "is no text in UTF-8"),
        (lambda path: path.write_bytes(b"#" * 70_000), "more than 65,536 bytes"),
    ],
)
def test_a_file_that_is_none_is_a_clear_error(file: Path, spoil: Callable[[Path], object], why: str) -> None:
    spoil(file)
    with pytest.raises(RegistryError, match=why) as refused:
        key_source.load(file, "")
    assert str(file) in str(refused.value)


def test_without_keys_the_error_says_what_to_set(file: Path) -> None:
    with pytest.raises(
        RegistryError, match="patient keys new FILE` and set ECGSTREAM_KEYS=FILE, or set ECGSTREAM_KEY_C"
    ):
        key_source.load(None, "")
    with pytest.raises(
        RegistryError, match="both ECGSTREAM_KEYS and ECGSTREAM_KEY_COMMAND are set: keep one"
    ):
        key_source.load(file, "cat keys")


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_a_command_gives_the_ring(file: Path) -> None:
    assert key_source.load(None, f"cat '{file}'").newest == key_source.load(file, "").newest


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (python('print("dear diary")'), "line 1 is no key"),
        (python('import sys; print(sys.argv); sys.exit("SECRET")'), "failed with status 1. Run it by hand"),
        (python("import os; os.kill(os.getpid(), 9)"), "failed with status -9"),
        (python("print(end=str())"), "holds no key"),
        (python('import os; os.write(1, b"\\xff")'), "is no text in UTF-8"),
        ("yes", "more than 65,536 bytes"),
        ("/nowhere/kms --decrypt", "cannot be run: No such file"),
        ("kms 'unclosed", "cannot be run: it is no line of words"),
        ("   ", "cannot be run: it is no line of words"),
        ("cat\0x", "cannot be run: it is no line of words"),
        ("cat /dev/null; echo x", "failed with status 1"),  # no shell: a file of that name
        ("cat", "holds no key"),  # nothing to read from us
    ],
)
def test_a_command_that_gives_none_is_a_clear_error(
    command: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RegistryError, match=why) as refused:
        key_source.load(None, command)
    assert "key command: " in str(refused.value)
    assert "diary" not in str(refused.value)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_command_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_source, "_COMMAND_PATIENCE_S", 0.5)
    script = tmp_path / "kms"
    script.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/child\nsleep 300\n")
    script.chmod(0o700)
    started = time.monotonic()
    with pytest.raises(RegistryError, match=r"did not end within 0\.5 s"):
        key_source.load(None, str(script))
    assert time.monotonic() - started < 150  # half of what it would sleep
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
