/**
 * What each provider offered when it was last asked, kept for the life of the isolate.
 *
 * One request at a time asks a provider, however many need the answer. The others look again and again whether it is
 * there. They cannot await the promise of the request that asks, because a promise whose request is gone never settles
 * for the others; what they look at is plain data.
 */
import type { Background } from "../breaker/circuit-client.ts";
import { circuitOf } from "../breaker/circuits.ts";
import { failureOf, GatewayError, type Failure } from "../base/errors.ts";
import { logBug } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { Catalog, Provider } from "./provider.ts";

/** A catalog of this age, in ms, counts as what the provider offers now. */
const CURRENT_MS = 5_000;

/** When a request meets a catalog older than this, in ms, the provider is asked again in the background. */
const REFRESH_AFTER_MS = 30_000;

/** How long a request about the state of the gateway waits for an answer, in ms. */
export const ASK_TIMEOUT_MS = 2_000;

/** How long an engine may take to wake up and answer, in ms; a creation without any catalog waits as long. */
const WAKE_TIMEOUT_MS = 20_000;

/** The gap between two looks for an answer that another request asked for, in ms. */
const POLL_MS = 50;

/** What is known of one provider. Times are in ms since 1970. */
interface Knowledge {
  last?: { catalog: Catalog; at: number };
  /** Why the last request failed; undefined: it did not. */
  failure?: Failure | undefined;
  /** When the request under way will have timed out; 0: none is under way. */
  askingUntil: number;
}

const knowledgeOfCircuit = new Map<string, Knowledge>();

/** By circuit, because a provider that has two is asked in two places. */
function knowledgeOf({ circuitName }: Provider): Knowledge {
  const known = knowledgeOfCircuit.get(circuitName) ?? { askingUntil: 0 };
  knowledgeOfCircuit.set(circuitName, known);
  return known;
}

function notReady({ id }: Provider, why: string, retryAfterMs: number): GatewayError {
  return new GatewayError("not_ready", `provider ${id} ${why}`, { retryAfterMs });
}

/** Asks the provider unless a request is under way or its circuit is open; settles when there is something to know. */
async function ask(provider: Provider, background: Background): Promise<void> {
  const knowledge = knowledgeOf(provider);
  if (Date.now() < knowledge.askingUntil) return;
  const until = Date.now() + WAKE_TIMEOUT_MS;
  const timeout = AbortSignal.timeout(WAKE_TIMEOUT_MS);
  knowledge.askingUntil = until;
  try {
    const refusal = await circuitOf(provider.circuitName).refusalNow(background);
    if (refusal) {
      knowledge.failure ??= notReady(provider, "is in trouble and not asked now", refusal.retryAfterMs).failure;
      return;
    }
    const catalog = await provider.catalog(timeout);
    knowledge.last = { catalog, at: Date.now() };
    knowledge.failure = undefined;
  } catch (error) {
    if (!(error instanceof GatewayError)) logBug(error);
    knowledge.failure = failureOf(error);
  } finally {
    if (knowledge.askingUntil === until) knowledge.askingUntil = 0;
  }
}

/** The answer to the request under way, or to a new one. @throws GatewayError as {@link Provider.catalog}. */
async function answer(provider: Provider, waitMs: number, background: Background): Promise<Catalog> {
  const giveUpAt = Date.now() + waitMs;
  const knowledge = knowledgeOf(provider);
  const asking = ask(provider, background);
  background(asking);
  await Promise.race([asking, sleep(waitMs)]);
  while (Date.now() < Math.min(giveUpAt, knowledge.askingUntil)) await sleep(POLL_MS);
  const { last, failure, askingUntil } = knowledge;
  if (failure) throw new GatewayError(failure.reason, failure.message, failure);
  if (askingUntil > 0 || !last) throw notReady(provider, "is not ready", 1_000);
  return last.catalog;
}

/**
 * What the provider offers now.
 * @throws GatewayError `not_ready` if it does not answer, `misconfigured` if the gateway cannot use it, `invalid_request`
 * if there is nowhere for it to run.
 */
export async function currentCatalog(provider: Provider, background: Background): Promise<Catalog> {
  const { last } = knowledgeOf(provider);
  if (last && Date.now() - last.at < CURRENT_MS) return last.catalog;
  return answer(provider, ASK_TIMEOUT_MS, background);
}

/**
 * What each provider offered when it last answered, whether or not it is down now. Undefined for a provider that never
 * answered, if another one did.
 * @throws GatewayError as {@link currentCatalog}, of the first provider, if none ever answered.
 */
export async function lastKnownCatalogs(
  providers: readonly Provider[],
  background: Background,
): Promise<(Catalog | undefined)[]> {
  const answers = providers.map((provider) => {
    const { last } = knowledgeOf(provider);
    if (!last) return answer(provider, WAKE_TIMEOUT_MS, background);
    if (Date.now() - last.at > REFRESH_AFTER_MS) background(ask(provider, background));
    return Promise.resolve(last.catalog);
  });
  const [first] = answers;
  await Promise.any(answers).catch(() => first); // its error says why there is none
  await Promise.race([Promise.allSettled(answers), sleep(ASK_TIMEOUT_MS)]);
  return providers.map((provider) => knowledgeOf(provider).last?.catalog);
}
