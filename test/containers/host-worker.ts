/** A Worker that is nothing but the way to the containers, so that tests can see what passes through their hosts. */
import { KINDS } from "../../worker/upstreams/containers/kinds.ts";
import { containerUpstream } from "../../worker/upstreams/containers/pool.ts";
import type { Upstream } from "../../worker/upstreams/upstream.ts";

// Every class that wrangler.toml names has to be here.
export { CircuitBreaker } from "../../worker/breaker/circuit-breaker.ts";
export { CoquiContainer, EspeakContainer, TranscoderContainer } from "../../worker/upstreams/containers/host.ts";
export { Session } from "../../worker/index.ts";

/** /espeak/v1/info is the engine's /v1/info. */
export default {
  fetch(request: Request, env: Env): Promise<Response> | Response {
    const { pathname, search } = new URL(request.url);
    const [, name, ...path] = pathname.split("/");
    const namespaces = {
      transcoder: env.TRANSCODER_CONTAINERS,
      espeak: env.ESPEAK_CONTAINERS,
      coqui: env.COQUI_CONTAINERS,
    };
    const kind = KINDS[name as keyof typeof KINDS];
    if (!kind) return Response.json({ status: "ok" });
    const upstream = containerUpstream({ kind, namespace: namespaces[kind.name]!, region: "weur", instances: 1 });
    const { method, headers, body } = request;
    const init = { method, headers, body };
    const abortAfter = new URL(request.url).searchParams.get("abort_after_ms");
    if (abortAfter === null) return upstream.fetch(`/${path.join("/")}${search}`, init);
    return aborted(upstream, `/${path.join("/")}`, init, Number(abortAfter));
  },
} satisfies ExportedHandler<Env>;

/** Reads an answer until it gives it up, as a session does. */
async function aborted(upstream: Upstream, path: string, init: RequestInit, afterMs: number): Promise<Response> {
  const signal = AbortSignal.timeout(afterMs);
  let status = 0;
  let bytes = 0;
  try {
    const answer = await upstream.fetch(path, { ...init, signal });
    status = answer.status;
    for await (const chunk of answer.body!) bytes += chunk.length;
    return Response.json({ status, bytes, error: "it was not aborted" });
  } catch (error) {
    return Response.json({ status, bytes, error: String(error) });
  }
}
