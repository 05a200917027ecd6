"""The response that is spoken: headers at once, then envelopes as they are made, until nobody listens any more."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from .engine import Admitted, Engine


class SpeechResponse:
    """
    An ASGI response. A reader that goes away, or takes nothing for the write timeout, stops the synthesis at its next
    step.
    """

    def __init__(self, engine: Engine, admitted: Admitted, log: dict[str, Any]) -> None:
        self._engine = engine
        self._admitted = admitted
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        speaking = asyncio.create_task(self._engine.speak(self._admitted, self._log))
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                self._log["aborted"] = True
            elif isinstance(writing.exception(), TimeoutError):
                self._log["aborted"] = "stalled"
                # Closing would wait for the reader that does not read.
                scope["state"].get("abort", lambda: None)()
            else:
                writing.result()
        except asyncio.CancelledError:
            self._log["aborted"] = "shutting down"
            raise
        finally:
            tasks = (speaking, writing, leaving)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._engine.release(self._admitted)

    async def _write(self, send: Send) -> None:
        timeout_s = self._engine.settings.write_timeout_s
        loop = asyncio.get_running_loop()
        started = loop.time()
        headers = [(b"content-type", b"application/octet-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (envelope := await self._admitted.buffer.get()) is not None:
            if "first_audio_ms" not in self._log and envelope[0] == 0:
                self._log["first_audio_ms"] = round((loop.time() - started) * 1000)
            async with asyncio.timeout(timeout_s):
                await send({"type": "http.response.body", "body": envelope, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
