/** The route table. No audio passes here: a stream's socket is handed to its session. */
import { Hono } from "hono";
import { cors } from "hono/cors";
import { etag, RETAINED_304_HEADERS } from "hono/etag";
import { failureOf, GatewayError, problemResponse } from "./base/errors.ts";
import { logRequests, logBug } from "./base/log.ts";
import { getClientFile } from "./api/native/client-file.ts";
import { getReadiness } from "./api/native/readiness.ts";
import { cancelSession, createSession, getSession, limitBody, openStream } from "./api/native/sessions.ts";
import { listVoices } from "./api/native/voices.ts";
import { nativeProtocol } from "./api/native/upgrade.ts";
import { SessionObject } from "./session/session.ts";

export { CircuitBreaker } from "./breaker/circuit-breaker.ts";
export { CoquiContainer, EspeakContainer, TranscoderContainer } from "./upstreams/containers/host.ts";

/** The object of one session, whose clients talk the native protocol. */
export class Session extends SessionObject {
  protected override readonly protocol = nativeProtocol;
}

const app = new Hono<{ Bindings: Env }>();

const allowAnyOrigin = cors({ origin: "*", exposeHeaders: ["Retry-After"] });
const etagged = etag({ retainedHeaders: [...RETAINED_304_HEADERS, "access-control-allow-origin"] });

app.use(logRequests);
// Not for an upgrade: its answer's headers are immutable, and browsers ask no leave for a WebSocket.
app.use((c, next) => (c.req.header("upgrade") ? next() : allowAnyOrigin(c, next)));

app.post("/v1/tts/sessions", limitBody, createSession);
app.get("/v1/tts/sessions/:id", getSession);
app.delete("/v1/tts/sessions/:id", cancelSession);
app.get("/v1/tts/stream/:id", openStream);
app.get("/v1/voices", listVoices);
app.get("/client.js", etagged, getClientFile);
app.get("/healthz", (c) => c.json({ status: "ok" }));
app.get("/readyz", getReadiness);

app.notFound((c) =>
  problemResponse(new GatewayError("not_found", `there is no ${c.req.method} ${c.req.path}`).failure),
);
app.onError((error) => {
  if (!(error instanceof GatewayError)) logBug(error);
  return problemResponse(failureOf(error));
});

export default app;
