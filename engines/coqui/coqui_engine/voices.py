"""The voices of a model, and how a request's voice and language are found among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ModelError, Refusal
from .languages import tags_match


@dataclass(frozen=True)
class Language:
    tag: str
    """Canonical BCP 47."""
    name: str | None
    """What the model calls it; None when it has one language and is not asked."""


@dataclass(frozen=True)
class Voice:
    id: str
    name: str
    languages: tuple[Language, ...]
    """The default one first."""
    speaker: str | None
    """The model's own name for it; None in a model that knows no speakers."""

    def language(self, asked: str | None) -> Language:
        """
        The voice's language for a request.

        Raises:
            Refusal: 400 unsupported_language.
        """
        if asked is None:
            return self.languages[0]
        exact = [language for language in self.languages if language.tag.lower() == asked.lower()]
        matching = exact or [language for language in self.languages if tags_match(language.tag, asked)]
        if not matching:
            spoken = ", ".join(language.tag for language in self.languages)
            raise Refusal(
                400, "unsupported_language", f"language: voice {self.id!r} speaks {spoken}, not {asked!r:.40}"
            )
        return matching[0]

    def as_json(self) -> dict[str, Any]:
        tags = [language.tag for language in self.languages]
        more = {"languages": tags} if len(tags) > 1 else {}
        return {"id": self.id, "name": self.name, "language": tags[0], **more}


def named_voices(speakers: Sequence[str], languages: tuple[Language, ...]) -> list[Voice]:
    """
    A voice for each speaker of a model. Ids have no white space in them, which the models' names have ("ED\\n" in VCTK,
    "Claribel Dervla" in XTTS).
    """
    voices: dict[str, Voice] = {}
    for speaker in speakers:
        name = " ".join(speaker.split()) or "unnamed"
        base = voice_id = name.replace(" ", "-")
        number = 2
        while voice_id in voices:
            voice_id = f"{base}-{number}"
            number += 1
        voices[voice_id] = Voice(voice_id, name, languages, speaker)
    return list(voices.values())


class VoiceBook:
    """
    A model's voices by id. The default voice can also be had under an alias that stays the same whatever the model
    (`coqui-en-1`); it is listed like any other, for clients ask only for voices they saw in the list. A model without
    named speakers has one voice, whose id is the alias itself.
    """

    def __init__(self, voices: Sequence[Voice], *, default: str | None, alias: str) -> None:
        by_id = {voice.id: voice for voice in voices}
        if default is not None and default not in by_id:
            raise ModelError(f"DEFAULT_VOICE: the model has no speaker {default!r}; it has {_some(list(by_id))}")
        chosen = by_id[default] if default is not None else voices[0]
        if alias and alias not in by_id:
            entry = Voice(alias, chosen.name, chosen.languages, chosen.speaker)
            named = [] if chosen.speaker is None else list(voices)
            by_id = {voice.id: voice for voice in [entry, *named]}
            chosen = entry
        self._by_id = by_id
        self.default = chosen

    def find(self, voice_id: str) -> Voice:
        """
        Raises:
            Refusal: 404 unknown_voice.
        """
        voice = self._by_id.get(voice_id)
        if voice is None:
            raise Refusal(
                404, "unknown_voice", f"voice: there is no {voice_id!r:.80}; there is {_some(list(self._by_id))}"
            )
        return voice

    def as_json(self) -> list[dict[str, Any]]:
        return [voice.as_json() for voice in self._by_id.values()]


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return ", ".join(ids[:5]) + more
