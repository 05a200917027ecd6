"""What torch keeps for the whole process: its random numbers and its memory."""

from __future__ import annotations

import gc
import zlib

import torch

from ..errors import SpeechError
from ..text import Sentence
from ..voices import Language, Voice


def seed_for(sentence: Sentence, voice: Voice, language: Language, speed: float) -> None:
    """
    Makes the same request sound the same again: these models draw random numbers, and whoever asks for a segment once
    more (after a crash, say) joins the new audio to the old. The generator is the process's, which is no harm where one
    sentence is spoken at a time.
    """
    key = f"{sentence.spoken}\0{voice.speaker}\0{language.tag}\0{speed:g}"
    torch.manual_seed(zlib.crc32(key.encode()))


def is_repeatable(model: torch.nn.Module) -> bool:
    """
    Whether a seeded model makes the same samples again: on a CPU it does. A GPU adds numbers up in the order in which
    they come, and rounds differently each time.
    """
    return bool(next(model.parameters()).device.type == "cpu")


def as_speech_error(error: Exception) -> SpeechError:
    """What a client hears of a model's failure: of memory, that it may try again; of the rest, nothing."""
    if isinstance(error, SpeechError):
        return error
    message = str(error).lower()
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in message or "can't allocate memory" in message)
    ):
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return SpeechError("out_of_memory", "the engine ran out of memory", retryable=True)
    return SpeechError("synthesis_failed", "the model failed on this text")
