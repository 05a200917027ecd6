/** The routes of sessions: judge a request, and hand it to the session's object. */
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { CreateSessionResponse } from "../../../protocol/messages.ts";
import { regionOf } from "../../upstreams/region.ts";
import { GatewayError, unknownSession } from "../../base/errors.ts";
import { logBug } from "../../base/log.ts";
import { lastKnownCatalogs } from "../../providers/catalogs.ts";
import { nativeProtocol } from "./upgrade.ts";
import { sessionStatus } from "./status.ts";
import { createSessionSchema, parse, type CreateSessionBody } from "./schemas.ts";
import { config } from "../../config/config.ts";
import { backendsFor } from "../../providers/backends.ts";
import { listed, toSpeechRequest, type SpeechAsked } from "../../synthesis/speech-request.ts";

type Request = Context<{ Bindings: Env }>;

const bodySchema = createSessionSchema(config.MAX_TEXT_CHARS);

/** A body's most bytes: every character may be written as \uXXXX, and the other fields are short. */
const MAX_BODY_BYTES = config.MAX_TEXT_CHARS * 6 + 16_384;

export const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    throw new GatewayError("payload_too_large", `the body may have at most ${MAX_BODY_BYTES} bytes`);
  },
});

async function readJson(c: Request): Promise<unknown> {
  const type = c.req.header("content-type");
  if (type !== undefined && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new GatewayError("unsupported_media_type", "the body must be application/json");
  }
  try {
    return await c.req.json();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError("invalid_request", "the body is not valid JSON");
  }
}

/** The object of a session, or undefined for what cannot be an id. Nothing is created by asking. */
function sessionStub(c: Request) {
  try {
    return c.env.SESSIONS.get(c.env.SESSIONS.idFromString(c.req.param("id") ?? ""));
  } catch {
    return undefined;
  }
}

function askedOf(body: CreateSessionBody): SpeechAsked {
  const { provider, voice, fallback, text, target_format, sample_rate_hz, language } = body;
  return {
    voices: [{ provider, voice }, ...(fallback ?? [])],
    text,
    format: target_format,
    sampleRateHz: sample_rate_hz ?? undefined,
    language: language ?? undefined,
  };
}

/** After the scheme that the client used: its own to us, or to the proxy that ends its TLS. */
function streamUrl(c: Request, id: string): string {
  const url = new URL(`/v1/tts/stream/${id}`, c.req.url);
  const forwarded = config.TRUST_PROXY === "on" ? c.req.header("x-forwarded-proto") : undefined;
  const [scheme] = (forwarded ?? url.protocol).toLowerCase().split(/[,:]/); // one a proxy, the client's first
  url.protocol = scheme?.trim() === "https" ? "wss:" : "ws:";
  return url.href;
}

export async function createSession(c: Request): Promise<Response> {
  const body = parse(bodySchema, await readJson(c));
  const region = regionOf(c.req.raw);
  const { providers } = backendsFor(region);
  const asked = askedOf(body);
  const chosen = asked.voices.map((choice, i) => {
    const provider = providers.get(choice.provider);
    if (provider) return provider;
    const field = i === 0 ? "provider" : `fallback.${i - 1}.provider`;
    const known = listed([...providers.keys()]);
    const message = `${field}: there is no ${JSON.stringify(choice.provider)}; there are ${known}`;
    throw new GatewayError("invalid_request", message, { field });
  });
  const catalogs = await lastKnownCatalogs(chosen, (work) => c.executionCtx.waitUntil(work));
  const id = c.env.SESSIONS.newUniqueId();
  await c.env.SESSIONS.get(id).create(toSpeechRequest(asked, catalogs, region));
  const created: CreateSessionResponse = { session_id: id.toString(), ws_url: streamUrl(c, id.toString()) };
  return c.json(created, 201);
}

export async function getSession(c: Request): Promise<Response> {
  const report = await sessionStub(c)?.report();
  if (!report) throw unknownSession();
  return c.json(sessionStatus(report));
}

export async function cancelSession(c: Request): Promise<Response> {
  if (!(await sessionStub(c)?.cancel())) throw unknownSession();
  return c.body(null, 204);
}

export async function openStream(c: Request): Promise<Response> {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new GatewayError("upgrade_required", "this address takes a WebSocket");
  }
  const stub = sessionStub(c);
  if (!stub) return nativeProtocol.refuse(c.req.raw, unknownSession().failure);
  try {
    return await stub.fetch(c.req.raw);
  } catch (error) {
    logBug(error, { path: c.req.path }); // new code, an overloaded machine: the platform's troubles pass
    return nativeProtocol.refuse(c.req.raw, { reason: "restarting", message: "connect again", retryAfterMs: 1000 });
  }
}
