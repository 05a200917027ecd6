/**
 * What our Node services (transcoder, engines) share: an HTTP server made for streams that may last an hour, its
 * health routes, one log line a request, and a shutdown that lets running streams end.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeEnd, type StreamError } from "../protocol/envelope.ts";
import { ORIGIN, parseTarget } from "./request-target.ts";

/** How long running streams may go on after SIGTERM, in ms (Cloudflare kills a container 15 min after its SIGTERM). */
const DRAIN_MS = 30_000;

/** An answer known before the response's headers have left. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly error: StreamError;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, error: StreamError, retryAfterSeconds?: number) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** One request being answered. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** Aborted when the client goes away before the response is complete. */
  signal: AbortSignal;
  /** Added to this request's log line. */
  log: Record<string, unknown>;
}

/** Throws {@link HttpError} for a refusal; anything else thrown before the headers is a 500. */
export type Handler = (exchange: Exchange) => Promise<void> | void;

export interface ServiceOptions {
  name: string;
  /** 0: any free port. */
  port: number;
  host: string;
  /** Keyed by "METHOD /path". */
  routes: Record<string, Handler>;
  /** Why the service is not ready, or undefined when it is. */
  notReady?: () => string | undefined;
}

export interface Service {
  /** The server's base address, such as http://127.0.0.1:8790. */
  url: string;
  /** Stops accepting, waits for running exchanges (at most `drainMs`), then cuts what is left. */
  close(drainMs?: number): Promise<void>;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/**
 * Sends the headers of an envelope stream now: until they are out, a client's abort would not reach us, and the request
 * would count among those waiting for an answer.
 */
export function startEnvelopes(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  response.flushHeaders();
}

/**
 * Writes to a response and waits while its reader is slower than we are.
 * @throws the signal's reason when the client goes away.
 */
export async function writeBytes({ response, signal }: Exchange, bytes: Uint8Array): Promise<void> {
  signal.throwIfAborted();
  if (!response.write(bytes)) await once(response, "drain", { signal });
}

/**
 * The whole body of a small JSON request.
 * @throws HttpError 413 over `maxBytes`, 400 when it is not a JSON object.
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Left early, a plain `for await` would destroy the request, and the rest of the body then blocks its connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new HttpError(413, invalid("text_too_long", `the request body is over ${maxBytes} bytes`));
    }
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // answered below
  }
  throw new HttpError(400, invalid("invalid_request", "the request body must be a JSON object"));
}

/** An error that asking again will not change. */
export function invalid(reason: string, message: string): StreamError {
  return { reason, message, retryable: false };
}

export function logLine(service: string, event: string, fields: Record<string, unknown>): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), service, event, ...fields }));
}

function refuse(response: ServerResponse, { status, error, retryAfterSeconds }: HttpError): void {
  const retryAfter = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  sendJson(response, status, { error }, retryAfter);
}

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  return new HttpError(500, { reason: "internal", message: "internal error", retryable: true });
}

async function answer(service: ServiceOptions, handler: Handler, exchange: Exchange): Promise<void> {
  const { request, response, url, signal, log } = exchange;
  const started = performance.now();
  try {
    await handler(exchange);
  } catch (error) {
    if (!signal.aborted) {
      const known = asHttpError(error);
      log.error = known.error.reason;
      if (!(error instanceof HttpError)) log.stack = error instanceof Error ? error.stack : String(error);
      if (response.headersSent) response.end(encodeEnd(known.error));
      else refuse(response, known);
    }
  }
  if (signal.aborted) log.aborted = true;
  if (!request.complete) request.resume(); // a refusal may leave before the body has come
  const ms = Math.round(performance.now() - started);
  logLine(service.name, "request", {
    method: request.method,
    path: url.pathname,
    status: response.statusCode,
    ms,
    ...log,
  });
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

/** Starts a service; rejects when its port is taken. */
export async function startService(options: ServiceOptions): Promise<Service> {
  let draining = false;
  // Probes come every second or so: their answers are not worth a log line.
  const health: Record<string, Handler> = {
    "GET /healthz": ({ response }) => sendJson(response, 200, { status: "ok" }),
    "GET /readyz": ({ response }) => {
      const reason = draining ? "shutting down" : options.notReady?.();
      if (reason === undefined) sendJson(response, 200, { status: "ready" });
      else sendJson(response, 503, { status: "not_ready", reason }, { "retry-after": "1" });
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) client.abort(new Error("the client went away"));
      // Kept alive, this connection would hold up the drain.
      if (draining) setImmediate(() => server.closeIdleConnections());
    });
    response.on("error", () => {}); // a write after the client left; the abort above says so
    const target = parseTarget(request.url);
    const url = target ?? new URL(ORIGIN);
    const exchange = { request, response, url, signal: client.signal, log: {} };
    const route = `${request.method} ${url.pathname}`;
    if (!target) await answer(options, badTarget, exchange);
    else if (health[route]) await health[route](exchange);
    else await answer(options, options.routes[route] ?? unknownRoute(options, url), exchange);
  }

  const server = createServer((request, response) => {
    // Whatever is wrong with one request, the process and its other streams live on.
    serve(request, response).catch((error: unknown) => {
      logLine(options.name, "request_failed", { stack: error instanceof Error ? error.stack : String(error) });
      response.destroy();
    });
  });
  server.requestTimeout = 0; // Node's default resets any exchange after 300 s, however alive
  server.keepAliveTimeout = 120_000; // longer than a gateway keeps an idle connection, or reuse races our close
  const { port } = await listen(server, options.port, options.host);

  async function close(drainMs = DRAIN_MS): Promise<void> {
    draining = true;
    const closed = once(server, "close");
    server.close();
    server.closeIdleConnections();
    const cut = setTimeout(() => server.closeAllConnections(), drainMs);
    await closed;
    clearTimeout(cut);
  }
  return { url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`, close };
}

function badTarget(): never {
  throw new HttpError(400, invalid("invalid_request", "the request's target is neither a path nor a URL"));
}

function unknownRoute(options: ServiceOptions, url: URL): Handler {
  const known = Object.keys(options.routes).some((route) => route.endsWith(` ${url.pathname}`));
  return () => {
    if (known) throw new HttpError(405, invalid("method_not_allowed", "this path does not take that method"));
    throw new HttpError(404, invalid("not_found", "there is no such path"));
  };
}

/** Runs a service as a process of its own: says where it listens, and drains on SIGTERM and SIGINT. */
export async function runService(
  options: ServiceOptions,
  beforeExit: () => Promise<void> = async () => {},
): Promise<void> {
  const service = await startService(options).catch((error: Error) => {
    console.error(`${options.name}: cannot listen on ${options.host}:${options.port}: ${error.message}`);
    process.exit(1);
  });
  logLine(options.name, "listening", { url: service.url });
  // Node as process 1 of a container has no default action for signals.
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      logLine(options.name, "draining", { signal });
      void service
        .close()
        .then(beforeExit)
        .then(() => process.exit(0));
    });
  }
}
