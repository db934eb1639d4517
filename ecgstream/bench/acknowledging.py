"""A gateway that only acknowledges: ``ecgstream receive`` with its servers, which read nothing of what comes.

``python -m ecgstream.bench.acknowledging receive …`` runs it. A message of HL7 is answered by its header, a
body of HTTP once it is there; nothing is decoded, nothing kept.
"""

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devices.hl7.server import MllpServer
from devices.mqtt.receiver import Receiver
from ecgstream import receive

_TAKEN = b'{"results":[]}'


async def _take(_server: MllpServer, _frame: bytes, _writer: object) -> None:
    """Take a message as it is."""


async def _keep(_receiver: Receiver, _message: object) -> None:
    """Take a message of MQTT as it is."""


async def _answer(request: Request) -> Response:
    await request.body()
    return Response(_TAKEN, media_type="application/json")


def make_app(_intake: object, **_: object) -> Starlette:
    """Return an application that answers."""
    return Starlette(routes=[Route("/v1/packets", _answer, methods=["POST"])])


def main() -> None:
    """Run the command line."""
    from ecgstream.cli import app

    setattr(MllpServer, "_take", _take)  # noqa: B010  what mypy would not have assigned
    setattr(Receiver, "_take", _keep)  # noqa: B010
    setattr(receive, "make_app", make_app)  # noqa: B010
    sys.argv[0] = "ecgstream"
    app()


if __name__ == "__main__":
    main()
