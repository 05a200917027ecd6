"""What is refused, and that it is refused at once; who waits, and for how long."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import numpy as np
import pytest

from coqui_engine.errors import ModelError
from coqui_engine.models.load import load_model
from coqui_engine.settings import parse_settings

from .harness import Gate, Running, Spoken, serve


def check(answer: httpx.Response, status: int, reason: str, *, retryable: bool = False) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"reason", "message", "retryable"}
    assert error["reason"] == reason
    assert error["retryable"] is retryable
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1
    return error["message"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"voice": "bob"}, "text"),
        ({"text": "", "voice": "bob"}, "text"),
        ({"text": " \n\t", "voice": "bob"}, "text"),
        ({"text": 5, "voice": "bob"}, "text"),
        ({"text": ["Hello"], "voice": "bob"}, "text"),
        ({"text": None, "voice": "bob"}, "text"),
        ({"text": "Hello."}, "voice"),
        ({"text": "Hello.", "voice": 7}, "voice"),
        ({"text": "Hello.", "voice": "bob", "language": 3}, "language"),
        ({"text": "Hello.", "voice": "bob", "speed": "fast"}, "speed"),
        ({"text": "Hello.", "voice": "bob", "speed": True}, "speed"),
        ({"text": "Hello.", "voice": "bob", "speed": 0.2}, "speed"),
        ({"text": "Hello.", "voice": "bob", "speed": 4.1}, "speed"),
        ({"text": "Hello.", "voice": "bob", "speed": -1}, "speed"),
    ],
)
def test_a_wrong_field_is_named(vits: Running, body: dict, names: str) -> None:
    assert names in check(httpx.post(f"{vits.url}/v1/synthesize", json=body), 400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"text":"Hello.","voice":"bob"',
        b"\xff\xfe",
        b'{"text":"Hello.","voice":"bob","speed":NaN}',
        b'{"text":"Hello.","voice":"bob","speed":1e999}',
        b"[" * 5000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(vits: Running, body: bytes) -> None:
    check(httpx.post(f"{vits.url}/v1/synthesize", content=body), 400, "invalid_request")


def test_unknown_fields_and_nulls_are_ignored(vits: Running) -> None:
    spoken = vits.speak("Hello.", "bob", language=None, speed=None, pitch=3, provider={"a": [1]})
    assert spoken.pcm == vits.speak("Hello.", "bob").pcm


def test_an_unknown_voice_is_404(vits: Running) -> None:
    for voice in ("mallory", "", "Bob", " bob", "bo"):
        assert "alice" in check(vits.refuse(text="Hello.", voice=voice), 404, "unknown_voice")


@pytest.mark.parametrize("language", ["en", "EN", "en-US", "en-us", "en-US-x-old"])
def test_a_language_matches_by_prefix_either_way(vits: Running, language: str) -> None:
    assert vits.speak("Hello.", "bob", language=language).error is None


@pytest.mark.parametrize("language", ["de", "en-GB", "e", "eng", "auto", "en_GB", "", " "])
def test_another_language_is_refused(vits: Running, language: str) -> None:
    assert "en-US" in check(vits.refuse(text="Hello.", voice="bob", language=language), 400, "unsupported_language")


def test_a_text_over_the_limit_is_413(vits: Running) -> None:
    assert "2000" in check(vits.refuse(text="a" * 2001, voice="bob"), 413, "text_too_long")


def test_a_text_at_the_limit_is_not(vits: Running) -> None:
    text = "\U0001f642" * 1990 + " Hello.   "  # as JSON, twelve bytes each
    assert len(text) == 2000
    assert vits.speak(text).error is None


def test_a_huge_body_is_413_and_the_answer_arrives(vits: Running) -> None:
    body = b'{"text":"' + b"a" * 8_000_000 + b'"}'
    check(httpx.post(f"{vits.url}/v1/synthesize", content=body, timeout=30), 413, "text_too_long")


def test_other_paths_and_methods_have_the_same_shape_of_error(vits: Running) -> None:
    check(httpx.get(f"{vits.url}/v2"), 404, "not_found")
    check(httpx.post(f"{vits.url}/v1/synthesize/", json={}), 404, "not_found")
    answer = httpx.get(f"{vits.url}/v1/synthesize")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    check(httpx.post(f"{vits.url}/v1/voices"), 405, "method_not_allowed")


def test_the_routes_of_a_ready_engine(vits: Running) -> None:
    assert httpx.get(f"{vits.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{vits.url}/readyz").json() == {"status": "ready"}
    voices = httpx.get(f"{vits.url}/v1/voices").json()["voices"]
    assert voices == [
        {"id": "coqui-en-1", "name": "alice", "language": "en-US"},
        {"id": "alice", "name": "alice", "language": "en-US"},
        {"id": "bob", "name": "bob", "language": "en-US"},
        {"id": "carol", "name": "carol", "language": "en-US"},
    ]
    info = vits.info()
    assert (
        info.items()
        >= {
            "engine": "coqui-tts",
            "version": "0.28.0",
            "model": "vits",
            "sample_rate": 22050,
            "max_chars": 2000,
            "streaming": "sentence",
            "repeatable": True,
            "queued": 0,
            "syntheses_active": 0,
        }.items()
    )


def test_the_default_voice_can_be_chosen(start) -> None:
    running = start("vits", DEFAULT_VOICE="carol", VOICE_ALIAS="the-voice")
    assert running.speak("Hello.", "the-voice").pcm == running.speak("Hello.", "carol").pcm
    check(running.refuse(text="Hello.", voice="coqui-en-1"), 404, "unknown_voice")


def test_while_the_model_loads_the_engine_is_alive_and_not_ready(models) -> None:
    may_load = threading.Event()

    def slow_load(settings):
        may_load.wait()
        return load_model(settings)

    settings = parse_settings({"PORT": "0", "COQUI_CHECKPOINT": str(models / "vits" / "model.pth")})
    with serve(settings, slow_load, ready=False) as running:
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        answer = httpx.get(f"{running.url}/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not_ready", "reason": "loading the model"}
        check(running.refuse(text="Hello.", voice="bob"), 503, "not_ready", retryable=True)
        check(running.refuse(text="", voice="bob"), 400, "invalid_request")
        check(httpx.get(f"{running.url}/v1/voices"), 503, "not_ready", retryable=True)
        check(httpx.get(f"{running.url}/v1/info"), 503, "not_ready", retryable=True)
        may_load.set()
        deadline = time.monotonic() + 30
        while httpx.get(f"{running.url}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert running.speak("Hello.", "bob").error is None


def test_a_config_with_more_speakers_than_the_checkpoint_is_refused(tmp_path) -> None:
    from . import tiny_models

    folder = tiny_models.write_vits(tmp_path, config_speakers=["alice", "bob", "carol", "dave"])
    settings = parse_settings({"PORT": "0", "COQUI_CHECKPOINT": str(folder / "model.pth")})
    with pytest.raises(ModelError, match="names 4 speakers, but the checkpoint has 3"):
        load_model(settings)


def in_thread(running: Running, results: dict[str, Spoken], name: str, text: str, voice: str) -> threading.Thread:
    thread = threading.Thread(target=lambda: results.update({name: running.speak(text, voice)}))
    thread.start()
    return thread


def test_a_second_request_waits_its_turn_and_a_third_is_told_to_come_back(vits: Running, gate: Gate) -> None:
    gate.let_pass(100)
    alone = {voice: vits.speak(f"I am {voice}. I say this.", voice).pcm for voice in ("alice", "bob")}
    while gate._passes.acquire(blocking=False):
        pass
    begun = len(gate.texts)
    results: dict[str, Spoken] = {}
    threads = [in_thread(vits, results, "alice", "I am alice. I say this.", "alice")]
    gate.wait_for(begun + 1)
    threads.append(in_thread(vits, results, "bob", "I am bob. I say this.", "bob"))
    info = vits.until(lambda info: info["queued"] == 1)
    assert info["syntheses_active"] == 1
    started = time.monotonic()
    check(vits.refuse(text="I am carol.", voice="carol"), 503, "busy", retryable=True)
    assert time.monotonic() - started < 1
    gate.open()
    for thread in threads:
        thread.join()
    assert {voice: spoken.pcm for voice, spoken in results.items()} == alone
    assert gate.texts[begun:] == ["I am alice.", "I say this.", "I am bob.", "I say this."]


def test_many_at_once_each_hear_their_own_voice_and_words(start) -> None:
    running = start("vits", QUEUE_LIMIT="20")
    texts = {
        f"{voice}{n}": ("word " * (n + 1) + "end.", voice) for voice in ("alice", "bob", "carol") for n in range(4)
    }
    alone = {name: running.speak(text, voice).pcm for name, (text, voice) in texts.items()}
    results: dict[str, Spoken] = {}
    threads = [in_thread(running, results, name, text, voice) for name, (text, voice) in texts.items()]
    for thread in threads:
        thread.join()
    assert {name: spoken.pcm for name, spoken in results.items()} == alone


def test_with_no_line_a_second_request_is_busy(start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("vits", QUEUE_LIMIT="0")
    gate = Gate(monkeypatch, running)
    results: dict[str, Spoken] = {}
    thread = in_thread(running, results, "one", "Hello there.", "alice")
    gate.wait_for(1)
    check(running.refuse(text="Hello.", voice="bob"), 503, "busy", retryable=True)
    gate.open()
    thread.join()
    assert running.speak("Hello.", "bob").error is None


def test_a_client_that_leaves_stops_the_synthesis(vits: Running, gate: Gate, twelve_sentences: str) -> None:
    with vits.stream(twelve_sentences) as stream:
        gate.wait_for(1)
        gate.let_pass()
        stream.first_audio()
        gate.wait_for(2)
        assert vits.info()["syntheses_active"] == 1
    gate.let_pass()  # the sentence being spoken cannot be stopped
    vits.until(lambda info: info["syntheses_active"] == 0)
    gate.open()
    time.sleep(0.2)
    assert len(gate.texts) == 2


def test_a_client_that_leaves_while_it_waits_is_forgotten(vits: Running, gate: Gate) -> None:
    with vits.stream("I am first.") as first:
        gate.wait_for(1)
        with vits.stream("I am second.") as second:
            assert second.response.status_code == 200, "its headers have left although it waits"
            vits.until(lambda info: info["queued"] == 1)
        vits.until(lambda info: info["queued"] == 0)
        gate.open()
        assert first.all().error is None
    assert "I am second." not in gate.texts


def test_a_client_that_leaves_during_the_request_body_does_no_harm(vits: Running) -> None:
    address = vits.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(b"POST /v1/synthesize HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert vits.speak("Still here.").error is None
    vits.until(lambda _: vits.engine.streams_open == 0)


def slow_reader(running: Running, text: str, voice: str) -> socket.socket:
    """Asks, and reads nothing of the answer."""
    host, port = running.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    body = json.dumps({"text": text, "voice": voice}).encode()
    head = f"POST /v1/synthesize HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


LONG = " ".join(f"This is sentence number {'and again ' * 12} and its end." for _ in range(30))


def test_the_model_is_not_held_for_a_reader_that_does_not_read(start) -> None:
    running = start("vits", QUEUE_LIMIT="0", BUFFER_SECONDS="20", WRITE_TIMEOUT_S="20")
    with slow_reader(running, LONG, "alice"):
        running.until(lambda info: info["syntheses_active"] == 1)
        deadline = time.monotonic() + 30
        # While it computes the model is taken; once the buffer is full it is free, though the reader is still there.
        while (answer := running.refuse(text="Hello.", voice="bob")).status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answer.status_code == 200
        info = running.info()
        assert info["syntheses_active"] == 1
        assert 2 < info["sentences_spoken"] < 30
    running.until(lambda info: info["syntheses_active"] == 0)


def test_a_paused_request_goes_on_when_its_reader_reads(start) -> None:
    running = start("vits", BUFFER_SECONDS="5")
    text = " ".join(["Read this slowly, please."] * 30)
    with running.stream(text, "carol") as stream:
        stream.first_audio()
        time.sleep(1.5)
        between = running.speak("Hello there.", "bob")
        rest = stream.all()
    assert rest.error is None
    assert between.pcm == running.speak("Hello there.", "bob").pcm
    again = running.speak(text, "carol")
    first = len(next(payload for flags, payload in again.envelopes if flags == 0))
    np.testing.assert_array_equal(np.frombuffer(rest.pcm, "<i2"), again.wave[first // 2 :])


def test_a_stalled_reader_is_cut_off(start) -> None:
    running = start("vits", BUFFER_SECONDS="10", WRITE_TIMEOUT_S="0.5")
    with slow_reader(running, LONG, "alice"):
        running.until(lambda info: info["syntheses_active"] == 1)
        running.until(lambda info: info["syntheses_active"] == 0, seconds=20)
    assert running.engine.streams_open == 0


def test_open_streams_are_bounded(start) -> None:
    running = start("vits", MAX_STREAMS="1", BUFFER_SECONDS="1")
    with slow_reader(running, LONG, "alice"):
        running.until(lambda info: info["syntheses_active"] == 1)
        check(running.refuse(text="Hello.", voice="bob"), 503, "busy", retryable=True)
    running.until(lambda info: info["syntheses_active"] == 0)
    assert running.speak("Hello.").error is None
