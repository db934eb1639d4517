"""What a request brings, within bounds of size and time."""

import zlib
from http import HTTPStatus

from anyio import fail_after
from starlette.requests import ClientDisconnect, Request

from devices.http.problems import RefusedError

_GZIP = 31  # zlib's sign of a gzip header
_DIGITS = 18  # of a length that may be meant


async def body_of(request: Request, most: int, patience_s: float) -> bytes:
    """Return a request's body, unpacked; no more than ``most`` bytes are ever held of either.

    Raises:
        RefusedError: too much, too slow, broken off, or packed in a way that is not known.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is gzip or none", {"Accept-Encoding": "gzip"}
        )
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal():
        raise RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length is a whole number")
    if len(declared) > _DIGITS or int(declared) > most:
        raise _too_much(most)
    try:
        with fail_after(patience_s):
            body = await _read(request, most)
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {patience_s:g} s", {"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body broke off") from None
    return gunzip(body, most) if coding == "gzip" else body


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _too_much(most)
    return bytes(body)


def gunzip(packed: bytes, most: int) -> bytes:
    """Return what was packed with gzip, in one member (RFC 1952).

    Raises:
        RefusedError: it is more than ``most`` bytes, of which no more were unpacked, or not whole.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, most + 1)
    except zlib.error:
        body = b""
    if len(body) > most:
        raise _too_much(most)
    if not unpacker.eof or unpacker.unused_data:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not one whole member of gzip")
    return body


def _too_much(most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body is at most {most} bytes, packed and unpacked"
    )
