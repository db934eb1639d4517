"""The contacts file: what it says, and how what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.contacts import ChannelSetting, ContactsError, read_contacts

GOOD = """
[channels.ding]
kind = "dingtalk"

[channels.mail]
kind = "mailto"
per_minute = 30

[channels.hook]
kind = "https"

[people.li]
ding = "dingtalk://secrettoken"
mail = "mailto://127.0.0.1?from=centre@centre.example&to=li@ward.example"

[people.wang]
hook = "https://ward.example/hook/secrettoken"
"""


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "contacts.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def wrong(folder: Path, text: str) -> str:
    with pytest.raises(ContactsError) as found:
        read_contacts(written(folder, text))
    assert "secret" not in str(found.value)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_channels_with_their_budgets_and_people_with_their_addresses(tmp_path: Path) -> None:
    contacts = read_contacts(written(tmp_path, GOOD))
    assert contacts.channels == {
        "ding": ChannelSetting("dingtalk", 20),
        "mail": ChannelSetting("mailto", 30),
        "hook": ChannelSetting("https", 60),
    }
    assert contacts.people["li"]["ding"] == "dingtalk://secrettoken"
    assert list(contacts.people["wang"]) == ["hook"]


def test_it_does_not_show_addresses(tmp_path: Path) -> None:
    assert "secret" not in repr(read_contacts(written(tmp_path, GOOD)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_what_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ContactsError, match=r"can be read by others: chmod 600 it$"):
        read_contacts(written(tmp_path, GOOD, mode))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ContactsError, match=r"cannot be read: No such file or directory$"):
        read_contacts(tmp_path / "contacts.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[people.li]\nding = dingtalk://secret", "is no TOML: see docs/notifiers.md"),
        ("[person.li]", "contacts: 'person' is neither [channels.NAME] nor [people.ACCOUNT]"),
        ("channels = 1", "contacts: below [channels] stand tables, as [channels.NAME]"),
        ("[channels.ding]", 'contacts: channel ding needs its kind, as kind = "dingtalk"'),
        (
            '[channels.ding]\nkind = "dingtalk"\nlimit = 3',
            "contacts: channel ding has kind and per_minute, not 'limit'",
        ),
        (
            '[channels.ding]\nkind = "dingtalk"\nper_minute = 0',
            "contacts: per_minute of channel ding must be a whole number from 1 on",
        ),
        (
            '[people.li]\nding = "dingtalk://secret"',
            "contacts: li's address for channel ding: there is no [channels.ding]",
        ),
        (
            '[channels.ding]\nkind = "dingtalk"\n[people.li]\nding = 13800',
            "contacts: li's address for channel ding must be text in quotes",
        ),
        (
            '[channels.ding]\nkind = "dingtalk"\n[people.li]\nding = "feishu://secret"',
            "contacts: li's address for channel ding must begin with dingtalk://",
        ),
        (
            '[channels.ding]\nkind = "dingtalk"\n[people.li]\nding = "dingtalk://"',
            "contacts: li's address for channel ding: not an address that apprise knows: "
            "see its page on this service",
        ),
    ],
)
def test_every_error_names_account_and_channel_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    assert wrong(tmp_path, text).endswith(said)
