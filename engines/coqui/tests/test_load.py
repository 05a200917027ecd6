"""Models by name and from files, with what belongs to them beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from TTS.utils.manage import ModelManager

from coqui_engine.errors import ModelError
from coqui_engine.models.load import load_model
from coqui_engine.models.sentence import SentenceModel
from coqui_engine.models.torch_state import is_repeatable
from coqui_engine.settings import parse_settings

from . import tiny_models


def with_config(folder: Path, change: Callable[[dict], None]) -> Path:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_named_model_comes_from_the_librarys_own_manager(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(_: ModelManager, name: str) -> tuple[Path, Path, dict]:
        asked.append(name)
        return models / "vits" / "model.pth", models / "vits" / "config.json", {"default_vocoder": None}

    monkeypatch.setattr(ModelManager, "download_model", download)
    model = load_model(parse_settings({"COQUI_MODEL": "tts_models/en/vctk/vits"}))
    assert asked == ["tts_models/en/vctk/vits"]
    assert model.voices.default.speaker == "alice"


def test_a_download_that_fails_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ModelManager, name: str) -> None:
        raise ConnectionError("secret proxy")

    monkeypatch.setattr(ModelManager, "download_model", fail)
    with pytest.raises(ModelError, match=r"tts_models/en/vctk/vits could not be downloaded \(ConnectionError\)"):
        load_model(parse_settings({"COQUI_MODEL": "tts_models/en/vctk/vits"}))


@pytest.mark.parametrize("name", ["vits", "vocoder_models/en/ljspeech/hifigan_v2", "tts_models/en/vctk", "../../x/y"])
def test_what_is_no_speech_model_of_the_library_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="the library knows no"):
        load_model(parse_settings({"COQUI_MODEL": name}))


def test_a_directory_is_a_model_too(models: Path) -> None:
    assert (
        load_model(parse_settings({"COQUI_CHECKPOINT": str(models / "vits")})).voices.find("carol").speaker == "carol"
    )


def test_a_speakers_file_is_found_beside_the_config(tmp_path: Path) -> None:
    folder = tiny_models.write_vits(tmp_path)
    (folder / "speaker_ids.json").write_text('{"dora": 0, "emil": 1, "fritz": 2}')

    def use_file(config: dict) -> None:
        config["speakers"] = []
        config["model_args"]["speakers_file"] = "somewhere/else/speaker_ids.json"

    with_config(folder, use_file)
    voices = load_model(parse_settings({"COQUI_CHECKPOINT": str(folder)})).voices
    assert [voice["id"] for voice in voices.as_json()] == ["coqui-en-1", "dora", "emil", "fritz"]


@pytest.mark.parametrize(
    ("own", "env", "tag"),
    [
        ("en-us", {}, "en-US"),
        ("de", {}, "de"),
        ("pt_br", {}, "pt-BR"),
        ("", {}, "en"),
        ("", {"COQUI_LANGUAGE": "nl-be"}, "nl-BE"),
    ],
)
def test_the_language_is_the_models_own_or_the_one_that_is_said(
    tmp_path: Path, own: str, env: dict[str, str], tag: str
) -> None:
    folder = with_config(
        tiny_models.write_vits(tmp_path, speakers=()),
        lambda config: config.update(phoneme_language=own, text_cleaner="basic_cleaners"),
    )
    model = load_model(parse_settings({"COQUI_CHECKPOINT": str(folder), **env}))
    assert [language.tag for language in model.voices.default.languages] == [tag]


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pth").touch()
    with pytest.raises(ModelError, match="COQUI_CONFIG: there is no"):
        load_model(parse_settings({"COQUI_CHECKPOINT": str(tmp_path / "model.pth")}))


def test_a_model_that_is_trimmed_by_the_library_is_not_trimmed_here(tmp_path: Path) -> None:
    folder = with_config(tiny_models.write_vits(tmp_path), lambda config: config["audio"].update(do_trim_silence=True))
    model = load_model(parse_settings({"COQUI_CHECKPOINT": str(folder)}))
    assert isinstance(model, SentenceModel)
    voice = model.voices.default
    (sentence,) = model.split("This keeps its end.", voice.languages[0])
    (chunk,) = model.speak(sentence, voice, voice.languages[0], 1.0)
    assert len(chunk.wave) % 256 == 0
    assert len(chunk.wave) > 20_000


def test_a_model_on_anything_but_a_cpu_does_not_claim_to_repeat_itself() -> None:
    assert is_repeatable(torch.nn.Linear(1, 1))
    assert not is_repeatable(torch.nn.Linear(1, 1, device="meta"))
