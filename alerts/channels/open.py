"""The channel that an address asks for.

What a channel needs is imported when an address asks for it: a pager that has a webhook alone starts without
apprise, which takes seconds, during which nobody is paged.
"""

from importlib import import_module

from alerts.notify import Channel

_CHANNELS = {
    "http": ("webhook", "Webhook"),
    "https": ("webhook", "Webhook"),
    "mailto": ("mail", "Mail"),
    "mailtos": ("mail", "Mail"),
    "smpp": ("sms", "Sms"),
    "smpps": ("sms", "Sms"),
    "mllp": ("acm", "Acm"),
    "mllps": ("acm", "Acm"),
    "fhir": ("macm", "Macm"),
    "fhirs": ("macm", "Macm"),
}
"""Kind to module and class; any other is a service of apprise's."""
_SERVICE = ("services", "Service")


def kind_of(address: str) -> str:
    """Return what kind of channel an address is of, which is the name that it begins with.

    >>> kind_of("DingTalk://token"), kind_of("nothing")
    ('dingtalk', '')
    """
    kind, colon, _ = address.partition("://")
    return kind.lower() if colon else ""


def open_channel(address: str) -> Channel:
    """Return a channel to an address.

    Raises:
        ValueError: it is none; the words do not hold it.
    """
    module, name = _CHANNELS.get(kind_of(address), _SERVICE)
    channel: Channel = getattr(import_module(f"alerts.channels.{module}"), name)(address)
    return channel
