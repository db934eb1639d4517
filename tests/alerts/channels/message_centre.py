"""A message centre (SMSC) on loopback: the server of ``smpp34``, another stack than the one under test."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType

import smpp34


class MessageCentre:
    """Answers each message with the next status of ``answers``, then takes all; None: it says nothing.

    Attributes:
        taken: recipient and text of each part that it took.
    """

    def __init__(self, *answers: int | None) -> None:
        self._answers = list(answers)
        self.taken: list[tuple[str, bytes]] = []
        self._kept: list[object] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> MessageCentre:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._serve())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.run_until_complete(self._stop())
        finally:
            self._loop.close()

    async def _stop(self) -> None:
        await self._server.stop()

    async def _serve(self) -> None:
        self._server = smpp34.Server("127.0.0.1", self.port, system_id="centre")
        await self._server.start()
        self._ready.set()
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.SubmitSmEvent):
                self._answer(event)
            else:
                self._kept.append(event)

    def _answer(self, event: smpp34.SubmitSmEvent) -> None:
        status = self._answers.pop(0) if self._answers else smpp34.ESME_ROK
        if status is None:
            self._kept.append(event)
        elif status == smpp34.ESME_ROK:
            self.taken.append((event.destination_addr, event.short_message))
            event.accept(str(len(self.taken)))
        else:
            event.reject(status)
