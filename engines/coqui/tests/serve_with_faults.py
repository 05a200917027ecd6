"""Serves as `python -m coqui_engine` does, with a model that has no memory left for a sentence with GIANT in it."""

from __future__ import annotations

import os
from typing import Any

from coqui_engine.models.base import SpeechModel
from coqui_engine.server import run
from coqui_engine.settings import Settings, parse_settings


def load(settings: Settings) -> SpeechModel:
    from coqui_engine.models.load import load_model

    model = load_model(settings)
    library_model: Any = model._model  # type: ignore[attr-defined]
    real = library_model.synthesize

    def synthesize(*args: Any, **kwargs: Any) -> Any:
        if "GIANT" in kwargs["text"]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(*args, **kwargs)

    library_model.synthesize = synthesize
    return model


if __name__ == "__main__":
    os._exit(run(parse_settings(os.environ), load))
