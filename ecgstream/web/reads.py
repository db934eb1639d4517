"""Who has opened the link of a page: told to the audit log by Kafka, since the web has no database.

Links are fetched by mail scanners and chats as well, and again and again: of one link a minute's are one
entry. The page is shown even where that could not be told, for it may be what a patient's life hangs on; it
is counted, and logged.
"""

import time
from collections.abc import Callable

import structlog
from kafka.errors import KafkaError

from alerts.link import Ticket
from ecgstream.audit import told
from ecgstream.audit.recent import Recent
from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerError
from ecgstream.web import metrics
from schemas.audit import AuditEntry
from schemas.records import Alert

AGAIN_S = 60.0

log = structlog.get_logger()


class Reads:
    """Takes notes; any thread may.

    Args:
        tell: writes entries; raises ``KafkaError`` or ``BrokerError``.
        clock_s: steady.
    """

    def __init__(
        self, tell: Callable[[list[AuditEntry]], None], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._recent = Recent(AGAIN_S, clock_s)

    def page(self, ticket: Ticket, alert: Alert, what: str) -> None:
        """Note that a link has been opened; ``what``: page or strip."""
        if not self._recent.is_new((ticket.alert, ticket.account, what)):
            return
        # Who has the link need not be whom it was sent to.
        who = f"link of {ticket.account}" if ticket.account else "link"
        about = {"page": what, "device": alert.device, "patient": alert.patient}
        entry = told.read(str(Service.WEB), who, "alert", alert.id, alert.facility, **about)
        try:
            self._tell([entry])
        except (KafkaError, BrokerError) as error:
            metrics.UNNOTED.inc()
            log.warning("read_not_noted", error=type(error).__name__, alert=alert.id)
