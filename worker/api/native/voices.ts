/** GET /v1/voices */
import type { Context } from "hono";
import { FORMATS } from "../../../protocol/formats.ts";
import type { Voice, VoicesResponse } from "../../../protocol/messages.ts";
import type { Background } from "../../breaker/circuit-client.ts";
import { regionOf } from "../../upstreams/region.ts";
import { currentCatalog } from "../../providers/catalogs.ts";
import type { Provider } from "../../providers/provider.ts";
import { parse, voicesQuerySchema } from "./schemas.ts";
import { backendsFor } from "../../providers/backends.ts";
import { hasLanguage } from "../../synthesis/speech-request.ts";

/** A provider that is down has none; /readyz names it. */
async function voicesOf(provider: Provider, language: string | undefined, background: Background): Promise<Voice[]> {
  const catalog = await currentCatalog(provider, background).catch(() => undefined);
  const voices = catalog?.voices.filter((voice) => language === undefined || hasLanguage(voice, language)) ?? [];
  return voices.map(({ id, name, languages, scripts }) => ({
    id,
    name,
    language: languages[0],
    languages,
    provider: provider.id,
    sample_rate_hz: catalog!.sampleRateHz,
    supported_formats: FORMATS,
    ...(scripts && { scripts }),
  }));
}

export async function listVoices(c: Context): Promise<Response> {
  const { provider, language } = parse(voicesQuerySchema, c.req.query());
  const { providers } = backendsFor(regionOf(c.req.raw));
  const background: Background = (work) => c.executionCtx.waitUntil(work);
  const asked = [...providers.values()].filter(({ id }) => provider === undefined || id === provider);
  const voices = await Promise.all(asked.map((one) => voicesOf(one, language, background)));
  const found: VoicesResponse = { voices: voices.flat() };
  return c.json(found);
}
