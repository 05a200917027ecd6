"""A wrong variable is one clear message at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from coqui_engine.languages import canonical_tag, tags_match
from coqui_engine.settings import Settings, SettingsError, parse_settings
from coqui_engine.voices import Language, VoiceBook, named_voices


def test_no_variable_at_all_is_the_default_model() -> None:
    assert parse_settings({}) == Settings()
    assert parse_settings({"PORT": "", "COQUI_MODEL": " "}) == Settings()


def test_variables_become_settings(tmp_path: Path) -> None:
    checkpoint = tmp_path / "nested" / "model.pth"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    settings = parse_settings({"COQUI_CHECKPOINT": str(checkpoint), "PORT": "9", "GAIN": "0.5", "VOICE_ALIAS": ""})
    assert (settings.port, settings.gain, settings.voice_alias) == (9, 0.5, "")
    assert settings.coqui_model is None
    assert settings.model_name == "nested", "a name, not a path of this machine"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PORT": "eighty"}, "PORT must be a whole number from 0 to 65535, not 'eighty'"),
        ({"PORT": "65536"}, "PORT must be a whole number from 0 to 65535, not '65536'"),
        ({"GAIN": "nan"}, "GAIN must be a number from 0 to 100, not 'nan'"),
        ({"QUEUE_LIMIT": "-1"}, "QUEUE_LIMIT must be"),
        ({"QUEUE_LIMIT": "1.5"}, "QUEUE_LIMIT must be a whole number"),
        ({"COQUI_DEVICE": "tpu"}, "COQUI_DEVICE must be one of auto, cpu, cuda, not 'tpu'"),
        ({"COQUI_CHECKPOINT": "/no/such/model.pth"}, "COQUI_CHECKPOINT: there is no /no/such/model.pth"),
        ({"COQUI_CHECKPOINT": "/", "COQUI_MODEL": "tts_models/en/ljspeech/vits"}, "both set"),
        ({"COQUI_CONFIG": "/"}, "COQUI_CONFIG needs COQUI_CHECKPOINT"),
        ({"COQUI_VOCODER_CONFIG": "/"}, "need each other"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(env: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_settings(env)
    assert message in str(error.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        parse_settings({"PORT": "x", "GAIN": "y"})
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "tag"),
    [("en", "en"), ("EN_us", "en-US"), ("zh-cn", "zh-CN"), ("sr-latn-rs", "sr-Latn-RS"), ("", "und"), ("x!", "und")],
)
def test_canonical_tags(name: str, tag: str) -> None:
    assert canonical_tag(name) == tag


def test_tags_match_by_whole_subtags() -> None:
    assert tags_match("en", "en-US")
    assert tags_match("en-us", "EN")
    assert not tags_match("en-GB", "en-US")
    assert not tags_match("en", "e")


def test_voice_ids_have_no_white_space_and_are_unique() -> None:
    voices = named_voices(["ED\n", "Claribel Dervla", "Claribel-Dervla", " "], (Language("en", None),))
    assert [voice.id for voice in voices] == ["ED", "Claribel-Dervla", "Claribel-Dervla-2", "unnamed"]
    assert [voice.speaker for voice in voices] == ["ED\n", "Claribel Dervla", "Claribel-Dervla", " "]


def test_an_alias_that_is_a_speaker_of_the_model_stays_that_speaker() -> None:
    voices = named_voices(["alice", "coqui-en-1"], (Language("en", None),))
    book = VoiceBook(voices, default=None, alias="coqui-en-1")
    assert book.find("coqui-en-1").speaker == "coqui-en-1"
    assert len(book.as_json()) == 2
