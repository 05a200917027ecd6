"""The engine served in this process on a real socket, and a client that takes its envelopes apart as they come."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import uvicorn

from coqui_engine.engine import Engine
from coqui_engine.models.base import SpeechModel
from coqui_engine.models.load import load_model
from coqui_engine.server import server_config
from coqui_engine.settings import Settings


@dataclass
class Running:
    engine: Engine
    url: str

    def info(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/v1/info").raise_for_status().json()

    def refuse(self, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/synthesize", json=body, timeout=30)

    def speak(self, text: str, voice: str = "coqui-en-1", **more: Any) -> Spoken:
        """The whole of a request's audio."""
        with self.stream(text, voice, **more) as stream:
            return stream.all()

    @contextmanager
    def stream(self, text: str, voice: str = "coqui-en-1", **more: Any) -> Iterator[Stream]:
        body = json.dumps({"text": text, "voice": voice, **more})
        with httpx.stream("POST", f"{self.url}/v1/synthesize", content=body, timeout=60) as response:
            yield Stream(response)

    @property
    def library_model(self) -> Any:
        """The library's own model object."""
        return self.engine.model._model  # type: ignore[union-attr]

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 10.0) -> dict[str, Any]:
        """Polls /v1/info until the condition holds."""
        deadline = time.monotonic() + seconds
        while True:
            info = self.info()
            if condition(info):
                return info
            assert time.monotonic() < deadline, f"still {info}"
            time.sleep(0.01)


@dataclass
class Spoken:
    envelopes: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def sample_rate(self) -> int:
        flags, event = self.envelopes[0]
        assert flags == 1
        assert event["type"] == "format"
        return event["sample_rate"]

    @property
    def pcm(self) -> bytes:
        return b"".join(payload for flags, payload in self.envelopes if flags == 0)

    @property
    def wave(self) -> np.ndarray:
        return np.frombuffer(self.pcm, dtype="<i2")

    @property
    def words(self) -> list[dict[str, Any]]:
        return [value for flags, value in self.envelopes if flags == 1 and value["type"] == "word"]

    @property
    def error(self) -> dict[str, Any] | None:
        flags, end = self.envelopes[-1]
        assert flags == 2, "the stream was cut off"
        return end.get("error")


class Stream:
    """Envelopes as they come: (0, pcm), (1, event), (2, end)."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._envelopes = self._decode()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return self._envelopes

    def all(self) -> Spoken:
        assert self.response.status_code == 200, self.response.read()
        return Spoken(list(self._envelopes))

    def first_audio(self) -> bytes:
        return next(payload for flags, payload in self._envelopes if flags == 0)

    def _decode(self) -> Iterator[tuple[int, Any]]:
        pending = b""
        for piece in self.response.iter_raw():
            pending += piece
            while len(pending) >= 5:
                flags, length = struct.unpack(">BI", pending[:5])
                assert flags in (0, 1, 2)
                assert length <= 1024 * 1024
                if len(pending) < 5 + length:
                    break
                payload, pending = pending[5 : 5 + length], pending[5 + length :]
                if flags == 0:
                    (samples,) = struct.unpack(">I", payload[:4])
                    payload = payload[4:]
                    assert len(payload) == 2 * samples
                    yield flags, payload
                else:
                    yield flags, json.loads(payload)
        assert pending == b"", "bytes follow the last envelope"


@contextmanager
def serve(
    settings: Settings, load: Callable[[Settings], SpeechModel] = load_model, *, ready: bool = True
) -> Iterator[Running]:
    """Serves an engine in a thread, by default until its model is loaded and warm."""
    engine = Engine(settings, load)
    config = server_config(settings, engine)
    server = uvicorn.Server(config)
    failure: list[BaseException] = []
    loaded = threading.Event()

    async def main() -> None:
        async def start() -> None:
            try:
                await engine.start()
            except BaseException as error:
                failure.append(error)
            loaded.set()

        starting = asyncio.create_task(start())
        await server.serve()
        await starting

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        if ready:
            assert loaded.wait(120)
            if failure:
                raise failure[0]
        yield Running(engine, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(30)
        engine.close()


class Gate:
    """
    Stands before the model's `synthesize`: counts the sentences that reach it and lets each through when told.
    """

    def __init__(self, monkeypatch: Any, running: Running) -> None:
        self.texts: list[str] = []
        self._passes = threading.Semaphore(0)
        self._open = threading.Event()
        real = running.library_model.synthesize

        def gated(*args: Any, **kwargs: Any) -> Any:
            self.texts.append(kwargs["text"])
            while not self._open.is_set() and not self._passes.acquire(timeout=0.02):
                pass
            return real(*args, **kwargs)

        monkeypatch.setattr(running.library_model, "synthesize", gated)

    def let_pass(self, count: int = 1) -> None:
        self._passes.release(count)

    def open(self) -> None:
        self._open.set()

    def wait_for(self, count: int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.texts) < count:
            assert time.monotonic() < deadline, f"only {len(self.texts)} sentences reached the model"
            time.sleep(0.005)
