"""Where the words of a sentence begin in its audio, from the durations that VITS gives for each character."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from TTS.tts.utils.languages import normalize_language

from ..text import Sentence, has_letters
from .base import Word

_WORD = re.compile(r"\S+")


def word_times(
    tokenizer: Any, language: str | None, sentence: Sentence, durations: list[float], samples: int
) -> list[Word]:
    """
    The sentence's words, in order; none at all where their times cannot be told for certain: in a model that speaks
    phonemes (which run across words), or when cleaning the sentence gives something else than cleaning it word by word
    ("3 pm" does).

    Args:
        durations: frames of each token; together they are the whole sentence.
        samples: the sentence's length.
    """
    frames = sum(durations)
    if tokenizer.phonemizer is not None or frames <= 0 or samples % frames != 0:
        return []
    samples_per_frame = int(samples // frames)
    clean = tokenizer.text_cleaner or _as_it_is
    lang = normalize_language(language)
    found = list(_WORD.finditer(sentence.source))
    cleaned = [clean(match.group(), lang=lang) for match in found]
    whole = clean(sentence.spoken, lang=lang)
    if " ".join(filter(None, cleaned)) != whole:
        return []
    tokens = list(_token_of_each_character(tokenizer, whole))
    if tokens and _count(tokenizer, sum(token is not None for token in tokens)) != len(durations):
        return []
    words: list[Word] = []
    at = 0
    for match, piece in zip(found, cleaned, strict=True):
        if not piece:
            continue
        first = next((token for token in tokens[at : at + len(piece)] if token is not None), None)
        at += len(piece) + 1
        bare = re.search(r"\w(.*\w)?", match.group(), re.DOTALL)
        if first is not None and bare is not None and has_letters(piece):
            start = int(sum(durations[:first])) * samples_per_frame
            words.append(Word(match.start() + bare.start(), len(bare.group()), start))
    return words


def _as_it_is(text: str, lang: str | None) -> str:  # noqa: ARG001
    return text


def _token_of_each_character(tokenizer: Any, text: str) -> Iterator[int | None]:
    """Index of each character's token in what the model was given; None for those its vocabulary does not have."""
    number = 0
    for character in text:
        try:
            tokenizer.characters.char_to_id(character)
        except KeyError:
            yield None
            continue
        # A blank before and after each character, a start token before them all.
        yield (2 * number + 1 if tokenizer.add_blank else number) + (1 if tokenizer.use_eos_bos else 0)
        number += 1


def _count(tokenizer: Any, characters: int) -> int:
    return (2 * characters + 1 if tokenizer.add_blank else characters) + (2 if tokenizer.use_eos_bos else 0)
