"""The engine as a process: listens, loads the model meanwhile, and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Generator
from socket import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .engine import Engine
from .errors import ModelError
from .log import log_line
from .models.base import SpeechModel
from .settings import Settings


class _Protocol(H11Protocol):
    """Lets a response cut its connection: an ordinary close first waits for the reader."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            log_line("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """uvicorn raises the signal again when it has drained, and the process then ends as if it had been killed."""

        def drain(number: int) -> None:
            log_line("draining", signal=signal.Signals(number).name)
            self._engine.draining = True
            self.should_exit = True

        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, drain, number)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def server_config(settings: Settings, engine: Engine) -> uvicorn.Config:
    """How uvicorn serves an engine."""
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": _Protocol,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        # Longer than a gateway keeps an idle connection, or its next request meets our close.
        "timeout_keep_alive": 120,
        "timeout_graceful_shutdown": max(1, round(settings.drain_s)),
    }
    return uvicorn.Config(create_app(engine), **options)


def run(settings: Settings, load: Callable[[Settings], SpeechModel]) -> int:
    """Serves until SIGTERM or SIGINT; the process's exit status."""
    return asyncio.run(_serve(settings, load))


async def _serve(settings: Settings, load: Callable[[Settings], SpeechModel]) -> int:
    engine = Engine(settings, load)
    server = _Server(server_config(settings, engine), engine)

    async def start() -> bool:
        try:
            await engine.start()
        except ModelError as error:
            log_line("failed", message=str(error))
            server.should_exit = True
            return False
        return True

    loading = asyncio.create_task(start())
    try:
        await server.serve()
    except SystemExit:  # uvicorn's answer to a port that is taken
        print(f"coqui: cannot listen on {settings.host}:{settings.port}", file=sys.stderr)
        return 1
    finally:
        engine.close()
    if not server.started:
        return 1
    return 1 if loading.done() and not loading.result() else 0
