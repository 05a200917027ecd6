"""One JSON object a line on stdout. Never what was spoken."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

SERVICE = "coqui"


def log_line(event: str, **fields: Any) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    print(json.dumps({"time": time, "service": SERVICE, "event": event, **fields}), flush=True)


def trace(error: BaseException) -> str:
    """Where an error came from, without its message: the library's messages quote the text that was to be spoken."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(
        f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames[-8:])
    )


class _JsonHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        more = {"trace": trace(error)} if error else {}
        message = record.msg if error else record.getMessage()
        log_line("log", level=record.levelname.lower(), logger=record.name, message=str(message), **more)


def set_up_logging() -> None:
    logging.basicConfig(level=logging.WARNING, handlers=[_JsonHandler()], force=True)
    # The library logs the texts it is given, some of them as warnings.
    logging.getLogger("TTS").setLevel(logging.ERROR)
    # A client that leaves in the middle is no news; what matters of a request is in its own line.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.captureWarnings(False)
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
