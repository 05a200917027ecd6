"""The engine as a process: how it starts, drains and ends, and that its memory stays flat."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from coqui_engine.engine import Engine

from .harness import Running

ENGINE_DIR = Path(__file__).resolve().parent.parent


class Process(Running):
    """An engine in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        super().__init__(engine=None, url=url)  # type: ignore[arg-type]
        self.process = process
        self._log = log

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line]

    def until_ready(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)


def spawn(log: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "coqui_engine"],
        cwd=ENGINE_DIR,
        env={"PATH": os.environ["PATH"], "HOME": str(log.parent), "PORT": "0", **env},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(folder: Path, **env: str) -> Iterator[Process]:
    log = folder / "log.jsonl"
    process = spawn(log, **env)
    try:
        url = None
        deadline = time.monotonic() + 60
        while url is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
            lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
            url = next((line["url"] for line in lines if line["event"] == "listening"), None)
        yield Process(process, url, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def checkpoint(models: Path) -> str:
    return str(models / "vits" / "model.pth")


def test_it_listens_at_once_and_is_ready_later(tmp_path: Path, checkpoint: str) -> None:
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint) as engine:
        assert httpx.get(f"{engine.url}/healthz").status_code == 200
        assert httpx.get(f"{engine.url}/readyz").status_code == 503
        engine.until_ready()
        assert engine.speak("Hello.").error is None


def test_sigterm_lets_a_running_stream_end_and_exits_with_0(
    tmp_path: Path, checkpoint: str, twelve_sentences: str
) -> None:
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint) as engine:
        engine.until_ready()
        with engine.stream(twelve_sentences) as stream:
            stream.first_audio()
            engine.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{engine.url}/healthz")
            assert stream.all().error is None
        assert engine.process.wait(10) == 0
        assert [line for line in engine.log_lines() if line["event"] == "request"][-1]["sentences"] == 12


def test_what_does_not_end_in_time_is_cut_off(tmp_path: Path, checkpoint: str) -> None:
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint, DRAIN_S="1", BUFFER_SECONDS="1") as engine:
        engine.until_ready()
        with engine.stream("This sentence is one of very many. " * 140) as stream:
            stream.first_audio()
            engine.process.send_signal(signal.SIGTERM)
            assert engine.process.wait(15) == 0


def test_sigterm_while_the_model_loads_exits_with_0(tmp_path: Path, checkpoint: str) -> None:
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint) as engine:
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(15) == 0


def test_a_port_that_is_taken_is_one_message(tmp_path: Path, checkpoint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = spawn(tmp_path / "log", COQUI_CHECKPOINT=checkpoint, PORT=str(port))
        assert process.wait(30) == 1
    assert f"coqui: cannot listen on 127.0.0.1:{port}" in (tmp_path / "log").read_text()


def test_a_wrong_setting_is_one_message_and_no_stack(tmp_path: Path) -> None:
    process = spawn(tmp_path / "log", QUEUE_LIMIT="many")
    assert process.wait(30) == 1
    assert (tmp_path / "log").read_text() == "coqui: QUEUE_LIMIT must be a whole number from 0 to 10000, not 'many'\n"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"COQUI_MODEL": "tts_models/en/no/such"}, "COQUI_MODEL: the library knows no 'tts_models/en/no/such'"),
        ({"COQUI_MODEL": "tts_models/multilingual/multi-dataset/xtts_v2"}, "set COQUI_TOS_AGREED=1"),
        ({"COQUI_CHECKPOINT": "VITS", "DEFAULT_VOICE": "zoe"}, "DEFAULT_VOICE: the model has no speaker 'zoe'"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_process_with_a_message(
    tmp_path: Path, checkpoint: str, env: dict[str, str], message: str
) -> None:
    env = {name: value.replace("VITS", checkpoint) for name, value in env.items()}
    process = spawn(tmp_path / "log", **env)
    assert process.wait(60) == 1
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert message in next(line["message"] for line in lines if line["event"] == "failed")


def test_a_request_is_one_line_of_log_without_its_text(tmp_path: Path, checkpoint: str) -> None:
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint) as engine:
        engine.until_ready()
        engine.speak("Secretive words, ünspeakable ones too: Ж.", "bob", language="en", speed=1.5)
        time.sleep(0.2)
        (line,) = [line for line in engine.log_lines() if line["event"] == "request"]
        assert line.items() >= {"method": "POST", "path": "/v1/synthesize", "status": 200, "voice": "bob"}.items()
        assert line.keys() >= {"ms", "first_audio_ms", "chars", "samples", "sentences", "language"}
        assert "Secretive" not in (tmp_path / "log.jsonl").read_text()


def test_memory_stays_flat_over_300_requests(tmp_path: Path, checkpoint: str) -> None:
    words = (
        "time",
        "river",
        "stone",
        "which",
        "cannot",
        "seven",
        "under",
        "longer",
        "morning",
        "of",
        "light",
        "people",
    )
    with running(tmp_path, COQUI_CHECKPOINT=checkpoint) as engine:
        engine.until_ready()
        process = psutil.Process(engine.process.pid)
        at: dict[int, float] = {0: process.memory_info().rss / 1e6}
        with httpx.Client() as client:
            for number in range(1, 301):
                count = 2 + number * 37 % 59
                text = " ".join(words[(number * 7 + i * 5) % len(words)] for i in range(count)) + "."
                answer = client.post(
                    f"{engine.url}/v1/synthesize",
                    json={"text": text, "voice": ("alice", "bob", "carol")[number % 3]},
                    timeout=60,
                )
                assert answer.status_code == 200
                assert answer.content.endswith(b"\x02\x00\x00\x00\x02{}")
                if number in (1, 50, 100, 200, 300):
                    at[number] = process.memory_info().rss / 1e6
        print("\nresident MB after n requests:", {n: round(mb) for n, mb in at.items()})
        assert at[300] <= 1.15 * at[50]


def test_engine_close_is_harmless_twice() -> None:
    from coqui_engine.settings import Settings

    engine = Engine(Settings(), lambda _: None)  # type: ignore[arg-type,return-value]
    engine.close()
    engine.close()
