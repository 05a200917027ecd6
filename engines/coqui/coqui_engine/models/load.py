"""From settings to a model that has spoken once."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from TTS.utils.manage import ModelManager
from TTS.utils.synthesizer import Synthesizer

from ..errors import ModelError
from ..languages import canonical_tag, tags_match
from ..log import log_line
from ..settings import Settings
from ..voices import Language, Voice, VoiceBook, named_voices
from .base import SpeechModel
from .sentence import SentenceModel

# Short and long, with a number (the library loads what writes numbers out on first use, which takes seconds): what is
# loaded, compiled or allocated once is there before the first request.
_WARM_UP_TEXT = "Hello. This sentence is spoken 1 time, before anybody listens, so that nobody has to wait for it."


@dataclass(frozen=True)
class _Files:
    checkpoint: Path
    config: Path
    vocoder_checkpoint: Path | None = None
    vocoder_config: Path | None = None


def load_model(settings: Settings) -> SpeechModel:
    """
    Loads the configured model, downloading it if it is named, and lets it speak once. Takes seconds to minutes.

    Raises:
        ModelError: with a message that says what to change.
    """
    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    use_gpu = settings.coqui_device == "cuda" or (settings.coqui_device == "auto" and torch.cuda.is_available())
    if use_gpu and not torch.cuda.is_available():
        raise ModelError("COQUI_DEVICE is cuda, but there is no GPU that torch can use")
    files = _find_files(settings)
    config = json.loads(files.config.read_text(encoding="utf-8"))
    is_xtts = config.get("model") == "xtts"
    if is_xtts:
        from .xtts import use_soundfile  # with it come transformers and 100 MB: only for who needs them

        use_soundfile()
    with tempfile.TemporaryDirectory() as scratch:
        config_path = _with_paths_beside(files.config, config, Path(scratch))
        synthesizer = Synthesizer(
            tts_checkpoint=files.checkpoint,
            tts_config_path=config_path,
            vocoder_checkpoint=files.vocoder_checkpoint,
            vocoder_config=files.vocoder_config,
            use_cuda=use_gpu,
        )
    model = _xtts(settings, synthesizer, use_gpu) if is_xtts else _sentence(settings, files, synthesizer)
    _warm_up(model)
    return model


def download_model(name: str) -> None:
    """Fetches a named model and its vocoder into the library's cache (for building an image)."""
    _download(name)


def _find_files(settings: Settings) -> _Files:
    if settings.coqui_checkpoint is None:
        return _download(settings.model_name)
    checkpoint = settings.coqui_checkpoint
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    config = settings.coqui_config or folder / "config.json"
    if not config.is_file():
        raise ModelError(f"COQUI_CONFIG: there is no {config}")
    if checkpoint.is_dir() and json.loads(config.read_text(encoding="utf-8")).get("model") != "xtts":
        checkpoint = ModelManager._find_files(checkpoint)[0]
    return _Files(checkpoint, config, settings.coqui_vocoder_checkpoint, settings.coqui_vocoder_config)


def _download(name: str) -> _Files:
    manager = ModelManager(progress_bar=False)
    parts = name.split("/")
    known = len(parts) == 4 and parts[0] == "tts_models"
    if known and "fairseq" not in name:
        known = parts[3] in manager.models_dict["tts_models"].get(parts[1], {}).get(parts[2], {})
    if not known:
        raise ModelError(f"COQUI_MODEL: the library knows no {name!r}; a name is like tts_models/en/ljspeech/vits")
    item, full_name, _ = manager._set_model_item(name)
    if not manager.tos_agreed(item, manager.output_prefix / full_name):
        raise ModelError(
            f"COQUI_MODEL: {name} has a licence to agree to (CPML, non-commercial): set COQUI_TOS_AGREED=1"
        )
    try:
        checkpoint, config, item = manager.download_model(name)
        vocoder: tuple[Path | None, Path | None] = (None, None)
        if item.get("default_vocoder"):
            vocoder = manager.download_model(str(item["default_vocoder"]))[:2]
    except (OSError, ValueError) as error:
        raise ModelError(f"COQUI_MODEL: {name} could not be downloaded ({type(error).__name__})") from error
    return _Files(Path(checkpoint), Path(config or checkpoint / "config.json"), *vocoder)


def _with_paths_beside(path: Path, config: dict[str, Any], scratch: Path) -> Path:
    """
    The library looks relative file names up from the working directory; a model that is a folder means the files
    beside its config.
    """
    names = (
        "speakers_file",
        "d_vector_file",
        "language_ids_file",
        "speaker_encoder_model_path",
        "speaker_encoder_config_path",
    )
    changed = False
    for section in (config, config.get("model_args") or {}):
        for name in names:
            value = section.get(name)
            values = value if isinstance(value, list) else [value]
            found = [_beside(path, item) for item in values]
            if found != values:
                section[name] = found if isinstance(value, list) else found[0]
                changed = True
    if not changed:
        return path
    copy = scratch / "config.json"
    copy.write_text(json.dumps(config), encoding="utf-8")
    return copy


def _beside(config: Path, value: Any) -> Any:
    if not isinstance(value, str) or not value or os.path.isabs(value):
        return value
    for candidate in (config.parent / value, config.parent / Path(value).name):
        if candidate.is_file():
            return str(candidate.resolve())
    return value


def _sentence(settings: Settings, files: _Files, synthesizer: Synthesizer) -> SentenceModel:
    languages = _languages(settings, synthesizer.tts_model)
    speakers = _speakers(synthesizer.tts_model)
    _check_speaker_rows(files.checkpoint, speakers)
    voices = named_voices(speakers, languages)
    voices = voices or [Voice("default", settings.model_name.split("/")[-1], languages, None)]
    book = VoiceBook(voices, default=settings.default_voice, alias=settings.voice_alias)
    return SentenceModel(synthesizer, book, max_sentence_chars=settings.max_sentence_chars)


def _xtts(settings: Settings, synthesizer: Synthesizer, use_gpu: bool) -> SpeechModel:
    from .xtts import XttsModel, can_read, clone_voices

    model: Any = synthesizer.tts_model
    cloned = clone_voices(model, settings.voices_dir) if settings.voices_dir is not None else {}
    presets = model.speaker_manager.speaker_names if model.speaker_manager is not None else []
    names = [*cloned, *(name for name in presets if name not in cloned)]
    if not names:
        raise ModelError(
            "this XTTS has no preset speakers (speakers_xtts.pth): set VOICES_DIR to a folder of recordings"
        )
    languages = tuple(language for language in _languages(settings, model) if can_read(model, language))
    if not languages:
        raise ModelError("this XTTS has no language whose texts can be read here")
    voices = named_voices(names, languages)
    wanted = settings.xtts_streaming
    return XttsModel(
        synthesizer,
        VoiceBook(voices, default=settings.default_voice, alias=settings.voice_alias),
        cloned,
        streaming=("native" if use_gpu else "sentence") if wanted == "auto" else wanted,
        chunk_tokens=settings.xtts_chunk_tokens,
        max_sentence_chars=settings.max_sentence_chars,
    )


def _languages(settings: Settings, model: Any) -> tuple[Language, ...]:
    """
    The model's languages, the default first. The library says "en" of a model that does not say what it speaks, so a
    named model's own name ("tts_models/de/...") comes before that.
    """
    names: list[str] = list(model.language_manager.name_to_id) if getattr(model, "language_manager", None) else []
    wanted = settings.coqui_language
    if len(names) > 1:
        found = tuple(Language(canonical_tag(name), name) for name in names)
        default = wanted or "en"
        first = [language for language in found if tags_match(language.tag, default)]
        if wanted is not None and not first:
            raise ModelError(f"COQUI_LANGUAGE: the model does not speak {wanted!r}; it speaks {', '.join(names)}")
        return (*first, *(language for language in found if language not in first))
    own = names[0] if names else None
    tag = canonical_tag(own) if own else "en"
    parts = settings.model_name.split("/")
    if wanted is not None:
        tag = canonical_tag(wanted)
    elif len(parts) == 4 and parts[1] != "multilingual" and not tags_match(tag, parts[1]):
        tag = canonical_tag(parts[1])
    return (Language(tag, own),)


def _speakers(model: Any) -> list[str]:
    manager = getattr(model, "speaker_manager", None)
    return list(manager.speaker_names) if manager is not None else []


def _check_speaker_rows(checkpoint: Path, speakers: list[str]) -> None:
    """A config that names more speakers than the checkpoint has loads without a word, and gives them random voices."""
    if not speakers or checkpoint.is_dir():
        return
    try:
        rows = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["model"]["emb_g.weight"].shape[
            0
        ]
    except Exception:
        return  # an older file format, or a model whose speakers are no such table
    if rows != len(speakers):
        raise ModelError(f"the config names {len(speakers)} speakers, but the checkpoint has {rows}")


def _warm_up(model: SpeechModel) -> None:
    voice = model.voices.default
    spoken = 0
    for sentence in model.split(_WARM_UP_TEXT, voice.languages[0]):
        for chunk in model.speak(sentence, voice, voice.languages[0], 1.0):
            spoken += len(chunk.wave)
    log_line("warmed_up", samples=spoken)  # 0: a model whose vocabulary has no Latin letters
