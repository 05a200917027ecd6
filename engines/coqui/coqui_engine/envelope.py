"""
The framing of every stream between the gateway's own processes (the twin of protocol/envelope.ts):

    flags u8 | length u32 big-endian (at most 1 MiB) | payload

A stream without its end envelope was cut off.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from .errors import ErrorBody

MAX_PAYLOAD_BYTES = 1024 * 1024
AUDIO, EVENT, END = 0x00, 0x01, 0x02

BYTES_PER_SAMPLE = 2
# Half a second to a second of speech: small enough that the first piece of a sentence is read while the rest is sent.
SAMPLES_PER_ENVELOPE = 16_384


def encode_audio(pcm: bytes) -> Iterator[bytes]:
    """Audio envelopes for s16le mono `pcm`, in order."""
    step = SAMPLES_PER_ENVELOPE * BYTES_PER_SAMPLE
    for at in range(0, len(pcm), step):
        piece = pcm[at : at + step]
        samples = struct.pack(">I", len(piece) // BYTES_PER_SAMPLE)
        yield _frame(AUDIO, samples + piece)


def encode_format(sample_rate_hz: int) -> bytes:
    return _json_frame(EVENT, {"type": "format", "sample_rate": sample_rate_hz})


def encode_word(start: int, length: int, sample: int) -> bytes:
    """
    A word is about to be heard: `start` and `length` are UTF-16 code units of the request's text, `sample` counts from
    the start of the request's audio.
    """
    return _json_frame(EVENT, {"type": "word", "start": start, "length": length, "sample": sample})


def encode_end(error: ErrorBody | None = None) -> bytes:
    return _json_frame(END, {} if error is None else {"error": error.as_json()})


def _json_frame(flags: int, value: dict[str, Any]) -> bytes:
    return _frame(flags, json.dumps(value, separators=(",", ":")).encode())


def _frame(flags: int, payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"an envelope carries at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return struct.pack(">BI", flags, len(payload)) + payload
