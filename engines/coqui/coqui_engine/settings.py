"""The engine's configuration: read once from environment variables, every default in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

DEFAULT_MODEL = "tts_models/en/ljspeech/vits"

Device = Literal["auto", "cpu", "cuda"]
XttsStreaming = Literal["auto", "native", "sentence"]

T = TypeVar("T")


class SettingsError(Exception):
    """A variable has a value that cannot be used; the message names it, the value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the engine runs with. Each field is the environment variable of the same name in capitals."""

    host: str = "127.0.0.1"
    port: int = 8792
    """0: any free port."""

    coqui_model: str | None = DEFAULT_MODEL
    """A model of the library by name, downloaded when it is not there yet. None: `coqui_checkpoint` is used."""
    coqui_checkpoint: Path | None = None
    """A model file of your own, or an XTTS directory."""
    coqui_config: Path | None = None
    """Its configuration; config.json beside the checkpoint when not given."""
    coqui_vocoder_checkpoint: Path | None = None
    """For models that make spectrograms: the vocoder. Without one, Griffin-Lim."""
    coqui_vocoder_config: Path | None = None
    coqui_language: str | None = None
    """BCP 47 tag of a model that does not say its language itself; of several, the default one."""
    coqui_device: Device = "auto"
    torch_threads: int = 0
    """Threads of one synthesis; 0: as the library decides."""

    default_voice: str | None = None
    """Speaker spoken under `voice_alias`; the model's first when not given."""
    voice_alias: str = "coqui-en-1"
    """Id that always names the default voice; empty: none."""
    voices_dir: Path | None = None
    """XTTS: reference recordings to clone voices from: NAME.wav, or a folder NAME of several."""

    xtts_streaming: XttsStreaming = "auto"
    """auto: native on a GPU, by sentence on a CPU, where decoding a sentence again for each chunk costs too much."""
    xtts_chunk_tokens: int = 20
    """Native streaming: GPT tokens (46 ms each) in a chunk."""

    gain: float = 1.0
    """Factor on every sample; what goes over full scale is clipped. Never adapted to a request."""
    sentence_pause_ms: int = 0
    """Silence put between the sentences of one request."""
    max_chars: int = 5_000
    """Longest text of one request, in characters."""
    max_sentence_chars: int = 300
    """Longer sentences are cut at a clause: a model's memory grows with the square of a sentence's length."""

    queue_limit: int = 8
    """Requests that may wait for the model; the next gets 503."""
    max_streams: int = 64
    """Open streams in all, those included whose audio is made but not yet read."""
    buffer_seconds: float = 60.0
    """Audio a slow reader may leave waiting before its synthesis pauses (at the end of a sentence)."""
    write_timeout_s: float = 30.0
    """A reader that takes nothing for so long is cut off."""
    drain_s: float = 30.0
    """How long running streams may go on after SIGTERM."""

    @property
    def model_name(self) -> str:
        """What /v1/info calls the model. Never a path of this machine."""
        if self.coqui_checkpoint is None:
            return self.coqui_model or DEFAULT_MODEL
        checkpoint = self.coqui_checkpoint
        folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
        return folder.resolve().name


def parse_settings(env: Mapping[str, str]) -> Settings:
    """
    Settings from environment variables; an empty variable counts as not set.

    Raises:
        SettingsError: naming every variable that is wrong, one a line.
    """
    reader = _Reader(env)
    given: dict[str, Any] = {
        "host": reader.text("HOST"),
        "port": reader.number("PORT", int, 0, 65535),
        "coqui_model": reader.text("COQUI_MODEL"),
        "coqui_checkpoint": reader.path("COQUI_CHECKPOINT"),
        "coqui_config": reader.path("COQUI_CONFIG"),
        "coqui_vocoder_checkpoint": reader.path("COQUI_VOCODER_CHECKPOINT"),
        "coqui_vocoder_config": reader.path("COQUI_VOCODER_CONFIG"),
        "coqui_language": reader.text("COQUI_LANGUAGE"),
        "coqui_device": reader.choice("COQUI_DEVICE", ("auto", "cpu", "cuda")),
        "torch_threads": reader.number("TORCH_THREADS", int, 0, 1024),
        "default_voice": reader.text("DEFAULT_VOICE"),
        # The one variable for which empty means something: no alias.
        "voice_alias": env.get("VOICE_ALIAS"),
        "voices_dir": reader.path("VOICES_DIR"),
        "xtts_streaming": reader.choice("XTTS_STREAMING", ("auto", "native", "sentence")),
        # Below 8, at four times the speed, a chunk is shorter than the library's cross-fade and comes out twice.
        "xtts_chunk_tokens": reader.number("XTTS_CHUNK_TOKENS", int, 8, 500),
        "gain": reader.number("GAIN", float, 0, 100),
        "sentence_pause_ms": reader.number("SENTENCE_PAUSE_MS", int, 0, 10_000),
        "max_chars": reader.number("MAX_CHARS", int, 1, 1_000_000),
        "max_sentence_chars": reader.number("MAX_SENTENCE_CHARS", int, 40, 10_000),
        "queue_limit": reader.number("QUEUE_LIMIT", int, 0, 10_000),
        "max_streams": reader.number("MAX_STREAMS", int, 1, 10_000),
        "buffer_seconds": reader.number("BUFFER_SECONDS", float, 0, 3600),
        "write_timeout_s": reader.number("WRITE_TIMEOUT_S", float, 0.1, 3600),
        "drain_s": reader.number("DRAIN_S", float, 0, 900),
    }
    given = {name: value for name, value in given.items() if value is not None}
    if "coqui_checkpoint" in given:
        if "coqui_model" in given:
            reader.errors.append("COQUI_MODEL and COQUI_CHECKPOINT are both set: give one")
        given["coqui_model"] = None
    elif "coqui_config" in given:
        reader.errors.append("COQUI_CONFIG needs COQUI_CHECKPOINT")
    if ("coqui_vocoder_checkpoint" in given) != ("coqui_vocoder_config" in given):
        reader.errors.append("COQUI_VOCODER_CHECKPOINT and COQUI_VOCODER_CONFIG need each other")
    if reader.errors:
        raise SettingsError("\n".join(reader.errors))
    return Settings(**given)


@dataclass
class _Reader:
    env: Mapping[str, str]
    errors: list[str] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        return self.env.get(name, "").strip() or None

    def path(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        path = Path(value)
        if not path.exists():
            self.errors.append(f"{name}: there is no {value}")
        return path

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            self.errors.append(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def number(self, name: str, parse: Callable[[str], T], least: float, most: float) -> T | None:
        value = self.text(name)
        if value is None:
            return None
        kind = "a whole number" if parse is int else "a number"
        try:
            number = parse(value)
        except ValueError:
            number = None
        if number is None or not least <= float(number) <= most:  # type: ignore[arg-type]
            self.errors.append(f"{name} must be {kind} from {least:g} to {most:g}, not {value!r}")
            return None
        return number
