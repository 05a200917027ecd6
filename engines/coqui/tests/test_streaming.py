"""Audio leaves sentence by sentence, as whole envelopes, at the model's rate and level."""

from __future__ import annotations

import time

import httpx
import numpy as np
import pytest

from .harness import Gate, Running


def level(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))


def test_the_first_audio_of_twelve_sentences_leaves_before_a_quarter_of_them_is_spoken(
    vits: Running, gate: Gate, twelve_sentences: str
) -> None:
    with vits.stream(twelve_sentences) as stream:
        gate.wait_for(1)
        gate.let_pass()
        assert len(stream.first_audio()) > 0
        assert len(gate.texts) <= 2, "the second sentence may have begun, the third not"
        gate.open()
        spoken = stream.all()
    assert spoken.envelopes[-1] == (2, {})
    assert len(gate.texts) == 12


def test_the_first_audio_arrives_in_a_quarter_of_the_time_by_the_clock(vits: Running, twelve_sentences: str) -> None:
    started = time.monotonic()
    with vits.stream(twelve_sentences) as stream:
        stream.first_audio()
        first = time.monotonic() - started
        stream.all()
    whole = time.monotonic() - started
    print(f"\nfirst audio after {first * 1000:.0f} ms of {whole * 1000:.0f} ms")
    assert first < whole / 4


def test_headers_and_the_format_leave_before_anything_is_spoken(vits: Running, gate: Gate) -> None:
    with vits.stream("Hello.") as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "application/octet-stream"
        assert next(stream._envelopes) == (1, {"type": "format", "sample_rate": 22050})
        gate.wait_for(1)
        assert vits.engine.sentences_spoken == vits.info()["sentences_spoken"]
        gate.open()
        assert stream.all().error is None


def test_a_stream_is_format_words_audio_end(vits: Running) -> None:
    spoken = vits.speak("Hello there. How are you?")
    kinds = [value["type"] if flags == 1 else "audio" if flags == 0 else "end" for flags, value in spoken.envelopes]
    squeezed = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    assert squeezed == ["format", "word", "audio", "word", "audio", "end"]
    assert spoken.sample_rate == 22050
    assert spoken.error is None


def test_the_audio_is_what_the_library_makes_with_nothing_added(vits: Running) -> None:
    import torch

    spoken = vits.speak("Nothing is added to this.", "bob")
    torch.manual_seed(0)
    wave = vits.library_model.synthesize(text="Nothing is added to this.", speaker="bob", language="en-us")["wav"]
    assert len(spoken.wave) == len(wave)
    trailing_zeros = len(spoken.wave) - np.flatnonzero(spoken.wave)[-1] - 1
    assert trailing_zeros < 50


def test_sentences_follow_each_other_without_silence(vits: Running) -> None:
    together = vits.speak("One sentence is here. Another one follows.").wave
    apart = [vits.speak("One sentence is here.").wave, vits.speak("Another one follows.").wave]
    np.testing.assert_array_equal(together, np.concatenate(apart))


def test_the_asked_for_pause_stands_between_sentences_only(start, vits: Running) -> None:
    pausing = start("vits", SENTENCE_PAUSE_MS="100")
    text = "One sentence is here. Another one follows."
    plain, with_pause = vits.speak(text).wave, pausing.speak(text).wave
    first = len(vits.speak("One sentence is here.").wave)
    assert len(with_pause) == len(plain) + 2205
    assert not with_pause[first : first + 2205].any()
    np.testing.assert_array_equal(np.delete(with_pause, slice(first, first + 2205)), plain)
    words = pausing.speak(text).words
    assert words[4]["sample"] == vits.speak(text).words[4]["sample"] + 2205


def test_a_sentence_is_as_loud_alone_as_in_a_longer_text(vits: Running) -> None:
    sentence = "This one is measured."
    alone = vits.speak(sentence).wave
    longer = vits.speak(f"Something LOUD AND LONG comes first, much longer than the rest! {sentence}").wave
    np.testing.assert_array_equal(longer[-len(alone) :], alone)


def test_the_gain_is_fixed_and_clips(start, vits: Running) -> None:
    quiet, loud = start("vits", GAIN="0.25"), start("vits", GAIN="50")
    normal = vits.speak("How loud is this?").wave
    assert level(quiet.speak("How loud is this?").wave) == pytest.approx(level(normal) / 4, rel=0.01)
    clipped = loud.speak("How loud is this?").wave
    assert clipped.max() == 32767 or clipped.min() == -32768
    assert np.mean(np.sign(clipped) * np.sign(normal) < 0) == 0, "clipped, not wrapped round"


def test_the_same_request_gives_the_same_bytes(vits: Running) -> None:
    first = vits.speak("Say this again.", "carol", speed=1.1)
    vits.speak("Something else in between.")
    assert vits.speak("Say this again.", "carol", speed=1.1).pcm == first.pcm


def test_speakers_differ(vits: Running) -> None:
    waves = {voice: vits.speak("Who is speaking?", voice).pcm for voice in ("alice", "bob", "carol", "coqui-en-1")}
    assert len({waves["alice"], waves["bob"], waves["carol"]}) == 3
    assert waves["coqui-en-1"] == waves["alice"]


def test_speed_changes_the_length(vits: Running) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    normal, fast, slow = (len(vits.speak(text, speed=speed).wave) for speed in (1, 2, 0.5))
    assert fast < 0.7 * normal, "not half: each sound is rounded up to whole frames"
    assert slow > 1.7 * normal
    assert len(vits.speak(text).wave) == normal, "a speed does not stay with the model"


def test_large_audio_is_cut_into_envelopes(start) -> None:
    running = start("vits", MAX_SENTENCE_CHARS="2000")
    text = "A sentence " + "that goes on " * 60 + "ends."
    spoken = running.speak(text)
    sizes = [len(payload) for flags, payload in spoken.envelopes if flags == 0]
    assert sum(sizes) > 1024 * 1024
    assert max(sizes) <= 64 * 1024


def test_what_cannot_be_spoken_is_an_error_and_no_silence(vits: Running) -> None:
    for text in ("!!!", "... ?", "Привет, мир", "你好。", "🙂", "\ud83d"):
        spoken = vits.speak(text)
        assert spoken.pcm == b"", text
        assert spoken.error is not None
        assert (spoken.error["reason"], spoken.error["retryable"]) == ("nothing_to_speak", False)


def test_unspeakable_sentences_are_left_out_of_a_text(vits: Running) -> None:
    assert vits.speak("Hello. !!! Привет.").pcm == vits.speak("Hello.").pcm


@pytest.mark.parametrize(
    "failure",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), RuntimeError("out of memory")],
)
def test_running_out_of_memory_ends_the_stream_with_an_error_that_may_be_tried_again(
    vits: Running, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    real = vits.library_model.synthesize

    def failing(*args, **kwargs):
        if "second" in kwargs["text"]:
            raise failure
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(vits.library_model, "synthesize", failing)
        spoken = vits.speak("The first. The second. The third.")
    assert spoken.error == {"reason": "out_of_memory", "message": "the engine ran out of memory", "retryable": True}
    assert spoken.pcm == vits.speak("The first.").pcm
    assert vits.speak("And it goes on.").error is None


def test_another_failure_of_the_model_tells_nothing_of_its_insides(
    vits: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*args, **kwargs):
        raise ValueError("secret path /models and the text: Tell nobody.")

    with monkeypatch.context() as patch:
        patch.setattr(vits.library_model, "synthesize", failing)
        spoken = vits.speak("Tell nobody.")
    assert spoken.error == {
        "reason": "synthesis_failed",
        "message": "the model failed on this text",
        "retryable": False,
    }
    logged = ""
    deadline = time.monotonic() + 60
    while "synthesis_failed" not in logged:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        logged += capsys.readouterr().out
    assert "nobody" not in logged


def test_a_single_speaker_model_has_one_voice(start) -> None:
    single = start("single")
    voices = httpx.get(f"{single.url}/v1/voices").json()["voices"]
    assert voices == [{"id": "coqui-en-1", "name": "single", "language": "en-US"}]
    assert len(single.speak("Hello there.").wave) > 10_000


def test_words_stand_where_they_are_in_the_text_and_in_the_audio(vits: Running) -> None:
    text = "  Hello,\n 🙂 there! Dr. Smith paid $12 today."
    spoken = vits.speak(text)
    utf16 = text.encode("utf-16-le")
    heard = [utf16[2 * w["start"] : 2 * (w["start"] + w["length"])].decode("utf-16-le") for w in spoken.words]
    assert heard == ["Hello", "there", "Dr", "Smith", "paid", "12", "today"]
    samples = [word["sample"] for word in spoken.words]
    assert samples == sorted(samples)
    assert samples[-1] < len(spoken.wave)
    assert all(sample % 256 == 0 for sample in samples)


def test_words_whose_times_are_not_certain_are_left_out(vits: Running) -> None:
    spoken = vits.speak("We meet at 10:30 am. See you then.")  # a time is cleaned as a whole, not word by word
    assert [word["start"] for word in spoken.words] == [21, 25, 29]
