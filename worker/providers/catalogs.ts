/** What each provider offered when it was last asked, kept for the life of the isolate. */
import type { Catalog, Provider } from "./provider.ts";

/** A catalog this young answers for the provider itself. */
const CURRENT_MS = 5_000;

/** A catalog older than this is asked for anew, beside the request that found it. */
const REFRESH_AFTER_MS = 30_000;

/** How long whatever is asked how it is may take to answer, in ms. */
export const ASK_TIMEOUT_MS = 2_000;

/** A request that needs the catalog waits for an engine to wake up; a client would only have to ask again. */
const WAKE_TIMEOUT_MS = 20_000;

interface Known {
  catalog: Catalog;
  at: number;
}

// Plain data, never a promise: one whose request is gone would never settle for the others.
const known = new Map<string, Known>();

async function ask(provider: Provider, timeoutMs: number): Promise<Catalog> {
  const catalog = await provider.catalog(AbortSignal.timeout(timeoutMs));
  known.set(provider.id, { catalog, at: Date.now() });
  return catalog;
}

/**
 * What the provider offers now.
 * @throws GatewayError `not_ready` if it does not answer.
 */
export async function currentCatalog(provider: Provider): Promise<Catalog> {
  const last = known.get(provider.id);
  return last && Date.now() - last.at < CURRENT_MS ? last.catalog : ask(provider, ASK_TIMEOUT_MS);
}

/**
 * What the provider offered when it last answered, be it down now or not; `background` keeps a refresh alive.
 * @throws GatewayError `not_ready` if it never answered.
 */
export async function lastKnownCatalog(
  provider: Provider,
  background: (work: Promise<unknown>) => void,
): Promise<Catalog> {
  const last = known.get(provider.id);
  if (!last) return ask(provider, WAKE_TIMEOUT_MS);
  if (Date.now() - last.at > REFRESH_AFTER_MS) background(ask(provider, WAKE_TIMEOUT_MS).catch(() => {}));
  return last.catalog;
}
