/** Every provider this gateway is set up with. */
import type { Upstream } from "../upstreams/upstream.ts";
import { EngineProvider } from "./engine.ts";
import { MockTone } from "./mock-tone.ts";
import type { Provider } from "./provider.ts";

export type Providers = ReadonlyMap<string, Provider>;

/** @param engines where each engine is, by the id of its provider; undefined: nowhere. */
export function createProviders(engines: Record<string, Upstream | undefined>): Providers {
  const speakers = Object.entries(engines).flatMap(([id, upstream]) =>
    upstream ? [new EngineProvider(id, upstream)] : [],
  );
  const providers: Provider[] = [new MockTone(), ...speakers];
  return new Map(providers.map((provider) => [provider.id, provider]));
}
