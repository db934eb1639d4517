"""Why something cannot be replayed."""


class ReplayError(Exception):
    """It cannot be replayed; the message says why, and what to do, in words for whoever asked."""
