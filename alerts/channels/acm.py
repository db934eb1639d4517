"""Pages to an alarm manager, as HL7 v2.6: Report Alert [PCD-04] of IHE Alert Communication Management.

The segments and facets are those of the IHE Devices Technical Framework, volume 2, 3.4 and appendix B. Events
have the codes of 11073-10101 where ``schemas.mdc.EVENTS`` has one that was verified; else the name of our own
catalogue, marked as private (``0^MDCX_…``), which is what the framework asks for until there is a code. The
words stand beside.

All messages about an alert have its id as filler order number (OBR-3); those behind the first name it as
their parent, too (OBR-29). The phase is what ACM means by it (supplement 1.3, 3.Z.7.5): ``escalate`` is a
higher *priority* as the source sees it. That the next are called since nobody has answered is ``continue``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from alerts.channels.attempt import Attempts
from alerts.channels.mllp import exchange
from alerts.channels.wording import title
from alerts.history import CLEARED
from alerts.notify import Page
from alerts.page import FIRST, condition_text, evidence_text
from alerts.priority import is_technical
from schemas.conditions import CATALOGUE, Code
from schemas.mdc import EVENTS
from schemas.records import Priority

PORT = 2575
_PRIORITIES = {Priority.HIGH: "PH", Priority.MEDIUM: "PM", Priority.LOW: "PL"}
_PROFILE = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.4.4^ISO"
_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\n": "\\.br\\",
}


class Acm:
    """Sends pages to an alarm manager; one thread at a time.

    Args:
        url: ``mllp://host:port/APPLICATION/FACILITY``, with ``mllps`` for TLS; port 2575 if none is said.
        timeout_s: of an attempt as a whole.

    Raises:
        ValueError: it is no such address.
    """

    takes_pictures = False

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        try:
            at = urlsplit(url)
            self._host, self._port = at.hostname or "", at.port or PORT
        except ValueError:
            self._host = ""
        if not self._host or at.scheme.lower() not in ("mllp", "mllps"):
            raise ValueError("an alarm manager's address has the form mllp://host:2575/APPLICATION/FACILITY")
        self._tls = at.scheme.lower() == "mllps"
        self._receiver = [unquote(part) for part in at.path.split("/")[1:]]
        self._attempts = Attempts(timeout_s)

    def send(self, page: Page) -> None:
        """Send a page; return when the manager has acknowledged it.

        Raises:
            NotifyError: it has not.
        """
        message = report(page, datetime.now(UTC), self._receiver)
        self._attempts.run(
            lambda: exchange(
                message, page.key, self._host, self._port, tls=self._tls, timeout_s=self._attempts.patience_s
            )
        )

    def close(self) -> None:
        """Do nothing: each attempt has a connection of its own."""


def report(page: Page, now: datetime, receiver: Sequence[str] = ()) -> str:
    """Return a page as a message, whose control id is its key.

    Args:
        page: what is told.
        now: when it is told.
        receiver: application and facility, as far as known.
    """
    application, facility = ([_text(name) for name in receiver] + ["", ""])[:2]
    segments = [
        f"MSH|^~\\&|ecgstream|{_text(page.facility)}|{application}|{facility}|{_time(now)}||ORU^R40^ORU_R40"
        f"|{page.key}|P|2.6|||AL|NE||UNICODE UTF-8|||{_PROFILE}",
        f"PID|||{_text(page.patient)}^^^ecgstream^PI||^^^^^^U",
        f"PV1||U|{_text(page.facility)}",
        _order(page),
        *_facets(page),
    ]
    return "".join(f"{segment}\r" for segment in segments)


def _order(page: Page) -> str:
    """Return the segment that all messages about an alert are joined by."""
    alert, onset = _text(page.alert), _moment(page.onset_ns)
    ended = "" if page.ended_ns is None else _moment(page.ended_ns)
    fields = ["OBR", "1", "", f"{alert}^ecgstream", "196616^MDC_EVT_ALARM^MDC", "", "", onset, ended]
    if _phase(page) != "start":
        fields += [""] * (29 - len(fields)) + [f"^{alert}&ecgstream"]
    return "|".join(fields).rstrip("|")


def _phase(page: Page) -> str:
    if page.what in FIRST:
        return "start"
    return "end" if page.what == CLEARED else "continue"


def _state(page: Page) -> str:
    """Return whether the condition lasts; what was, and waits for somebody all the same, is latched."""
    if page.what == CLEARED:
        return "inactive"
    return "active" if page.ended_ns is None else "latched"


def _facets(page: Page) -> list[str]:
    """Return what the framework asks of an alert, in its order, and the whole text."""
    priority, kind = _PRIORITIES[page.priority], "ST" if is_technical(page.condition) else "SP"
    at = _moment(page.onset_ns if page.what != CLEARED or page.ended_ns is None else page.ended_ns)
    told = ["; ".join([title(page), evidence_text(page.evidence)]), page.link]
    rows = [
        ("CWE", "196616^MDC_EVT_ALARM", _event(page.condition), f"{priority}~{kind}"),
        ("ST", "68480^MDC_ATTR_ALERT_SOURCE", _text(page.device), ""),
        ("ST", "68481^MDC_ATTR_EVENT_PHASE", _phase(page), ""),
        ("ST", "68482^MDC_ATTR_ALARM_STATE", _state(page), ""),
        ("ST", "68483^MDC_ATTR_ALARM_INACTIVATION_STATE", "enabled", ""),
        ("ST", "68484^MDC_ATTR_ALARM_PRIORITY", priority, ""),
        ("ST", "68485^MDC_ATTR_ALERT_TYPE", kind, ""),
        ("ST", "68546^MDC_ATTR_ALERT_TEXT", _text(" ".join(filter(None, told))), ""),
    ]
    return [
        f"OBX|{n}|{form}|{name}^MDC|1.0.0.0.{n}|{value}|||{flags}|||R|||{at}||||{_text(page.device)}"
        for n, (form, name, value, flags) in enumerate(rows, 1)
    ]


def _event(condition: str) -> str:
    known = Code.__members__.get(condition)
    name = CATALOGUE[known].mdc_event if known is not None else ""
    code = f"{EVENTS[name]}^{name}" if name in EVENTS else f"0^MDCX_EVT_{_text(condition)}"
    return f"{code}^MDC^^^^^^{_text(condition_text(condition))}"


def _moment(time_ns: int) -> str:
    return _time(datetime.fromtimestamp(time_ns / 1e9, UTC))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S.") + f"{moment.microsecond // 1000:03d}+0000"


def _text(words: str) -> str:
    r"""Return words with what HL7 uses itself escaped (v2.6, 2.7).

    >>> _text("A|B & C^2")
    'A\\F\\B \\T\\ C\\S\\2'
    """
    return "".join(_ESCAPES.get(c, c if c >= " " else " ") for c in words)  # frames are made of the others
