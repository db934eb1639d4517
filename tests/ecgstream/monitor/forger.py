"""A provider that says what a test has it say, true or forged."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "monitor", "between us"
CODE = "code-of-this-login"


class Forger:
    """Set ``claims`` to change what tokens say, ``None`` to leave one out."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "1"})]
        self.signs: RSAKey | OctKey | None = self.keys[0]
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "1"}
        self.claims: dict[str, Any] = {}
        self.published: dict[str, Any] = {}
        self.answers: dict[str, Response] = {}
        self.hangs = False
        self.nonce = ""
        self.token = ""
        self.exchanged: list[dict[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._publish),
                Route("/token", self._exchange, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    def asked(self, url: str) -> dict[str, str]:
        """Note what a browser is sent with."""
        query = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
        self.nonce = query["nonce"]
        return query

    async def _answer(self, request: Request, name: str, found: dict[str, Any]) -> Response:
        while self.hangs and not await request.is_disconnected():
            await asyncio.sleep(0.01)
        return self.answers.get(name) or JSONResponse(found)

    async def _publish(self, request: Request) -> Response:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return await self._answer(request, "published", told | self.published)

    async def _exchange(self, request: Request) -> Response:
        form = {name: found[0] for name, found in parse_qs((await request.body()).decode()).items()}
        self.exchanged.append(form | {"authorization": request.headers.get("authorization", "")})
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "s-1",
            "iat": now_s,
            "exp": now_s + 60,
            "nonce": self.nonce,
            "preferred_username": "li",
        } | self.claims
        kept = {name: value for name, value in claims.items() if value is not None}
        if self.signs is None:
            self.token = f"{_part({'alg': 'none'})}.{_part(kept)}."
        else:
            algorithms = [self.header["alg"]]
            self.token = jwt.encode(self.header, kept, self.signs, algorithms=algorithms)
        return await self._answer(
            request, "token", {"id_token": self.token, "token_type": "Bearer", "access_token": "a"}
        )

    async def _keys(self, request: Request) -> Response:
        return await self._answer(request, "keys", dict(KeySet(self.keys).as_dict(private=False)))


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
