"""Pages as JSON to an address of the web."""

import json
import math
from base64 import b64encode
from dataclasses import asdict
from typing import Any

import httpx

from alerts.channels.http import IDEMPOTENCY_KEY, Poster
from alerts.notify import Page, Strip, iso


class Webhook:
    """Posts pages as JSON to an address; one thread at a time.

    Args:
        url: http or https.
        timeout_s: of an attempt as a whole, from the connection to the answer.
        client: another HTTP client than its own, for tests.

    Raises:
        ValueError: the address is none.
    """

    takes_pictures = True

    def __init__(self, url: str, *, timeout_s: float = 5.0, client: httpx.Client | None = None) -> None:
        self._poster = Poster(url, timeout_s=timeout_s, client=client)

    def send(self, page: Page) -> None:
        """Post a page; return when the receiver has taken it, which only a status of 2xx says.

        Raises:
            NotifyError: it has not, or not said so.
        """
        self._poster.post(body(page), {"Content-Type": "application/json", IDEMPOTENCY_KEY: page.key})

    def close(self) -> None:
        """Close connections."""
        self._poster.close()


def body(page: Page) -> bytes:
    """Return a page as JSON.

    A number that was not measured (NaN), which JSON does not have, is null; the strip's picture is base64.
    """
    told = asdict(page) | {
        "evidence": {name: v if math.isfinite(v) else None for name, v in page.evidence.items()},
        "onset": iso(page.onset_ns),
        "decided": iso(page.decided_ns),
        "ended": None if page.ended_ns is None else iso(page.ended_ns),
        "strip": None if page.strip is None else _strip(page.strip),
    }
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()


def _strip(strip: Strip) -> dict[str, Any]:
    return {"alt": strip.alt, "png": b64encode(strip.png).decode()}
