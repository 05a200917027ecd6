/** GET /readyz: the state of everything the gateway needs. */
import { env } from "cloudflare:workers";
import type { Context } from "hono";
import type { Background } from "../../breaker/circuit-client.ts";
import { regionOf } from "../../upstreams/region.ts";
import { GatewayError } from "../../base/errors.ts";
import { ASK_TIMEOUT_MS, currentCatalog } from "../../providers/catalogs.ts";
import type { Provider } from "../../providers/provider.ts";
import { backendsFor } from "../../providers/backends.ts";
import type { Upstream } from "../../upstreams/upstream.ts";

type State = { status: "ready" } | { status: "absent" } | { status: "down"; reason: string };

async function stateOf(ask: Promise<unknown>): Promise<State> {
  try {
    await ask;
    return { status: "ready" };
  } catch (error) {
    if (error instanceof GatewayError && error.failure.reason === "invalid_request") return { status: "absent" };
    return { status: "down", reason: error instanceof Error ? error.message : String(error) };
  }
}

async function askTranscoder(transcoder: Upstream | undefined): Promise<void> {
  if (!transcoder) throw new Error("there is none: TRANSCODER_URL is not set");
  const response = await transcoder.fetch("/readyz", { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }).catch(() => {
    throw new Error("cannot be reached");
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error("is not ready");
}

/** A provider whose circuit is open may well answer, and is still not asked to speak. */
async function providerState(provider: Provider, background: Background): Promise<State & { circuit: string }> {
  const breaker = env.CIRCUIT_BREAKERS.getByName(provider.circuitName);
  const [state, circuit] = await Promise.all([
    stateOf(currentCatalog(provider, background)),
    breaker.view().catch(() => undefined),
  ]);
  const isRefused = circuit?.state === "open" && circuit.retryAfterMs > 0; // after that its next session is its probe
  const judged: State = isRefused && state.status !== "absent" ? { status: "down", reason: "circuit open" } : state;
  return { ...judged, circuit: circuit?.state ?? "unknown" };
}

export async function getReadiness(c: Context): Promise<Response> {
  const { providers, transcoder } = backendsFor(regionOf(c.req.raw));
  const names = ["transcoder", ...providers.keys()];
  const background: Background = (work) => c.executionCtx.waitUntil(work);
  const asks = [
    stateOf(askTranscoder(transcoder)),
    ...[...providers.values()].map((provider) => providerState(provider, background)),
  ];
  const states = await Promise.all(asks);
  const upstreams = Object.fromEntries(names.map((name, i) => [name, states[i]]));
  const isReady = states.every(({ status }) => status !== "down");
  return c.json({ status: isReady ? "ready" : "degraded", upstreams }, isReady ? 200 : 503);
}
