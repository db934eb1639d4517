"""What a request brings, within bounds."""

from urllib.parse import parse_qs

from starlette.requests import Request


async def body_of(request: Request, most: int) -> bytes | None:
    """Return a request's body; None: it has more than ``most`` bytes, of which no more were read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    return bytes(body)


async def form_of(request: Request, most: int) -> dict[str, str] | None:
    """Return the fields of a form, of each the first; None: it is none, or longer than ``most``."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return None
    body = await body_of(request, most)
    if body is None:
        return None
    return {name: found[0] for name, found in parse_qs(body.decode("utf-8", "replace")).items()}
