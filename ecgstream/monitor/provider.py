"""An OpenID Connect provider: who somebody is, asked by the authorization code flow with PKCE.

What the provider publishes and its keys are fetched anew for each login, so that keys may change at any time.
Nothing that it says is taken without its signature (OpenID Connect Core 1.0, 3.1.3.7).
"""

import asyncio
import base64
import secrets
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

PATIENCE_S = 10.0
"""All that is asked of the provider at one step of a login."""
SKEW_S = 30
"""By so much the provider's clock may differ."""
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_AT_ONCE = 8
_LONGEST_NAME = 255
_PUBLISHED = "/.well-known/openid-configuration"
_SIGNED_BY = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures by a private key; never ``none``, and never a secret that we share."""


class AwayError(Exception):
    """The provider does not answer in time, or not in a form that it should."""


class UntrueError(Exception):
    """What came must not be believed; the text says what is wrong, and holds nothing of what came."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A login that has begun, and what its answer must fit.

    Attributes:
        url: where the browser goes to be asked who sits before it.
        back: where it comes back to.
        to: the page that somebody wanted.
        state, nonce, verifier: numbers of this login: of the answer, of the token, and of the exchange.
        token, keys: the provider's addresses.
        posts: the provider takes our secret in the form only.
    """

    url: str
    back: str
    to: str
    state: str
    nonce: str
    verifier: str
    token: str
    keys: str
    posts: bool


class Told(NamedTuple):
    """Who the provider says it is; ``name``: the account."""

    name: str
    issuer: str
    subject: str


class Provider:
    """One provider, at which we are a client with a secret.

    Args:
        issuer: its address, as it writes it into tokens.
        client, secret: what we are there.
        claim: what of the ID token names the account.
    """

    def __init__(self, issuer: str, client: str, secret: str, claim: str) -> None:
        self.issuer = issuer
        self._client = client
        self._secret = secret
        self._claim = claim
        self._trust = httpx.create_ssl_context()  # of some 100 ms
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    @property
    def host(self) -> str:
        """How people know it."""
        return urlsplit(self.issuer).netloc

    async def ask(self, back: str, to: str, language: str) -> Asked:
        """Begin a login.

        Raises:
            AwayError: the provider cannot be asked.
        """
        published = await self._fetched("GET", self.issuer.rstrip("/") + _PUBLISHED)
        if published.get("issuer") != self.issuer:
            raise AwayError("another issuer")
        leads = [str(published.get(name)) for name in _ADDRESSES]
        if not all(is_closed(lead) for lead in leads):
            raise AwayError("an address that is none, or open to others")
        authorization, token, keys = leads
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        client = OAuth2Client(None, self._client, scope="openid profile", code_challenge_method="S256")
        url, _ = client.create_authorization_url(
            authorization,
            state,
            verifier,
            redirect_uri=back,
            nonce=nonce,
            prompt="login",  # stations are shared: whoever sat here before is still known there
            ui_locales="zh-CN" if language == "zh" else "en",
        )
        ways = published.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Asked(url, back, to, state, nonce, verifier, token, keys, "client_secret_basic" not in ways)

    async def hear(self, asked: Asked, code: str) -> Told:
        """Exchange the code that a browser has brought, and return who the provider says it is.

        Raises:
            AwayError: the provider cannot be asked.
            UntrueError: what it answers is not to be believed.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked.back}
        form["code_verifier"] = asked.verifier
        headers = {}
        if asked.posts:
            form |= {"client_id": self._client, "client_secret": self._secret}
        else:  # RFC 6749, 2.3.1: written as in a form, then joined
            pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._fetched("POST", asked.token, data=form, headers=headers)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise UntrueError("no ID token")
        return self._believed(token, access, asked, await self._fetched("GET", asked.keys))

    def _believed(self, token: str, access: object, asked: Asked, keys: Any) -> Told:
        options: Any = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self._client},
        }
        params = {"client_id": self._client, "nonce": asked.nonce, "access_token": access}
        try:
            found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_SIGNED_BY)
            claims = CodeIDToken(found.claims, found.header, options, params)
            claims.validate(leeway=SKEW_S)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            claim = getattr(error, "claim", None)
            wrong = f" {claim}" if claim in CodeIDToken.REGISTERED_CLAIMS else ""
            raise UntrueError(f"{type(error).__name__}{wrong}") from None
        name, subject = claims.get(self._claim), claims["sub"]
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise UntrueError("no claim that names an account")
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_NAME:
            raise UntrueError("no subject")
        return Told(name, self.issuer, subject)

    async def _fetched(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """Return an answer in JSON; redirects are not followed: they could lead our secret elsewhere."""
        try:
            within, client = asyncio.timeout(PATIENCE_S), httpx.AsyncClient(verify=self._trust)
            async with within, self._at_once, client:
                response = await client.request(method, url, **more)
                found = response.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            if error.response.is_client_error and method == "POST":  # it does not know the code, or us
                raise UntrueError(f"the exchange was refused: {error.response.status_code}") from None
            raise AwayError(f"status {error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            raise AwayError(type(error).__name__) from None
        if not isinstance(found, dict):
            raise AwayError("no object of JSON")
        return found


def is_closed(url: str) -> bool:
    """Return whether nobody on the way reads what is sent to an address.

    >>> is_closed("https://login.example/x"), is_closed("http://login.example/x"), is_closed("http://localhost:1")
    (True, False, True)
    """
    try:
        parts = urlsplit(url)
        near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        return bool(parts.hostname) and (parts.scheme == "https" or near)
    except ValueError:
        return False
