"""XTTS: presets and clones, streamed within a sentence or by sentence, within the limits of each language."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from coqui_engine.errors import ModelError
from coqui_engine.models.load import load_model
from coqui_engine.models.xtts import can_read
from coqui_engine.settings import parse_settings
from coqui_engine.voices import Language

from . import tiny_models
from .harness import Running, serve

TEXT = "Hello there my friend."


@pytest.fixture(scope="module")
def voices_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    tiny_models.write_reference_wav(folder / "dora.wav")
    tiny_models.write_reference_wav(folder / "emil" / "one.wav", pitch_hz=90)
    tiny_models.write_reference_wav(folder / "emil" / "two.wav", pitch_hz=100)
    (folder / "broken.wav").write_bytes(b"no recording")
    (folder / "notes.txt").write_text("not a voice")
    return folder


@pytest.fixture(scope="module")
def native(xtts_model: Path, voices_dir: Path):
    env = {
        "PORT": "0",
        "COQUI_CHECKPOINT": str(xtts_model),
        "XTTS_STREAMING": "native",
        "XTTS_CHUNK_TOKENS": "8",
        "VOICES_DIR": str(voices_dir),
    }
    with serve(parse_settings(env)) as running:
        yield running


@pytest.fixture(scope="module")
def by_sentence(xtts_model: Path):
    with serve(parse_settings({"PORT": "0", "COQUI_CHECKPOINT": str(xtts_model)})) as running:
        yield running


@contextmanager
def stopping_sometimes(running: Running) -> Iterator[None]:
    """Lets the stop token win now and then, as it does in a trained model."""
    model = running.library_model
    bias, stop = model.gpt.mel_head.bias.data, model.args.gpt_stop_audio_token
    never = bias[stop].item()
    bias[stop] = 1.5
    yield
    bias[stop] = never


def test_voices_are_presets_and_clones_in_every_language(native: Running) -> None:
    voices = httpx.get(f"{native.url}/v1/voices").json()["voices"]
    assert {voice["id"] for voice in voices} == {"coqui-en-1", "dora", "emil", "ana", "boris"}
    assert all(voice["language"] == "en" and voice["languages"] == ["en", "de"] for voice in voices)
    assert native.info()["streaming"] == "native"
    assert native.info()["repeatable"]


def test_a_language_whose_texts_cannot_be_read_here_is_not_offered(native: Running) -> None:
    model = native.library_model
    assert can_read(model, Language("de", "de"))
    assert not can_read(model, Language("ja", "ja"))
    assert not can_read(model, Language("xx", "xx"))


def test_on_a_cpu_xtts_speaks_by_sentence_unless_told_otherwise(by_sentence: Running) -> None:
    assert by_sentence.info()["streaming"] == "sentence"
    spoken = by_sentence.speak("Hello there. My friend.")
    assert spoken.sample_rate == 24000
    assert spoken.error is None
    assert len(spoken.wave) > 0


@pytest.mark.parametrize("speed", [1.0, 0.8, 2.0, 4.0])
@pytest.mark.parametrize("chunk_tokens", [8, 7 * 3, 20, 500])
def test_streamed_speech_is_as_long_as_speech_in_one_piece(
    native: Running, by_sentence: Running, monkeypatch: pytest.MonkeyPatch, chunk_tokens: int, speed: float
) -> None:
    monkeypatch.setattr(native.engine.model, "_chunk_tokens", chunk_tokens)
    streamed = native.speak(TEXT, "ana", speed=speed).wave
    whole = by_sentence.speak(TEXT, "ana", speed=speed).wave
    assert abs(len(streamed) - len(whole)) <= 256
    tail = min(1000, len(whole) // 4)
    difference = streamed[-tail:].astype(int) - whole[len(whole) - tail :]
    assert np.abs(difference).max() < 300, "the tail is the sentence's own"


def test_the_tail_is_there_wherever_the_model_stops(native: Running, by_sentence: Running) -> None:
    lengths = set()
    with stopping_sometimes(native), stopping_sometimes(by_sentence):
        for word in ("one", "two", "three", "four", "five", "six", "seven", "eight"):
            streamed = native.speak(f"{word} words.", "boris").wave
            whole = by_sentence.speak(f"{word} words.", "boris").wave
            assert abs(len(streamed) - len(whole)) <= 256
            lengths.add(len(whole))
    assert len(lengths) > 3, "the model stopped at different places"


def test_native_streaming_gives_audio_before_the_sentence_is_made(native: Running) -> None:
    sizes = []
    model = native.engine.model
    assert model is not None
    voice = model.voices.find("ana")
    (sentence,) = model.split(TEXT, voice.languages[0])
    sizes = [len(chunk.wave) for chunk in model.speak(sentence, voice, voice.languages[0], 1.0)]
    assert len(sizes) >= 3
    assert min(sizes) > 0


def test_a_client_that_leaves_stops_the_model_within_a_sentence(
    native: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = native.library_model.hifigan_decoder
    real, calls = decoder.forward, []

    def counted(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(decoder, "forward", counted)
    with native.stream(f"{TEXT} And there is much more to come.") as stream:
        stream.first_audio()
    native.until(lambda info: info["syntheses_active"] == 0)
    assert len(calls) <= 3
    native.speak(TEXT)
    assert len(calls) >= 4


def test_a_request_after_an_abandoned_one_is_whole(native: Running) -> None:
    before = native.speak(TEXT, "ana").pcm
    with native.stream("Another text that is left.", "boris") as stream:
        stream.first_audio()
    assert native.speak(TEXT, "ana").pcm == before


def test_cloned_voices_are_computed_once_and_differ(native: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args, **kwargs):
        raise AssertionError("latents are computed at start")

    monkeypatch.setattr(native.library_model, "get_conditioning_latents", never)
    waves = {name: native.speak(TEXT, name).pcm for name in ("dora", "emil", "ana", "boris")}
    assert len(set(waves.values())) == 4


def test_reference_recordings_are_read_without_torchcodec(native: Running) -> None:
    assert "torchcodec" not in sys.modules


@pytest.mark.parametrize(("language", "limit"), [("en", 250), ("de", 253), ("zh-cn", 82), ("ja", 71), ("ru", 182)])
def test_each_language_has_its_own_limit(
    native: Running, monkeypatch: pytest.MonkeyPatch, language: str, limit: int
) -> None:
    model = native.engine.model
    assert model is not None
    # The tiny vocabulary is of Latin letters; what is counted here is characters.
    monkeypatch.setattr(model._model.tokenizer, "preprocess_text", lambda text, lang: text)
    text = "word, " * 200
    sentences = model.split(text, Language(language, language))
    assert max(len(sentence.spoken) for sentence in sentences) <= limit
    assert len(sentences) == pytest.approx(len(text) / limit, rel=0.25)
    assert "".join(sentence.spoken for sentence in sentences).replace(" ", "") == text.replace(" ", "")


def test_a_long_text_keeps_to_the_limit_on_its_way_to_the_library(
    native: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    real = native.library_model.inference_stream

    def noting(text, *args, **kwargs):
        heard.append(text)
        return real(text, *args, **kwargs)

    monkeypatch.setattr(native.library_model, "inference_stream", noting)
    text = "So it goes on and on, " * 30 + "and ends."
    assert native.speak(text, "ana").error is None
    assert len(heard) >= 3
    assert max(map(len, heard)) <= 250


def test_a_text_with_too_many_tokens_is_cut_further(native: Running) -> None:
    # 64 characters, but written out in words they are over the model's 402 tokens.
    spoken = native.speak("1111111 " * 8, "ana")
    assert spoken.error is None
    assert len(spoken.wave) > 0


def test_the_language_asked_for_reaches_the_model(native: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    real = native.library_model.inference_stream

    def noting(text, language, *args, **kwargs):
        heard.append(language)
        return real(text, language, *args, **kwargs)

    monkeypatch.setattr(native.library_model, "inference_stream", noting)
    for language in ("de-AT", "en-US", "de"):
        assert native.speak("Hallo.", "ana", language=language).error is None
    native.speak("Hello.", "ana")
    assert heard == ["de", "en", "de", "en"]
    assert (
        native.refuse(text="Hello.", voice="ana", language="auto").json()["error"]["reason"] == "unsupported_language"
    )


@pytest.mark.parametrize("text", ["!!!", "...", "你好"])
def test_nothing_speakable_is_an_error(native: Running, text: str) -> None:
    spoken = native.speak(text, "ana")
    assert spoken.error is not None
    assert spoken.error["reason"] == "nothing_to_speak"
    assert spoken.pcm == b""


def test_a_model_without_any_voice_is_refused(xtts_model: Path, tmp_path: Path, start: Callable[..., Running]) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in xtts_model.iterdir():
        if file.name != "speakers_xtts.pth":
            (bare / file.name).symlink_to(file)
    with pytest.raises(ModelError, match="set VOICES_DIR"):
        load_model(parse_settings({"COQUI_CHECKPOINT": str(bare)}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no usable recording"):
        load_model(parse_settings({"COQUI_CHECKPOINT": str(bare), "VOICES_DIR": str(tmp_path / "empty")}))
