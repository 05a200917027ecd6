"""From a model's floats to the PCM that leaves the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32767.0


def to_mono(wave: Any) -> NDArray[np.float32]:
    """A model's output, whatever it is made of, as one channel of floats."""
    if hasattr(wave, "detach"):
        wave = wave.detach().cpu().numpy()
    return np.asarray(wave, dtype=np.float32).reshape(-1)


def to_pcm(wave: NDArray[np.float32], gain: float) -> bytes:
    """
    s16le, with a fixed gain and clipping. Never normalised: a level that adapts to what is said makes a text spoken in
    pieces jump between them.
    """
    clean = np.nan_to_num(wave * np.float32(gain * FULL_SCALE), nan=0.0, posinf=FULL_SCALE, neginf=-FULL_SCALE)
    samples: NDArray[np.int16] = np.clip(np.rint(clean), -FULL_SCALE - 1, FULL_SCALE).astype("<i2")
    return samples.tobytes()


def silence(milliseconds: int, sample_rate_hz: int) -> bytes:
    return b"\0\0" * (sample_rate_hz * milliseconds // 1000)
