"""What can go wrong, as values a client may see: reasons, never internals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorBody:
    """The error of a refusal's JSON body and of a stream's end envelope."""

    reason: str
    message: str
    retryable: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class SpeechError(Exception):
    """Ends a stream whose headers have left: said in its end envelope."""

    def __init__(self, reason: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.error = ErrorBody(reason, message, retryable)


class Refusal(Exception):
    """An answer known before anything is spoken: a status, and perhaps when to try again."""

    def __init__(
        self, status: int, reason: str, message: str, *, retryable: bool = False, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = ErrorBody(reason, message, retryable)
        self.headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}


def invalid_request(message: str) -> Refusal:
    return Refusal(400, "invalid_request", message)


def busy(message: str) -> Refusal:
    return Refusal(503, "busy", message, retryable=True, retry_after_s=1)


def not_ready(reason: str) -> Refusal:
    return Refusal(503, "not_ready", f"the engine is not ready: {reason}", retryable=True, retry_after_s=2)


class ModelError(Exception):
    """The model cannot be loaded; the message says what to change."""
