"""XTTS: many languages, preset and cloned voices, and audio while a sentence is still being made."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Literal

import soundfile
import torch
import torchaudio.functional
from TTS.tts.models import xtts as library
from TTS.utils.synthesizer import Synthesizer

from ..audio import to_mono
from ..errors import ModelError
from ..log import log_line, trace
from ..text import Sentence, has_letters, split_in_half, split_text
from ..voices import Language, Voice, VoiceBook
from .base import Chunk
from .torch_state import is_repeatable, seed_for

Latents = tuple[torch.Tensor, torch.Tensor]

_RECORDINGS = {".wav", ".flac", ".ogg", ".mp3"}
# XTTS was trained on sentences up to about this long in any language it has no limit of its own for.
_DEFAULT_LIMIT = 250


class XttsModel:
    """Speaks with `inference` a sentence at a time, or with `inference_stream` as a sentence is made."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        voices: VoiceBook,
        cloned: dict[str, Latents],
        *,
        streaming: Literal["sentence", "native"],
        chunk_tokens: int,
        max_sentence_chars: int,
    ) -> None:
        self.streaming = streaming
        self.voices = voices
        self.sample_rate_hz = int(synthesizer.output_sample_rate)
        self._model: Any = synthesizer.tts_model
        self.repeatable = is_repeatable(self._model)
        self._cloned = cloned
        self._chunk_tokens = chunk_tokens
        self._max_sentence_chars = max_sentence_chars
        config = self._model.config
        self._generation = {
            name: config[name] for name in ("temperature", "length_penalty", "repetition_penalty", "top_k", "top_p")
        }

    def split(self, text: str, language: Language) -> list[Sentence]:
        assert language.name is not None
        limits = self._model.tokenizer.char_limits
        limit = limits.get(language.name.split("-")[0], _DEFAULT_LIMIT)
        sentences = split_text(text, language.tag, min(limit, self._max_sentence_chars))
        return [piece for sentence in sentences for piece in self._fitting(sentence, language.name)]

    def speak(self, sentence: Sentence, voice: Voice, language: Language, speed: float) -> Generator[Chunk]:
        assert language.name is not None
        if not self._is_speakable(sentence.spoken, language.name):
            return
        seed_for(sentence, voice, language, speed)
        latents, embedding = self._latents(voice)
        options = {"speed": speed, **self._generation}
        if self.streaming == "sentence":
            yield Chunk(
                to_mono(self._model.inference(sentence.spoken, language.name, latents, embedding, **options)["wav"])
            )
            return
        # The library's stream gives the sentence's last 1024 samples only since 0.28 (a test holds it to that).
        stream = self._model.inference_stream(
            sentence.spoken, language.name, latents, embedding, stream_chunk_size=self._chunk_tokens, **options
        )
        try:
            for wave in stream:
                if len(wave) > 0:
                    yield Chunk(to_mono(wave))
        finally:
            stream.close()

    def _latents(self, voice: Voice) -> Latents:
        assert voice.speaker is not None
        cloned = self._cloned.get(voice.speaker)
        if cloned is not None:
            return cloned
        preset = self._model.speaker_manager.speakers[voice.speaker]
        return preset["gpt_cond_latent"], preset["speaker_embedding"]

    def _fitting(self, sentence: Sentence, language: str) -> list[Sentence]:
        """Within the character limit a sentence can still have too many tokens: numbers are written out."""
        if len(self._model.tokenizer.encode(sentence.spoken, language)) + 2 < self._model.args.gpt_max_text_tokens:
            return [sentence]
        halves = split_in_half(sentence)
        if len(halves) == 1:
            return halves
        return [piece for half in halves for piece in self._fitting(half, language)]

    def _is_speakable(self, text: str, language: str) -> bool:
        if not has_letters(text):
            return False
        tokenizer = self._model.tokenizer
        ids = tokenizer.encode(text.lower(), language)
        tokens = [tokenizer.tokenizer.id_to_token(number) for number in ids]
        return any(has_letters(token) for token in tokens if not token.startswith("["))


def use_soundfile() -> None:
    """Reads reference recordings with soundfile: the library's reader needs a torchcodec that matches torch's build."""

    def load_audio(path: Any, sample_rate_hz: int) -> torch.Tensor:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(samples).mean(dim=1).unsqueeze(0)
        if rate_hz != sample_rate_hz:
            mono = torchaudio.functional.resample(mono, rate_hz, sample_rate_hz)
        return mono.clamp(-1, 1)

    library.load_audio = load_audio


def can_read(model: Any, language: Language) -> bool:
    """Whether texts of a language can be prepared: Japanese and Chinese need packages that are not in the lock."""
    assert language.name is not None
    try:
        model.tokenizer.preprocess_text("1", language.name.split("-")[0])
    except Exception as error:
        log_line("language_skipped", language=language.tag, error=type(error).__name__)
        return False
    return True


def reference_recordings(folder: Path) -> dict[str, list[Path]]:
    """The voices in VOICES_DIR: NAME.wav is one, and so is a folder NAME with several recordings of one speaker."""
    voices: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            recordings = _recordings(entry.iterdir())
            if recordings:
                voices[entry.name] = recordings
        elif entry.suffix.lower() in _RECORDINGS:
            voices[entry.stem] = [entry]
    return voices


def clone_voices(model: Any, folder: Path) -> dict[str, Latents]:
    """
    The latents of every voice in the folder, computed once here rather than in the first request that wants them.

    Raises:
        ModelError: a folder that has no recording that can be used.
    """
    config = model.config
    cloned: dict[str, Latents] = {}
    for name, recordings in reference_recordings(folder).items():
        try:
            cloned[name] = model.get_conditioning_latents(
                audio_path=[str(path) for path in recordings],
                max_ref_length=config.max_ref_len,
                gpt_cond_len=config.gpt_cond_len,
                gpt_cond_chunk_len=config.gpt_cond_chunk_len,
                sound_norm_refs=config.sound_norm_refs,
            )
        except Exception as error:
            log_line("voice_skipped", voice=name, trace=trace(error))
    if not cloned:
        raise ModelError(f"VOICES_DIR: {folder} has no usable recording (NAME.wav, or a folder NAME of several)")
    return cloned


def _recordings(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in _RECORDINGS)
