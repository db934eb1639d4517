"""The contacts file: by which channels people are reached, and where.

A secret: addresses hold tokens and telephone numbers. It is TOML (docs/notifiers.md)::

    [channels.ding]
    kind = "dingtalk"
    per_minute = 20

    [people.li]
    ding = "dingtalk://token"

What is wrong with it is said by names of accounts and channels, never by an address.
"""

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.channels.budget import PER_MINUTE, PER_MINUTE_ELSE
from alerts.channels.open import kind_of, open_channel


class ContactsError(Exception):
    """The contacts file cannot be used; the words say what to mend."""


@dataclass(frozen=True, slots=True)
class ChannelSetting:
    """One channel.

    Attributes:
        kind: what its addresses begin with.
        per_minute: how many pages it may take.
    """

    kind: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Contacts:
    """What the file says.

    Attributes:
        channels: by name, in the order of the file.
        people: account to channel to address.
    """

    channels: dict[str, ChannelSetting]
    people: dict[str, dict[str, str]]

    def __repr__(self) -> str:
        return f"Contacts(channels={list(self.channels)}, people={list(self.people)})"


def read_contacts(path: Path) -> Contacts:
    """Read the file, and try each address for its form.

    Raises:
        ContactsError: it is not there, is not its owner's alone, or is wrong somewhere.
    """
    try:
        with path.open("rb") as file:
            _check_owner(os.fstat(file.fileno()), path)
            said = tomllib.load(file)
    except OSError as error:
        raise ContactsError(f"the contacts file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # whose words may repeat a line
        raise ContactsError(f"the contacts file {path} is no TOML: see docs/notifiers.md") from None
    return _contacts(said)


def _check_owner(status: os.stat_result, path: Path) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ContactsError(f"the contacts file {path} can be read by others: chmod 600 it")
    if status.st_uid not in (os.geteuid(), 0):
        raise ContactsError(f"the contacts file {path} belongs to another user: chown it to this service's")


def _contacts(said: dict[str, Any]) -> Contacts:
    unknown = sorted(said.keys() - {"channels", "people"})
    if unknown:
        raise ContactsError(f"contacts: {unknown[0]!r} is neither [channels.NAME] nor [people.ACCOUNT]")
    channels = {name: _channel(name, table) for name, table in _tables(said, "channels").items()}
    people = {
        account: _person(account, table, channels) for account, table in _tables(said, "people").items()
    }
    return Contacts(channels, people)


def _tables(said: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = said.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise ContactsError(f"contacts: below [{name}] stand tables, as [{name}.NAME]")
    return found


def _channel(name: str, table: dict[str, Any]) -> ChannelSetting:
    unknown = sorted(table.keys() - {"kind", "per_minute"})
    if unknown:
        raise ContactsError(f"contacts: channel {name} has kind and per_minute, not {unknown[0]!r}")
    kind = table.get("kind")
    if not isinstance(kind, str) or not kind:
        raise ContactsError(f'contacts: channel {name} needs its kind, as kind = "dingtalk"')
    per_minute = table.get("per_minute", PER_MINUTE.get(kind, PER_MINUTE_ELSE))
    if type(per_minute) is not int or per_minute < 1:
        raise ContactsError(f"contacts: per_minute of channel {name} must be a whole number from 1 on")
    return ChannelSetting(kind, per_minute)


def _person(account: str, table: dict[str, Any], channels: dict[str, ChannelSetting]) -> dict[str, str]:
    for name, address in table.items():
        where = f"contacts: {account}'s address for channel {name}"
        if name not in channels:
            raise ContactsError(f"{where}: there is no [channels.{name}]")
        if not isinstance(address, str):
            raise ContactsError(f"{where} must be text in quotes")
        if kind_of(address) != channels[name].kind:
            raise ContactsError(f"{where} must begin with {channels[name].kind}://")
        try:
            open_channel(address).close()
        except ValueError as error:
            raise ContactsError(f"{where}: {error}") from None
    return dict(table)
