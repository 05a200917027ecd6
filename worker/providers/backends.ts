/** The providers and the transcoder that serve each region of the world. */
import { env } from "cloudflare:workers";
import type { CircuitClient } from "../breaker/circuit-client.ts";
import { circuitOf } from "../breaker/circuits.ts";
import { config } from "../config/config.ts";
import { KINDS, type Kind } from "../upstreams/containers/kinds.ts";
import type { Region } from "../upstreams/region.ts";
import { containerUpstream } from "../upstreams/containers/pool.ts";
import { createProviders, type Providers } from "./registry.ts";
import { upstreamAt, type Upstream } from "../upstreams/upstream.ts";

/** What serves the requests of one part of the world. */
export interface Backends {
  providers: Providers;
  /** Undefined: there is none. */
  transcoder: Upstream | undefined;
}

const known = new Map<Region, Backends>();

/** The providers and the transcoder for a client in `region`. */
export function backendsFor(region: Region): Backends {
  const found = known.get(region) ?? createBackends(region);
  known.set(region, found);
  return found;
}

/** The circuit of a provider for a client in `region`. One for all regions, unless the provider runs in each of them. */
export function circuitFor(provider: string, region: Region): CircuitClient {
  return circuitOf(backendsFor(region).providers.get(provider)?.circuitName ?? provider);
}

function createBackends(region: Region): Backends {
  /** A plain server where an address is set, else containers where there are some. */
  const upstream = (url: string, kind?: Kind, namespace?: DurableObjectNamespace): Upstream | undefined => {
    if (url) return upstreamAt(url);
    if (config.CONTAINERS === "off" || !kind || !namespace) return undefined;
    return containerUpstream({ kind, namespace, region, instances: config.CONTAINERS_PER_REGION });
  };
  const espeak = upstream(config.ESPEAK_URL, KINDS.espeak, env.ESPEAK_CONTAINERS);
  const coqui = upstream(config.COQUI_URL, KINDS.coqui, env.COQUI_CONTAINERS);
  return {
    providers: createProviders({
      espeak: { upstream: espeak, firstVoice: config.ESPEAK_VOICE },
      coqui_tts: { upstream: coqui, firstVoice: config.COQUI_VOICE },
    }),
    transcoder: upstream(config.TRANSCODER_URL, KINDS.transcoder, env.TRANSCODER_CONTAINERS),
  };
}
