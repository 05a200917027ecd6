"""VITS and every other model that speaks a sentence at a time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal

from TTS.tts.models.vits import Vits
from TTS.tts.utils.languages import normalize_language
from TTS.utils.synthesizer import Synthesizer

from ..audio import to_mono
from ..text import Sentence, has_letters, split_text
from ..voices import Language, Voice, VoiceBook
from .base import Chunk
from .torch_state import is_repeatable, seed_for
from .words import word_times


class SentenceModel:
    """
    Leaves out what the library's own `tts()` does around a model: 10,000 zero samples after every sentence, and a
    "silence trimming" that cuts a sentence off at its first long pause.
    """

    streaming: Literal["sentence", "native"] = "sentence"

    def __init__(self, synthesizer: Synthesizer, voices: VoiceBook, *, max_sentence_chars: int) -> None:
        self.voices = voices
        self.sample_rate_hz = int(synthesizer.output_sample_rate)
        self._synthesizer = synthesizer
        self._model: Any = synthesizer.tts_model
        self.repeatable = is_repeatable(self._model)
        self._max_sentence_chars = max_sentence_chars
        # The library ignores a `speed` argument; what most of these models obey is the length of each
        # sound. The others (Tacotron) have one speed.
        self._length_scale = getattr(self._model, "length_scale", None)

    def split(self, text: str, language: Language) -> list[Sentence]:
        return split_text(text, language.tag, self._max_sentence_chars)

    def speak(self, sentence: Sentence, voice: Voice, language: Language, speed: float) -> Generator[Chunk]:
        text = sentence.spoken
        if not self._is_speakable(text, language.name):
            return
        if self._length_scale is not None:
            self._model.length_scale = self._length_scale / speed
        seed_for(sentence, voice, language, speed)
        vocoder = self._synthesizer.vocoder_model
        result = self._model.synthesize(
            text=text, speaker=voice.speaker, language=language.name, use_griffin_lim=vocoder is None
        )
        if vocoder is None:
            wave = to_mono(result["wav"])
        else:
            device = next(vocoder.parameters()).device
            wave = to_mono(self._synthesizer._run_vocoder(result["outputs"]["model_outputs"][0], device))
        words = []
        if isinstance(self._model, Vits):
            durations = result["outputs"]["durations"].reshape(-1).tolist()
            words = word_times(self._model.tokenizer, language.name, sentence, durations, len(wave))
        yield Chunk(wave, words)

    def _is_speakable(self, text: str, language: str | None) -> bool:
        """
        Whether the model would say anything. It would make noise of punctuation, and fail inside on a text of which its
        vocabulary has no character.
        """
        if not has_letters(text):
            return False
        tokenizer: Any = getattr(self._model, "tokenizer", None)
        if not hasattr(tokenizer, "characters"):
            return True
        if tokenizer.text_cleaner is not None:
            text = tokenizer.text_cleaner(text, lang=normalize_language(language))
        if tokenizer.phonemizer is not None:
            text = tokenizer.phonemizer.phonemize(text, separator="", language=language)
        return any(character.isalnum() and _has(tokenizer.characters, character) for character in text)


def _has(vocabulary: Any, character: str) -> bool:
    try:
        vocabulary.char_to_id(character)
    except KeyError:
        return False
    return True
