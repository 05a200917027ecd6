/** What each provider offered when it was last asked, kept for the life of the isolate. */
import type { Catalog, Provider } from "./provider.ts";
import { sleep } from "../base/sleep.ts";

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
 * What each provider offered when it last answered, be it down now or not; undefined for one that never did, once another
 * one's is known. `background` keeps alive what is not waited for.
 * @throws GatewayError `not_ready` if none ever answered.
 */
export async function lastKnownCatalogs(
  providers: readonly Provider[],
  background: (work: Promise<unknown>) => void,
): Promise<(Catalog | undefined)[]> {
  const asks = providers.map((provider) => {
    const last = known.get(provider.id);
    if (last && Date.now() - last.at <= REFRESH_AFTER_MS) return Promise.resolve(last.catalog);
    const answer = ask(provider, WAKE_TIMEOUT_MS);
    background(answer.catch(() => {}));
    return last ? Promise.resolve(last.catalog) : answer;
  });
  const [first] = asks;
  await Promise.any(asks).catch(() => first); // its error says why there is none
  await Promise.race([Promise.allSettled(asks), sleep(ASK_TIMEOUT_MS)]);
  return providers.map(({ id }) => known.get(id)?.catalog);
}
