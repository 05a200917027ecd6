/** Every provider this gateway is set up with. */
import type { Upstream } from "../upstreams/upstream.ts";
import { EngineProvider } from "./engine.ts";
import { MockTone } from "./mock-tone.ts";
import type { Provider } from "./provider.ts";

export type Providers = ReadonlyMap<string, Provider>;

/** Where an engine is (undefined: nowhere), and its voice that is listed first. */
export interface Engine {
  upstream: Upstream | undefined;
  firstVoice?: string;
}

/** @param engines by the id of their provider. */
export function createProviders(engines: Record<string, Engine>): Providers {
  const speakers = Object.entries(engines).flatMap(([id, { upstream, firstVoice }]) =>
    upstream ? [new EngineProvider(id, upstream, firstVoice)] : [],
  );
  const providers: Provider[] = [new MockTone(), ...speakers];
  return new Map(providers.map((provider) => [provider.id, provider]));
}
