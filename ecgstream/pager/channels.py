"""The channels of a pager: by which each account is reached, and what takes a page there.

From the contacts file (``alerts.contacts``), and the webhook that takes whatever is for nobody in particular,
or for somebody whom the file does not know: such a page names its account, and the receiver knows whom to
call. Where there is no webhook either, it goes to everybody of the file: a page that reaches the wrong people
is better than one that reaches nobody.
"""

import sys
from collections.abc import Mapping, Sequence

import structlog

from alerts.channels.budget import Budget
from alerts.channels.open import open_channel
from alerts.contacts import Contacts, ContactsError, read_contacts
from alerts.notify import Channel, NotifyError, Page, Reason
from ecgstream.pager.sender import Sender
from ecgstream.settings import PREFIX, Settings

WEBHOOK = "webhook"
WEBHOOK_PER_MINUTE = 6000
"""A program takes it; the bound is for our own sake."""

log = structlog.get_logger()


class Channels:
    """All channels of a pager.

    Args:
        contacts: what the contacts file says.
        webhook: takes what is for nobody in particular; None: there is none.
    """

    def __init__(self, contacts: Contacts, webhook: Channel | None) -> None:
        self._webhook = webhook
        self._people: dict[str, dict[str, Channel]] = {
            account: {name: open_channel(address) for name, address in addresses.items()}
            for account, addresses in contacts.people.items()
        }
        used = {name for addresses in contacts.people.values() for name in addresses}
        per_minute = {name: of.per_minute for name, of in contacts.channels.items() if name in used}
        if webhook is not None:
            per_minute[WEBHOOK] = WEBHOOK_PER_MINUTE
        self.budgets: Mapping[str, Budget] = {name: Budget(n) for name, n in per_minute.items()}

    def __bool__(self) -> bool:
        return bool(self.budgets)

    def of(self, account: str) -> Sequence[str]:
        """Return the channels by which an account is reached, or else some people are."""
        own = self._people.get(account)
        if own:
            return list(own)
        return [WEBHOOK] if self._webhook is not None else list(self.budgets)

    @property
    def illustrated(self) -> frozenset[str]:
        """The channels that show a page's strip."""
        opened = [item for of in self._people.values() for item in of.items()]
        if self._webhook is not None:
            opened.append((WEBHOOK, self._webhook))
        return frozenset(name for name, channel in opened if channel.takes_pictures)

    def senders(self) -> dict[str, Sender]:
        """Return a thread for each channel, by its name."""
        return {name: Sender(self.send) for name in self.budgets}

    def send(self, page: Page) -> None:
        """Hand a page to the addresses of its channel.

        Raises:
            NotifyError: none has taken it.
        """
        answers = [_tried(channel, page) for channel in self._addresses(page)]
        errors = [error for error in answers if error is not None]
        if len(errors) == len(answers):
            raise errors[0] if errors else UNKNOWN

    def _addresses(self, page: Page) -> list[Channel]:
        own = self._people.get(page.account, {}).get(page.channel)
        if own is not None:
            return [own]
        if page.channel == WEBHOOK and self._webhook is not None:
            return [self._webhook]
        return [of[page.channel] for of in self._people.values() if page.channel in of]


def _tried(channel: Channel, page: Page) -> NotifyError | None:
    try:
        channel.send(page)
    except NotifyError as error:
        return error
    return None


def channels_of(settings: Settings) -> Channels:
    """Return the channels that the settings name; what is wrong with them ends the program."""
    url = settings.notify_url.get_secret_value()
    contacts = Contacts({}, {})
    try:
        if settings.contacts is not None:
            contacts = read_contacts(settings.contacts)
        webhook = open_channel(url) if url else None
    except ContactsError as error:
        sys.exit(f"ecgstream pager: {error}")
    except ValueError as error:
        sys.exit(f"ecgstream pager: {PREFIX}NOTIFY_URL: {error}")
    found = Channels(contacts, webhook)
    if not found:
        log.warning("no_channel", said=f"neither {PREFIX}NOTIFY_URL nor {PREFIX}CONTACTS: alerts page nobody")
    return found


UNKNOWN = NotifyError(Reason.OTHER, retryable=False)
"""Why an entry of a channel that is no more is given up; what it tells is told over those that there are."""
