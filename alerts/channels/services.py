"""Pages by apprise: WeCom, DingTalk, Feishu, and what else it sends by the web.

Apprise knows how each service wants its messages; what became of them is judged here, by what the service has
answered (``witness``). Its own retries, pauses and threads are passed by: a plugin is asked directly. E-mail
and text messages have channels of their own, since there apprise cannot say whether anybody took them.
"""

from typing import Any

from apprise import AppriseAttachment, NotifyFormat, NotifyType
from apprise.attachment.memory import AttachMemory
from apprise.plugins.base import NotifyBase

from alerts.channels.addresses import plugin_of
from alerts.channels.attempt import Attempts
from alerts.channels.http import check
from alerts.channels.witness import Witness, watching
from alerts.channels.wording import details, title
from alerts.notify import NotifyError, Page, Reason
from schemas.records import Priority

_TYPES = {
    Priority.HIGH: NotifyType.FAILURE,
    Priority.MEDIUM: NotifyType.WARNING,
    Priority.LOW: NotifyType.INFO,
}
_VERDICTS = {
    "dingtalk": ("errcode",),
    "wecombot": ("errcode",),
    "feishu": ("code", "StatusCode"),
    "lark": ("code", "StatusCode"),
}
"""Services that answer a message which they refuse with 200, and where they say so; 0: it was taken."""
_TOO_MANY = (130101, 45009, 11232)
"""DingTalk: send too fast; WeCom: api freq out of limit; Feishu: frequency limited."""
_BUSY = -1
"""DingTalk, WeCom: the system is busy."""
_LINE_ENDS = 8
"""What apprise may put between title and text, in bytes."""


class Service:
    """Sends pages by a service that apprise knows; one thread at a time.

    Args:
        url: apprise's address of it.
        timeout_s: of an attempt as a whole.

    Raises:
        ValueError: apprise does not know such an address.

    Attributes:
        takes_pictures: whether apprise hands pictures to this service.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._attempts = Attempts(timeout_s)
        self.takes_pictures = bool(plugin_of(url, timeout_s).attachment_support)

    def send(self, page: Page) -> None:
        """Send a page; return when the service has said that it took it.

        Raises:
            NotifyError: it has not.
        """
        self._attempts.run(lambda: self._try(page))

    def _try(self, page: Page) -> None:
        # A plugin of its own: the thread of an attempt that hangs may still hold the last one.
        plugin = plugin_of(self._url, self._attempts.patience_s)
        witness = Witness(page.key)
        with watching(witness):
            says_sent = plugin.notify(**_message(page, plugin))
        _judge(self._url.partition(":")[0].lower(), witness, says_sent=bool(says_sent))

    def close(self) -> None:
        """Do nothing: each attempt has its own connections."""


def _message(page: Page, plugin: NotifyBase) -> dict[str, Any]:
    heading = title(page)
    attach = None
    if page.strip is not None and plugin.attachment_support:
        attach = AppriseAttachment()
        picture = AttachMemory(page.strip.png, name="strip.png", mimetype="image/png")  # type: ignore[no-untyped-call]
        attach.add(picture)
    return {
        "title": heading,
        "body": details(page, plugin.body_maxlen - len(heading.encode()) - _LINE_ENDS),
        "body_format": NotifyFormat.TEXT,
        "notify_type": _TYPES[page.priority],
        "attach": attach,
    }


def _judge(schema: str, witness: Witness, *, says_sent: bool) -> None:
    """Say what an attempt's end means.

    Raises:
        NotifyError: nobody has taken the page, or said so.
    """
    if not says_sent:
        if witness.failure is not None:
            raise witness.failure
        for status in reversed(witness.statuses):
            check(status)
    if schema in _VERDICTS:
        _judge_answer(witness.answer, _VERDICTS[schema])
    if not says_sent:  # and nothing that was seen tells why
        raise NotifyError(Reason.OTHER, retryable=True)


def _judge_answer(answer: Any, places: tuple[str, ...]) -> None:
    found = [answer.get(place) for place in places] if isinstance(answer, dict) else []
    codes = [code for code in found if type(code) is int]
    if not codes:  # not the service's own answer: somebody in between has said 200
        raise NotifyError(Reason.OTHER, retryable=True)
    code = next((code for code in codes if code != 0), 0)
    if code in _TOO_MANY:
        raise NotifyError(Reason.TOO_MANY, retryable=True)
    if code == _BUSY:
        raise NotifyError(Reason.SERVER_ERROR, retryable=True)
    if code != 0:
        raise NotifyError(Reason.REFUSED, retryable=False)
