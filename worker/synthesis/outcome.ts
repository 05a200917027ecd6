/** What a failed call says about its provider. */
import type { Call } from "../breaker/circuit-client.ts";
import { Misconfiguration, ProviderError, RequestFault, RESAMPLER_FAILED } from "../providers/provider.ts";

/** What workerd says when the object in front of an engine's container is replaced, or has too much to do. */
const PLATFORM_TROUBLE = /code was updated|overloaded/i;

/**
 * Whether the error says that its provider is in trouble. A provider that is busy, or still loading, is not: it answers,
 * and says when to come back. An error that is no ProviderError has its cause on our side: a cancel, the platform, a bug.
 */
function isProviderTrouble(error: unknown): boolean {
  if (!(error instanceof ProviderError) || error instanceof RequestFault || error.again === "when_free") return false;
  if (error.reason === "unreachable") return !PLATFORM_TROUBLE.test(error.message);
  return error.reason !== RESAMPLER_FAILED;
}

/** Tells the circuit of `call` what its failure means; a wrong setup opens it at once, as every further call would fail. */
export function endFailedCall(call: Call, error: unknown): void {
  if (error instanceof Misconfiguration) call.failed({ opens: true });
  else if (isProviderTrouble(error)) call.failed();
  else call.ignored();
}
