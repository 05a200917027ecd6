/** Every provider this gateway is set up with. */
import type { Config } from "../config.ts";
import { upstreamAt } from "../upstream.ts";
import { EngineProvider } from "./engine.ts";
import { MockTone } from "./mock-tone.ts";
import type { Provider } from "./provider.ts";

export type Providers = ReadonlyMap<string, Provider>;

export function createProviders(config: Config): Providers {
  const providers: Provider[] = [new MockTone()];
  if (config.ESPEAK_URL) providers.push(new EngineProvider("espeak", upstreamAt(config.ESPEAK_URL)));
  if (config.COQUI_URL) providers.push(new EngineProvider("coqui_tts", upstreamAt(config.COQUI_URL)));
  return new Map(providers.map((provider) => [provider.id, provider]));
}
