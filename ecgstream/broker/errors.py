"""What a broker may refuse, said once and clearly."""

from ecgstream.embedded.errors import ServiceUnavailableError


class BrokerError(ServiceUnavailableError):
    """The broker cannot be used as it must be; the message is one line that says what to do."""


class BrokerAwayError(BrokerError):
    """Nobody answers there now; the broker may come back."""
