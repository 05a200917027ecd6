"""Cutting a text into the sentences a model speaks one by one, each knowing where it stands in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import pysbd

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_CLAUSE_END = re.compile(r"[,;:–—](?=\s)|[，；：、]")


@dataclass(frozen=True)
class Sentence:
    source: str
    """As it stands in the request's text."""
    start: int
    """Where, in characters (code points)."""
    whole: bool = True
    """False: a piece of a sentence that was too long, with more of it to come."""

    @property
    def spoken(self) -> str:
        """What the model is given: line breaks and doubled spaces are no pauses."""
        return " ".join(self.source.split())


def split_text(text: str, language: str, limit: int) -> list[Sentence]:
    """The sentences of `text`, none longer than `limit` characters, without the space around them."""
    sentences = []
    for start, end in _sentence_spans(text, language):
        *heads, tail = _cut_span(text, start, end, limit)
        sentences += [Sentence(text[a:b], a, whole=False) for a, b in heads]
        sentences.append(Sentence(text[tail[0] : tail[1]], tail[0]))
    return sentences


def split_in_half(sentence: Sentence) -> list[Sentence]:
    """Two pieces of a sentence that a model cannot take as it is; one that cannot be cut comes back alone."""
    length = len(sentence.source)
    if length < 2:
        return [sentence]
    spans = _cut_span(sentence.source, 0, length, (length + 1) // 2)
    pieces = [Sentence(sentence.source[a:b], sentence.start + a, whole=False) for a, b in spans]
    last = pieces[-1]
    return [*pieces[:-1], Sentence(last.source, last.start, sentence.whole)]


def has_letters(text: str) -> bool:
    """Whether there is anything in a text to speak: a letter or a digit of any script."""
    return any(character.isalnum() for character in text)


def utf16_offsets(text: str) -> list[int]:
    """For each character's index in `text`, and its end, the index in UTF-16 code units."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if character > "\uffff" else 1))
    return offsets


@lru_cache(maxsize=32)
def _segmenter(language: str) -> pysbd.Segmenter:
    code = language.split("-")[0].lower()
    known = code in pysbd.languages.LANGUAGE_CODES
    return pysbd.Segmenter(language=code if known else "en", clean=False)


def _sentence_spans(text: str, language: str) -> list[tuple[int, int]]:
    """pysbd gives sentences without positions one can rely on: each is looked for where the one before ended."""
    spans: list[tuple[int, int]] = []
    at = 0
    try:
        found = _segmenter(language).segment(text)
    except Exception:  # it builds regular expressions from the text, and some texts break them
        return _plain_spans(text)
    for sentence in found:
        stripped = str(sentence).strip()
        if not stripped:
            continue
        start = text.find(stripped, at)
        if start < 0 or has_letters(text[at:start]):
            return _plain_spans(text)
        at = start + len(stripped)
        spans.append((start, at))
    return _plain_spans(text) if has_letters(text[at:]) else spans


def _plain_spans(text: str) -> list[tuple[int, int]]:
    borders = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [span for a, b in pairwise(borders) if (span := _stripped(text, a, b))[0] < span[1]]


def _cut_span(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Cuts at the last clause's end that leaves a piece of some length, else between words, else anywhere."""
    pieces = []
    while end - start > limit:
        window = text[start : start + limit + 1]
        clauses = [match.end() for match in _CLAUSE_END.finditer(window) if limit / 3 < match.end() <= limit]
        spaces = [match.start() for match in re.finditer(r"\s", window) if match.start() > 0]
        cut = start + (clauses[-1] if clauses else spaces[-1] if spaces else limit)
        pieces.append(_stripped(text, start, cut))
        start = _stripped(text, cut, end)[0]
    pieces.append(_stripped(text, start, end))
    return [piece for piece in pieces if piece[0] < piece[1]] or [(start, end)]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
