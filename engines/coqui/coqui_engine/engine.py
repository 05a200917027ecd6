"""The engine: a model, the line of requests before it, and what happens to each of them."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .audio import silence, to_pcm
from .envelope import encode_audio, encode_end, encode_format, encode_word
from .errors import ModelError, SpeechError, busy, not_ready
from .log import log_line, trace
from .models.base import Chunk, SpeechModel
from .request import SpeechRequest
from .settings import Settings
from .text import Sentence, utf16_offsets
from .turns import Turn, Turns
from .voices import Language, Voice


@dataclass(frozen=True)
class Admitted:
    """A request that will be spoken: all that could be refused has been judged, and it has its place in line."""

    request: SpeechRequest
    voice: Voice
    language: Language
    turn: Turn
    buffer: Buffer


class Buffer:
    """Envelopes between the model and the reader. Takes what it is given; `room` is for whoever fills it to mind."""

    def __init__(self, limit_bytes: float) -> None:
        self._limit_bytes = limit_bytes
        self._envelopes: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, envelope: bytes) -> None:
        self._envelopes.append(envelope)
        self._size += len(envelope)
        self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    @property
    def has_room(self) -> bool:
        return self._size == 0 or self._size < self._limit_bytes

    async def room(self) -> None:
        while not self.has_room:
            self._changed.clear()
            await self._changed.wait()

    async def get(self) -> bytes | None:
        """The next envelope; None after the last."""
        while not self._envelopes:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        envelope = self._envelopes.popleft()
        self._size -= len(envelope)
        self._changed.set()
        return envelope


class Engine:
    def __init__(self, settings: Settings, load: Callable[[Settings], SpeechModel]) -> None:
        self.settings = settings
        self.turns = Turns(settings.queue_limit)
        self.model: SpeechModel | None = None
        self.draining = False
        self.streams_open = 0
        self.syntheses_started = 0
        self.syntheses_active = 0
        self.sentences_spoken = 0
        self._load = load
        # One thread for the model's whole life: it computes one thing at a time, and a thread's caches stay warm.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def start(self) -> None:
        """
        Loads the model; until then every request is told so.

        Raises:
            ModelError: it cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            self.model = await loop.run_in_executor(self._thread, self._load, self.settings)
        except ModelError:
            raise
        except Exception as error:
            log_line("load_failed", trace=trace(error))
            raise ModelError(f"the model cannot be loaded ({type(error).__name__}: {error})") from error
        log_line(
            "ready",
            model=self.settings.model_name,
            sample_rate=self.model.sample_rate_hz,
            streaming=self.model.streaming,
            voices=len(self.model.voices.as_json()),
            seconds=round(loop.time() - started, 2),
        )

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def not_ready_reason(self) -> str | None:
        if self.draining:
            return "shutting down"
        return "loading the model" if self.model is None else None

    def ready_model(self) -> SpeechModel:
        """
        Raises:
            Refusal: 503 not_ready.
        """
        if self.model is None:
            raise not_ready("loading the model")
        return self.model

    def info(self) -> dict[str, Any]:
        model = self.ready_model()
        return {
            "engine": "coqui-tts",
            "version": importlib.metadata.version("coqui-tts"),
            "model": self.settings.model_name,
            "sample_rate": model.sample_rate_hz,
            "max_chars": self.settings.max_chars,
            "streaming": model.streaming,
            "repeatable": model.repeatable,
            "syntheses_started": self.syntheses_started,
            "syntheses_active": self.syntheses_active,
            "sentences_spoken": self.sentences_spoken,
            "queued": self.turns.queued,
        }

    def admit(self, request: SpeechRequest) -> Admitted:
        """
        Judges a request at once, without anything of it being spoken, and gives it a place in line.

        Raises:
            Refusal: see docs/engines.md.
        """
        model = self.ready_model()
        if self.draining:
            raise not_ready("shutting down")
        voice = model.voices.find(request.voice)
        language = voice.language(request.language)
        if self.streams_open >= self.settings.max_streams:
            raise busy(f"{self.streams_open} streams are open, and no more are taken")
        turn = self.turns.enter()
        if turn is None:
            raise busy(f"{self.turns.queued} requests wait already, and no more are taken")
        self.streams_open += 1
        return Admitted(request, voice, language, turn, Buffer(self.settings.buffer_seconds * model.sample_rate_hz * 2))

    def release(self, admitted: Admitted) -> None:
        """To be called once for each admitted request, when its stream is over however it ended."""
        admitted.turn.leave()
        self.streams_open -= 1

    async def speak(self, admitted: Admitted, log: dict[str, Any]) -> None:
        """
        Fills the request's buffer, up to the end envelope. Cancelling it stops the model at its next step, and returns
        when that step is over.
        """
        model = self.ready_model()
        buffer = admitted.buffer
        buffer.put(encode_format(model.sample_rate_hz))
        error: SpeechError | None = None
        began = False
        try:
            await admitted.turn.wait()
            began = True
            self.syntheses_started += 1
            self.syntheses_active += 1
            await self._speak_sentences(model, admitted, log)
        except Exception as failure:
            from .models.torch_state import as_speech_error  # torch is there by now; at our own import it is not

            error = as_speech_error(failure)
            if not isinstance(failure, SpeechError):
                log["trace"] = trace(failure)
        finally:
            admitted.turn.leave()
            self.syntheses_active -= began
        if error is not None:
            log["error"] = error.error.reason
        buffer.put(encode_end(None if error is None else error.error))
        buffer.close()

    async def _speak_sentences(self, model: SpeechModel, admitted: Admitted, log: dict[str, Any]) -> None:
        request, voice, language = admitted.request, admitted.voice, admitted.language
        offsets = utf16_offsets(request.text)
        sentences = await self._in_thread(model.split, request.text, language)
        samples = spoken = 0
        pause = b""
        for number, sentence in enumerate(sentences):
            if number > 0:
                await self._let_others(admitted)
            start = samples
            steps = model.speak(sentence, voice, language, request.speed)
            try:
                while (chunk := await self._in_thread(next, steps, None)) is not None:
                    if samples == start:
                        samples += self._put(admitted, pause)
                        start = samples
                    samples += self._put_chunk(admitted, sentence, offsets, chunk, samples)
            finally:
                await self._in_thread(steps.close)
            if samples > start:
                spoken += 1
                self.sentences_spoken += 1
                pause = silence(self.settings.sentence_pause_ms, model.sample_rate_hz) if sentence.whole else b""
            log.update(sentences=spoken, samples=samples)
        if samples == 0:
            raise SpeechError("nothing_to_speak", "the text has nothing in it that this model can speak")

    async def _let_others(self, admitted: Admitted) -> None:
        """
        Between sentences: gives the model up while the reader has enough to read, or to one that had begun and waits.
        Never within a sentence, whose state the model keeps.
        """
        if admitted.buffer.has_room and not self.turns.begun_waiting:
            return
        admitted.turn.leave()
        await admitted.buffer.room()
        await admitted.turn.resume()

    def _put_chunk(
        self, admitted: Admitted, sentence: Sentence, offsets: list[int], chunk: Chunk, samples_before: int
    ) -> int:
        for word in chunk.words:
            start = offsets[sentence.start + word.start]
            end = offsets[sentence.start + word.start + word.length]
            admitted.buffer.put(encode_word(start, end - start, samples_before + word.sample))
        return self._put(admitted, to_pcm(chunk.wave, self.settings.gain))

    def _put(self, admitted: Admitted, pcm: bytes) -> int:
        for envelope in encode_audio(pcm):
            admitted.buffer.put(envelope)
        return len(pcm) // 2

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Runs a step of the model. When we are cancelled the step goes on, for nothing can stop it: it is waited for, so
        that the model is not given to another, nor a generator closed, while it runs.
        """
        step = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():
                try:
                    await asyncio.wait({step})
                except asyncio.CancelledError:
                    continue
            raise
