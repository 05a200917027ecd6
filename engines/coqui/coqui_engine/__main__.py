"""
python -m coqui_engine              serve
python -m coqui_engine download     fetch COQUI_MODEL into the library's cache and end (for building an image)
"""

from __future__ import annotations

import os
import sys

from .errors import ModelError
from .log import set_up_logging
from .models.base import SpeechModel
from .settings import Settings, SettingsError, parse_settings


def main(arguments: list[str]) -> int:
    try:
        settings = parse_settings(os.environ)
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"coqui: {line}", file=sys.stderr)
        return 1
    set_up_logging()
    if arguments == ["download"]:
        return _download(settings)
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2

    from .server import run

    return run(settings, _load)


def _load(settings: Settings) -> SpeechModel:
    # The library takes seconds to import: in the model's thread, while /healthz already answers.
    from .models.load import load_model

    return load_model(settings)


def _download(settings: Settings) -> int:
    from .models.load import download_model

    try:
        download_model(settings.model_name)
    except ModelError as error:
        print(f"coqui: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: that would wait for a thread that may still be loading a model.
    os._exit(status)
