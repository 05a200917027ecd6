/** What an engine says of itself, as the catalog of its provider. */
import { z } from "zod";
import { RATE_RANGE_HZ } from "../../protocol/formats.ts";
import { isScript } from "../../protocol/scripts.ts";
import { GatewayError } from "../base/errors.ts";
import { canonicalTag } from "../base/language.ts";
import { log } from "../base/log.ts";
import { NO_CONTAINER } from "../upstreams/containers/kinds.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { isMisconfigured, logMisconfigured } from "./misconfiguration.ts";
import type { Catalog, Voice } from "./provider.ts";

/** Within these bounds a stream can have the engine's rate, and a text can be cut into pieces that the engine takes. */
const infoSchema = z.object({
  sample_rate: z.number().int().min(RATE_RANGE_HZ.min).max(RATE_RANGE_HZ.max),
  max_chars: z.number().int().min(1),
});

const voicesSchema = z.object({
  voices: z.array(
    z.object({
      id: z.string(),
      name: z.string().optional(),
      language: z.string(),
      languages: z.array(z.string()).optional(),
      scripts: z.array(z.string()).optional(),
    }),
  ),
});

/** An answer that no later one will better: the operator has to act. */
class Unusable extends Error {
  override name = "Unusable";
  readonly what: { status: number } | { value: string };

  constructor(what: Unusable["what"]) {
    super("the engine cannot be used");
    this.what = what;
  }
}

/** The longest part of a wrong value that is logged, in characters. */
const LOGGED_CHARS = 100;

/** The first wrong value as the log names it, for example `sample_rate=1`. */
function describeWrong(value: unknown, [issue]: z.core.$ZodIssue[]): string {
  const path = issue?.path ?? [];
  const wrong = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key], value);
  return `${path.join(".")}=${JSON.stringify(wrong)}`.slice(0, LOGGED_CHARS);
}

async function ask<T>(upstream: Upstream, path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
  const response = await upstream.fetch(path, { signal });
  const { status } = response;
  if (!response.ok) {
    await response.body?.cancel();
    if (status === NO_CONTAINER) {
      const message = "provider: it has neither an address nor a container here";
      throw new GatewayError("invalid_request", message, { field: "provider" });
    }
    if (isMisconfigured(status)) throw new Unusable({ status });
    throw new Error(`${path} answered ${status}`);
  }
  const value: unknown = await response.json();
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Unusable({ value: describeWrong(value, parsed.error.issues) });
  return parsed.data;
}

function toVoice({ id, name, language, languages, scripts }: z.output<typeof voicesSchema>["voices"][number]): Voice[] {
  const tags = [...new Set([language, ...(languages ?? [])].flatMap((tag) => canonicalTag(tag) ?? []))];
  const [own, ...others] = tags;
  const known = scripts?.filter(isScript) ?? [];
  const read = known.length > 0 ? { scripts: known } : {};
  return own === undefined ? [] : [{ id, name: name ?? id, languages: [own, ...others], ...read }];
}

/**
 * @throws GatewayError `not_ready` if the engine cannot be asked now, `misconfigured` if it refuses us or announces what
 * no stream can have, `invalid_request` if there is nowhere for it to run.
 */
export async function askCatalog(provider: string, upstream: Upstream, signal: AbortSignal): Promise<Catalog> {
  try {
    const [info, { voices }] = await Promise.all([
      ask(upstream, "/v1/info", infoSchema, signal),
      ask(upstream, "/v1/voices", voicesSchema, signal),
    ]);
    return { voices: voices.flatMap(toVoice), sampleRateHz: info.sample_rate, maxChars: info.max_chars };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (error instanceof Unusable) {
      logMisconfigured(provider, error.what);
      throw new GatewayError("misconfigured", `the gateway is not set up to use provider ${provider}`);
    }
    log("catalog_failed", { provider, error: String(error) });
    throw new GatewayError("not_ready", `provider ${provider} is not ready`, { retryAfterMs: 1000 });
  }
}
