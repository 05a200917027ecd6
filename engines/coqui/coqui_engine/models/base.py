"""What the engine asks of a model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..text import Sentence
from ..voices import Language, Voice, VoiceBook


class Word(NamedTuple):
    """A word of a sentence: where it stands in the sentence's source, and where it begins in the sentence's audio."""

    start: int
    length: int
    sample: int


@dataclass(frozen=True)
class Chunk:
    wave: NDArray[np.float32]
    """Mono, at the model's rate, full scale 1."""
    words: list[Word] = field(default_factory=list)


class SpeechModel(Protocol):
    """
    A loaded model. Its methods run in one thread, never two at once: the library's models keep state of the sentence
    being spoken on the module.
    """

    sample_rate_hz: int
    streaming: Literal["sentence", "native"]
    repeatable: bool
    """Whether the same request gives the same samples and words, in another process too."""
    voices: VoiceBook

    def split(self, text: str, language: Language) -> list[Sentence]:
        """The sentences it will speak one by one."""
        ...

    def speak(self, sentence: Sentence, voice: Voice, language: Language, speed: float) -> Generator[Chunk]:
        """
        A sentence's audio, at the asked speed if the model can: nothing when there is nothing in it to speak, one
        chunk, or several as they are made. May be closed between chunks.
        """
        ...
