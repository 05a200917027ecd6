"""The engine's routes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .engine import Engine
from .errors import ErrorBody, Refusal
from .log import log_line, trace
from .request import parse_request, text_too_long
from .stream import SpeechResponse

# A client that sends a body far too large reads our answer only when it has been allowed to send some of it.
_DISCARD_BYTES = 32 * 1024 * 1024
_DISCARD_S = 5.0


def create_app(engine: Engine) -> ASGIApp:
    """The ASGI application. The engine is started and stopped by whoever serves it."""

    async def synthesize(request: Request) -> Response | SpeechResponse:
        settings = engine.settings
        # Six bytes a character is JSON's longest way to write one (twice that beyond the BMP), and some for the rest.
        body = await _read_body(request, 12 * settings.max_chars + 16_384)
        asked = parse_request(body, settings.max_chars)
        log = _log_of(request)
        log.update(voice=asked.voice[:80], chars=len(asked.text))
        if asked.language is not None:
            log["language"] = asked.language[:40]
        return SpeechResponse(engine, engine.admit(asked), log)

    async def voices(_: Request) -> Response:
        return JSONResponse({"voices": engine.ready_model().voices.as_json()})

    async def info(_: Request) -> Response:
        return JSONResponse(engine.info())

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        reason = engine.not_ready_reason
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not_ready", "reason": reason}, 503, {"retry-after": "1"})

    app = Starlette(
        routes=[
            Route("/v1/synthesize", synthesize, methods=["POST"]),
            Route("/v1/voices", voices),
            Route("/v1/info", info),
            Route("/healthz", alive),
            Route("/readyz", ready),
        ],
        exception_handlers={Refusal: _refuse, HTTPException: _no_route, ClientDisconnect: _gone, Exception: _internal},
    )
    app.router.redirect_slashes = False
    return _with_log(app)


def _log_of(request: Request) -> dict[str, Any]:
    log: dict[str, Any] = request.scope["state"]["log"]
    return log


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    body = bytearray()
    pieces = request.stream()
    async for piece in pieces:
        body += piece
        if len(body) > limit_bytes:
            discarded = len(body)
            try:
                async with asyncio.timeout(_DISCARD_S):
                    async for rest in pieces:
                        discarded += len(rest)
                        if discarded > _DISCARD_BYTES:
                            break
            except TimeoutError:
                pass
            raise text_too_long(f"the request body must have at most {limit_bytes} bytes")
    return bytes(body)


def _error(status: int, error: ErrorBody, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": error.as_json()}, status, headers)


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    _log_of(request)["error"] = refusal.error.reason
    return _error(refusal.status, refusal.error, refusal.headers)


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        body = ErrorBody("method_not_allowed", "this path does not take that method")
    else:
        body = ErrorBody("not_found", "there is no such path")
    return _error(error.status_code, body, dict(error.headers or {}))


async def _gone(request: Request, _: Exception) -> Response:
    _log_of(request)["aborted"] = True
    return Response(status_code=400)


async def _internal(request: Request, error: Exception) -> Response:
    _log_of(request).update(error="internal", trace=trace(error))
    return _error(500, ErrorBody("internal", "internal error", retryable=True))


_UNLOGGED = {"/healthz", "/readyz", "/v1/info"}  # asked every second or so


def _with_log(app: ASGIApp) -> ASGIApp:
    """One log line a request, when it is over."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        log: dict[str, Any] = {}
        scope.setdefault("state", {})["log"] = log
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.monotonic()
        try:
            await app(scope, receive, noting_status)
        finally:
            ms = round((time.monotonic() - started) * 1000)
            if scope["path"] not in _UNLOGGED:
                log_line("request", method=scope["method"], path=scope["path"][:200], status=status, ms=ms, **log)

    return logged
