from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import tiny_models
from .harness import Gate, Running, serve


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vits/ with three speakers, single/ with none."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.write_vits(folder / "vits")
    tiny_models.write_vits(folder / "single", speakers=())
    return folder


@pytest.fixture(scope="session")
def xtts_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_xtts(tmp_path_factory.mktemp("xtts"))


@pytest.fixture(scope="session")
def session_vits(models: Path) -> Iterator[Running]:
    from coqui_engine.settings import parse_settings

    env = {"PORT": "0", "COQUI_CHECKPOINT": str(models / "vits" / "model.pth"), "QUEUE_LIMIT": "1", "MAX_CHARS": "2000"}
    with serve(parse_settings(env)) as running:
        yield running


@pytest.fixture
def vits(session_vits: Running) -> Iterator[Running]:
    """The three-speaker model; one request may wait."""
    yield session_vits
    session_vits.until(lambda info: info["syntheses_active"] == 0 and info["queued"] == 0)


@pytest.fixture
def start(models: Path) -> Iterator[Callable[..., Running]]:
    """Serves a model with settings of its own, for this test alone: start("vits", GAIN="2")."""
    from coqui_engine.settings import parse_settings

    with ExitStack() as stack:

        def start_one(model: str | Path, **env: str) -> Running:
            checkpoint = models / model / "model.pth" if isinstance(model, str) else model
            settings = parse_settings({"PORT": "0", "COQUI_CHECKPOINT": str(checkpoint), **env})
            return stack.enter_context(serve(settings))

        yield start_one


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, vits: Running) -> Iterator[Gate]:
    """Holds every sentence of `vits` until it is let pass."""
    gate = Gate(monkeypatch, vits)
    yield gate
    gate.open()


NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TWELVE_SENTENCES = " ".join(f"This is sentence {number} of a text that has twelve of them." for number in NUMBERS)


@pytest.fixture
def twelve_sentences() -> str:
    return TWELVE_SENTENCES
