"""Servers of ours outlive what clients send them."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from ecgstream.serving import listening, make_server

PATIENCE_S = 10.0


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without having read the request."""
    await PlainTextResponse("no", 415)(scope, receive, send)


def test_a_request_that_goes_wrong_after_its_answer_is_closed_without_an_error() -> None:
    errors: list[dict[str, Any]] = []

    async def talk() -> tuple[bytes, bytes]:
        asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
        server = make_server(refusing)
        with listening("127.0.0.1", 0) as socket:
            serving = asyncio.create_task(server.serve(sockets=[socket]))
            reader, writer = await asyncio.open_connection(*socket.getsockname()[:2])
            writer.write(b"POST / HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n")
            answer = await reader.readuntil(b"no")
            writer.write(b"{}and no end of a chunk")
            rest = await reader.read()
            writer.close()
            server.should_exit = True
            await serving
        return answer, rest

    answer, rest = asyncio.run(asyncio.wait_for(talk(), PATIENCE_S))
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert (rest, errors) == (b"", [])


def test_what_is_no_request_is_refused_once() -> None:
    async def talk() -> bytes:
        server = make_server(refusing)
        with listening("127.0.0.1", 0) as socket:
            serving = asyncio.create_task(server.serve(sockets=[socket]))
            reader, writer = await asyncio.open_connection(*socket.getsockname()[:2])
            writer.write(b"what is that\r\n\r\n")
            answer = await reader.read()
            writer.close()
            server.should_exit = True
            await serving
        return answer

    answer = asyncio.run(asyncio.wait_for(talk(), PATIENCE_S))
    assert answer.count(b"HTTP/1.1 400 ") == 1
