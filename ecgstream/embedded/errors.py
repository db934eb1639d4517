"""What can go wrong with an embedded service, said once and clearly."""

from __future__ import annotations


class ServiceUnavailableError(RuntimeError):
    """An embedded service cannot be had or does not start; the message names the ways out."""
