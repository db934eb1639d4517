"""A recorder's way by HTTP: batches with the device's key, until they are answered."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import httpx

from devices.http import write
from ecgstream.speaking.link import PATIENCE_S, Access, LinkDownError, Told
from schemas.records import Packet, Vital


def client(url: str, access: Access) -> httpx.Client:
    """Return a client of the gateway at this address, which shows the device's key."""
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {access.device_key}"} if access.device_key else {},
        verify=access.tls(),
        timeout=PATIENCE_S,
        trust_env=False,
    )


class HttpLink:
    """See ``Link``."""

    most = 200

    def __init__(self, url: str, access: Access) -> None:
        self._client = client(url, access)

    def send(self, packets: Sequence[Packet], vitals: Sequence[Vital]) -> Told:
        """Send both in a request each."""
        results: list[dict[str, Any]] = []
        if packets:
            results += self._post("/v1/packets", write.packets(packets))
        if vitals:
            results += self._post("/v1/vitals", write.vitals(vitals))
        refused = tuple(one.get("reason", "") for one in results if one["status"] == "refused")
        return Told(len(results) - len(refused), refused)

    def _post(self, path: str, body: bytes) -> list[dict[str, Any]]:
        """Return what was answered of each item."""
        try:
            answer = self._client.post(path, content=body, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise LinkDownError(str(error) or type(error).__name__) from None
        if answer.status_code != HTTPStatus.OK:
            raise LinkDownError(f"{answer.status_code} {answer.reason_phrase}: {_detail(answer)}")
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def _detail(answer: httpx.Response) -> str:
    """Return what problem details say (RFC 9457)."""
    try:
        return str(answer.json().get("detail", ""))
    except ValueError:
        return "no problem details"
