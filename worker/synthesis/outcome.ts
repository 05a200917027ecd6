/** Which ends of a call say that its provider is in trouble. */
import { ProviderError, RequestFault, RESAMPLER_FAILED } from "../providers/provider.ts";

/** What workerd says when the object in front of an engine's container is replaced, or has too much to do. */
const PLATFORM_TROUBLE = /code was updated|overloaded/i;

/**
 * A provider that is busy, or still loading, is not in trouble: it answers, and says when to come back. Whatever is no
 * ProviderError is ours: a cancel, the platform, a bug.
 */
export function isProviderFailure(error: unknown): boolean {
  if (!(error instanceof ProviderError) || error instanceof RequestFault || error.again === "when_free") return false;
  if (error.reason === "unreachable") return !PLATFORM_TROUBLE.test(error.message);
  return error.reason !== RESAMPLER_FAILED;
}
