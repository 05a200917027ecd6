"""What POST /v1/synthesize is given."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from .errors import Refusal, invalid_request

MIN_SPEED, MAX_SPEED = 0.25, 4.0


@dataclass(frozen=True)
class SpeechRequest:
    text: str
    voice: str
    language: str | None = None
    speed: float = 1.0


def parse_request(body: bytes, max_chars: int) -> SpeechRequest:
    """
    Fields that are not known are ignored.

    Raises:
        Refusal: 400 invalid_request, naming the field and what is allowed; 413 text_too_long.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid_request("the request body must be a JSON object")
    text = _string(value, "text")
    if not text.strip():
        raise invalid_request("text must not be blank")
    voice = _string(value, "voice")
    language = None if value.get("language") is None else _string(value, "language")
    speed = _speed(value)
    if len(text) > max_chars:
        raise text_too_long(f"text must have at most {max_chars} characters, not {len(text)}")
    return SpeechRequest(text, voice, language, speed)


def text_too_long(message: str) -> Refusal:
    return Refusal(413, "text_too_long", message)


def _string(value: dict[str, Any], name: str) -> str:
    field = value.get(name)
    if not isinstance(field, str):
        raise invalid_request(f"{name} must be a string")
    # Half of a surrogate pair is valid JSON and no character: U+FFFD, which is as long.
    return field.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _speed(value: dict[str, Any]) -> float:
    speed = value.get("speed", 1.0)
    if speed is None:
        return 1.0
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not math.isfinite(speed):
        raise invalid_request(f"speed must be a number from {MIN_SPEED} to {MAX_SPEED:g}")
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise invalid_request(f"speed must be a number from {MIN_SPEED} to {MAX_SPEED:g}, not {speed:g}")
    return float(speed)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
