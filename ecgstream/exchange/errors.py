"""Why something cannot be exported."""


class ExchangeError(Exception):
    """It cannot be written so; the message says why, and what to do, in words for whoever asked."""
